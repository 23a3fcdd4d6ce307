"""Plays a scenario in virtual time, and writes its trace as `record.py` does.

The recorder's own code selects an object's fields, turns an object's history into lines, and lines into a trace.
Its clock is the event loop's, its watches are ours, and the play's actions run in this process.
"""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import tempfile
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import looptime
import yaml

from serinus.api.resources import (
    ANALYSIS_RUNS,
    DEPLOYMENTS,
    EVENTS,
    EXPERIMENTS,
    INGRESSES,
    NAMESPACES,
    PODS,
    REPLICA_SETS,
    ROLLOUTS,
    SERVICES,
    Resource,
)
from tests.support.plays import command_line
from tests.support.plays.kubectl import Kubectl
from tests.support.plays.monitoring import METRICS
from tests.support.plays.recordings import Json, program, scenario
from tests.support.plays.stage import Stage, Write
from tests.support.virtual_time import NOOP_CYCLES

WATCHED = (
    ROLLOUTS,
    REPLICA_SETS,
    SERVICES,
    INGRESSES,
    PODS,
    EVENTS,
    DEPLOYMENTS,
    ANALYSIS_RUNS,
    EXPERIMENTS,
)
COMMAND_SECONDS = 0.15
"""From the start of a command to its effect: about kubectl's own time."""
CLI_SECONDS = 0.08
"""The same of `kubectl argo rollouts`, which the recorder starts without kubectl."""
LOOK_SECONDS = 0.05
"""The interval of a wait's checks, as in the recorder."""
NAMESPACE = "the-play"

T = TypeVar("T")


@dataclass(frozen=True)
class Played:
    """`trace`: its lines as objects. `writes`: the controller's requests; their times are those of the trace.

    `troubles`: the errors logged meanwhile; a play has none.
    """

    name: str
    text: str
    trace: list[Json]
    writes: list[Write]
    troubles: list[str]


@functools.cache
def played(name: str) -> Played:
    """A recorded play, played once for all callers."""
    return play(name, scenario(name))


def play(name: str, what: Json) -> Played:
    """Any play, written as a scenario."""
    with tempfile.TemporaryDirectory() as directory:
        return in_virtual_time(_play(name, what, Path(directory)))


def in_virtual_time(work: Coroutine[Any, Any, T]) -> T:
    loop = looptime.new_event_loop(start=0, noop_cycles=NOOP_CYCLES)
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


async def _play(name: str, what: Json, directory: Path) -> Played:
    stage, troubles = Stage(directory, tuple(what.get("kinds", ()))), Troubles(logging.ERROR)
    logging.getLogger().addHandler(troubles)
    async with stage.running():
        player = Player(stage)
        await player.begin()
        await player.play(what)
        await player.end()
    logging.getLogger().removeHandler(troubles)
    text = player.notes.trace()
    writes = [replace(w, t=w.t - player.notes.t0) for w in stage.writes]
    return Played(name, text, [json.loads(line) for line in text.splitlines()], writes, troubles.seen)


class Troubles(logging.Handler):
    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        why = repr(record.exc_info[1]) if record.exc_info else ""
        self.seen.append(f"{record.name}: {record.getMessage()} {why}".strip())


class Player:
    """`notes` is a recorder of `record.py`: it has the objects as they are seen, and makes the trace."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self._loop = stage, asyncio.get_running_loop()
        record: Any = program("record")
        record.time = SimpleNamespace(monotonic=self._loop.time)
        self.notes: Any = record.Recorder(SimpleNamespace(kubectl="", kubeconfig=""), NAMESPACE)
        self.notes.url = METRICS
        stage.monitoring.tell = self.notes.asked
        self._flat = record.flat
        self.kubectl = Kubectl(stage.client, NAMESPACE, stage.kinds)
        self._watches: list[asyncio.Task[None]] = []

    async def begin(self) -> None:
        await self.stage.client.create(NAMESPACES, {"metadata": {"name": NAMESPACE}})
        self._watches = [asyncio.create_task(self._watch(resource)) for resource in (*WATCHED, *self.stage.kinds)]
        await asyncio.sleep(1.5)  # as the recorder: the controller has seen the namespace, if it cares
        self.notes.t0 = self._loop.time()

    async def end(self) -> None:
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)

    async def _watch(self, resource: Resource) -> None:
        async for event in self.stage.client.watch(resource, NAMESPACE):
            if event.type != "BOOKMARK":
                self.notes.note(event.type, event.object)

    async def play(self, what: Json) -> None:
        objects = what["objects"].replace("$METRICS", METRICS).replace("$NAMESPACE", NAMESPACE)
        manifests = {f"{d['kind']}/{d['metadata']['name']}": d for d in yaml.safe_load_all(objects)}
        self.stage.monitoring.answers.update(what.get("answers", {}))
        for step in what["do"]:
            ((verb, argument),) = step.items()
            if verb == "wait":
                await self._wait(argument, 120)
            elif verb == "sleep":
                await asyncio.sleep(argument)
            elif verb == "answer":
                self.stage.monitoring.answers.update(argument)
                self.notes.act(f"answer {json.dumps(argument)}")
            else:
                began = self._loop.time()
                await asyncio.sleep(CLI_SECONDS if verb == "cli" else COMMAND_SECONDS)
                text, printed = await self._do(verb, argument, manifests)
                self.notes.act(text, printed, began)
        await self._wait({"quiet": what.get("settle", 4)}, 60)

    async def _do(self, verb: str, argument: Any, manifests: dict[str, Json]) -> tuple[str, str]:
        """(its name in the trace, its output)"""
        match verb, argument:
            case "apply" | "try", _:
                names = list(manifests) if argument == "all" else argument
                return f"apply {' '.join(names)}", await self.kubectl.apply([manifests[n] for n in names])
            case "image", [name, image]:
                manifests[name]["spec"]["template"]["spec"]["containers"][0]["image"] = image
                return f"image {name} {image}", await self.kubectl.apply([manifests[name]])
            case "patch", [name, body]:
                return f"patch {name} {json.dumps(body)}", await self.kubectl.patch(name, body)
            case "controller", "stop":
                await self.stage.stop_controller()
                return "controller stop", ""
            case "controller", "start":
                self.stage.start_controller()
                return "controller start", ""
            case "refuse", _:
                self.stage.refuses = tuple(argument) if argument else None
                return f"refuse {argument}", ""
            case "kubectl", line:
                return f"kubectl {line}", await self.kubectl.run(line)
            case "cli", line:
                printed = command_line.rollouts(line, self.stage.api.handle, NAMESPACE, self.stage.clock)
                return f"kubectl argo rollouts {line}", printed
            case _:
                raise NotImplementedError(f"a step `{verb}`: add it to tests/support/plays/player.py")

    async def _wait(self, conditions: Mapping[str, Any], seconds: float) -> None:
        """As the recorder waits: a check every 50 ms; a Rollout counts once the controller has seen its last change."""
        end = self._loop.time() + seconds
        while self._loop.time() < end:
            if all(self._holds(key, want) for key, want in conditions.items()):
                return
            await asyncio.sleep(LOOK_SECONDS)
        self.notes.act(f"wait timed out: {json.dumps(conditions)}")

    def _holds(self, key: str, want: Any) -> bool:
        if key == "quiet":
            return self._loop.time() - self.notes.touched >= want
        found: Json | None = self.notes.objects.get(key)
        if want is None or found is None:
            return want is None and found is None
        if key.startswith("Rollout/"):
            observed = str((found.get("status") or {}).get("observedGeneration"))
            if observed != str(found["metadata"]["generation"]):
                return False
        have = self._flat(found)
        return all(have.get(field) == value for field, value in want.items())
