"""One history, from its first manifest to the comparison of its end with that of a run without faults.

    apply → random actions under faults → faults stop, all settles → a closing under new faults → all settles → compare

Its twin for the comparison is a new Rollout with the spec as the actions left it. It runs the same closing without
faults: no earlier event and no fault may leave a trace.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tests.sim import promises
from tests.sim.analyses import stops
from tests.sim.generate import BAD, waits_for_a_person
from tests.sim.history import NAME, Action, History, template
from tests.sim.people import act
from tests.sim.store import Json
from tests.sim.watchdog import Violation, Watchdog
from tests.sim.world import Planner, World

QUIET = 130.0
"""Seconds without a write after which no more follows: longer than every delay and deadline of a history."""

HORIZON = 4000.0
"""Seconds after which the run reports that it never settles."""

PATIENT = 1500.0
"""Seconds for which a user waits for the preconditions of a closing."""


@dataclass
class Result:
    seed: int
    violations: list[Violation] = field(default_factory=list[Violation])
    events: int = 0
    faults: int = 0
    plans: int = 0
    struck: dict[str, int] = field(default_factory=dict[str, int])
    end: Json = field(default_factory=dict[str, Any])


def run(history: History, *, plan: Planner | None = None, stop_early: bool = True) -> Result:
    """Runs it; `stop_early`: up to the first promise that breaks."""
    world = World(history, plan=plan)
    dog = promises.watch(world)
    result = Result(history.seed)
    with world.loop.running():
        world.start()
        for action in history.actions:
            world.loop.call_at(action.at, act, world, action)
        try:
            _story(world, dog, history, plan, lambda: stop_early and bool(dog.violations))
        finally:
            _count(world, result, history)
            world.end()
    dog.violations += [Violation("no_error_but_of_the_api", e) for e in world.loop.errors]
    result.violations = dog.violations
    return result


def _story(world: World, dog: Watchdog, history: History, plan: Planner | None, stop: Callable[[], bool]) -> None:
    loop = world.loop
    loop.run(history.length, stop=stop)
    if stop():
        return
    world.new_weather(())
    if not _settle(world, dog, stop):
        return
    promises.settled(dog)
    if world.rollout is None or stop() or _stable_never_serves(world):
        return
    twin = _twin(world, history, plan)
    # The new faults begin at the moment at which all was quiet.
    world.new_weather(history.late_episodes, history.late_troubles)
    _close(world, history, stop)
    loop.run(loop.at + max(0.0, world.weather.over - loop.at, world.monitoring.over() - loop.at), stop=stop)
    world.new_weather(())
    if stop() or not _settle(world, dog, stop):
        return
    promises.settled(dog)
    promises.ends_as_without_faults(dog, world.fingerprint(), twin)


def _stable_never_serves(world: World) -> bool:
    """A first version becomes stable before it serves. One that never will has its share of the pods without service,
    a state that no new Rollout has to handle."""
    rs = world.sets().get(world.status.get("stableRS", ""))
    image = str(rs["spec"]["template"]["spec"]["containers"][0]["image"]) if rs else ""
    return image.endswith(f":{BAD}")


def _count(world: World, result: Result, history: History) -> None:
    struck = world.weather.struck
    if world.monitoring.struck:
        struck["monitoring"] = world.monitoring.struck
    result.struck = dict(struck) | ({"killed": world.kills} if world.kills else {})
    acted = [a.kind for a in history.actions]
    hits = sum(1 for kind in acted if kind in ("crash", "evict", "router-edited", "router-deleted"))
    result.faults = sum(struck.values()) + world.kills + hits
    result.plans = world.plans
    result.events = world.writes + world.plans + len(acted) + result.faults
    result.end = world.fingerprint()


def _settle(world: World, dog: Watchdog, stop: Callable[[], bool]) -> bool:
    """Runs until nothing was written for `QUIET` seconds; a run that is never quiet is a violation."""
    loop, end = world.loop, world.loop.at + HORIZON
    while loop.at < end:
        loop.run(max(world.last_write, world.calm_since) + QUIET, stop=stop)
        if stop():
            return False
        if loop.at - max(world.last_write, world.calm_since) >= QUIET - 0.001:
            return True
    dog.broke("level_triggered", f"it does not settle within {HORIZON:g} s: {world.fingerprint()}")
    return False


def _close(world: World, history: History, stop: Callable[[], bool]) -> None:
    """The closing: the users' last actions, each at its time."""
    _do(world, "unpaused")
    if world.spec.get("replicas") == 0:
        _do(world, "scale", 2)
    _release(world, "x1", stop)
    _end(world, history, stop)


def _end(world: World, history: History, stop: Callable[[], bool]) -> None:
    """The closing once x1 is the stable version."""
    if history.closing == "judged":
        # A user may have written steps without a wait: then only the background analysis detects it, perhaps too late.
        if history.verdicts.get("x2") == "good" or stops(world.spec["strategy"]):
            _do(world, "image", "x2")
        return
    if history.closing == "release" or not waits_for_a_person(world.spec["strategy"]):
        return
    _do(world, "image", "x2")
    if not _wait(world, lambda: _new_waits(world), stop):
        return
    if history.closing == "abort":
        _do(world, "abort")
    elif history.closing == "back":
        _do(world, "image", "x1")


def _release(world: World, image: str, stop: Callable[[], bool]) -> None:
    """Releases an image and sees to it that it becomes the stable one."""
    _do(world, "image", image)
    asked = 0.0

    def look() -> bool:
        nonlocal asked
        status = world.status
        if _promoted(world, image):
            return True
        if world.loop.at - asked >= 20.0 and _new_waits(world):
            asked = world.loop.at
            _do(world, "promote")
        elif world.loop.at - asked >= 20.0 and status.get("abort"):
            asked = world.loop.at
            _do(world, "retry")
        return False

    _wait(world, look, stop)


def _promoted(world: World, image: str) -> bool:
    status, sets = world.status, world.sets()
    stable = sets.get(status.get("stableRS", ""))
    return (
        stable is not None
        and stable["spec"]["template"]["spec"]["containers"][0]["image"] == f"demo:{image}"
        and status.get("phase") == "Healthy"
    )


def _new_waits(world: World) -> bool:
    """Whether the new version is at a pause which only a user ends."""
    status, rollout = world.status, world.rollout
    if rollout is None or status.get("phase") != "Paused" or status.get("currentPodHash") == status.get("stableRS"):
        return False
    if status.get("observedGeneration") != str(rollout["metadata"]["generation"]) or not status.get("pauseConditions"):
        return False
    steps = world.canary.get("steps", [])
    index = status.get("currentStepIndex", 0)
    return not world.canary or (index < len(steps) and steps[index].get("pause") == {})


def _wait(world: World, true: Callable[[], bool], stop: Callable[[], bool]) -> bool:
    end = world.loop.at + PATIENT
    while world.loop.at < end and not stop():
        if true():
            return True
        world.loop.run(world.loop.at + 5.0, stop=stop)
    return False


def _do(world: World, kind: str, value: Any = None) -> None:
    act(world, Action(world.loop.at, kind, value))


def _twin(world: World, history: History, plan: Planner | None) -> Json:
    """The end of the same closing, in a world of its own without faults and without a history before x1."""
    rollout = world.rollout
    assert rollout is not None
    metadata: Json = {"name": NAME, "annotations": {"team": "shop"}}
    size = rollout["spec"].get("replicas") or 2
    spec = {**rollout["spec"], "template": template("x1"), "replicas": size, "paused": False}
    spec.pop("restartAt", None)
    fresh = {"apiVersion": rollout["apiVersion"], "kind": "Rollout", "metadata": metadata, "spec": spec}
    calm = msgspec.structs.replace(
        history, rollout=fresh, actions=(), kills=(), episodes=(), late_episodes=(), elected=False, troubles=()
    )
    other = World(calm, plan=plan, faults=False)
    with other.loop.running():
        other.start()
        dog = Watchdog(other)
        _settle(other, dog, lambda: False)
        _end(other, calm, lambda: False)
        _settle(other, dog, lambda: False)
        end = other.fingerprint()
        other.end()
    return end
