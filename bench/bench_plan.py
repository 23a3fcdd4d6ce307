"""The cost of one decision: `plan()` of one Rollout, in microseconds of processor time.

settled      nothing to do, the usual case: routed canary, basic canary, blue-green
mid-way      20 % at a pause; while pods come up; an abort that returns the traffic
limits       what the controller adds to each decision: limits of CPU time and memory (`serinus/controller/bounded.py`)
machine      a loop of Python that never changes: the speed of this machine at this moment, to compare runs by

Each number is the best of several runs of many calls, because other processes use the machine too. Snapshots are decoded once, as in
the cache. Every call gets the same snapshot, so values that follow from a spec alone are computed in the first run.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from serinus.controller.bounded import bounded
from serinus.engine.planner import plan
from tests.support.engine.world import World, release, rollout, routed, service

RUNS, CALLS = 9, 400
GOALS = {"settled": 60, "mid-way": 250}
"""Microseconds."""


def basic() -> World:
    none: dict[str, Any] = {
        "trafficRouting": None,
        "canaryService": "",
        "stableService": "",
        "scaleDownDelaySeconds": None,
    }
    world = World(rollout(replicas=5, steps=[{"setWeight": 20}, {"pause": {}}], **none))
    world.settle()
    return world


def blue_green() -> World:
    obj = rollout(replicas=3)
    obj["spec"]["strategy"] = {"blueGreen": {"activeService": "web", "previewService": "web-preview"}}
    world = World(service("web"), service("web-preview"), obj)
    world.settle()
    return world


def at_a_pause() -> World:
    world = routed(replicas=5)
    release(world, "green")
    world.settle()
    return world


def pods_coming() -> World:
    world = routed(replicas=5)
    release(world, "green")
    world.settle(ready=False)
    return world


def aborting() -> World:
    world = at_a_pause()
    world.patch("Rollout", "web", {"status": {"abort": True}})
    return world


def with_history(world: World, revisions: int = 10) -> World:
    """As many empty ReplicaSets of old revisions as are kept by default."""
    made = next(obj for (kind, _), obj in world.objects.items() if kind == "ReplicaSet")
    for i in range(revisions):
        old = copy.deepcopy(made)
        labels = {**made["metadata"]["labels"], "rollouts-pod-template-hash": f"old{i}"}
        notes = {"rollout.argoproj.io/revision": "0", "rollout.argoproj.io/desired-replicas": "1"}
        old["metadata"] |= {"name": f"web-old{i}", "uid": f"uid-of-old{i}", "labels": labels, "annotations": notes}
        old["spec"]["replicas"], old["status"] = 0, {"observedGeneration": 1}
        old["spec"]["template"]["spec"]["containers"][0]["image"] = f"argoproj/rollouts-demo:v{i}"
        world.objects["ReplicaSet", f"web-old{i}"] = old
    return world


def microseconds(call: Callable[[], object], calls: int = CALLS) -> float:
    return min(_run(call, calls) for _ in range(RUNS))


def _run(call: Callable[[], object], calls: int) -> float:
    begun = time.process_time()
    for _ in range(calls):
        call()
    return (time.process_time() - begun) / calls * 1e6


CASES: dict[str, tuple[str, Callable[[], World]]] = {
    "settled: routed canary": ("settled", lambda: routed(replicas=5)),
    "settled: routed canary, 10 old revisions": ("settled", lambda: with_history(routed(replicas=5))),
    "settled: basic canary": ("settled", basic),
    "settled: blue-green": ("settled", blue_green),
    "mid-way: 20 % at a pause": ("mid-way", at_a_pause),
    "mid-way: the canary's pods come up": ("mid-way", pods_coming),
    "mid-way: an abort takes the traffic back": ("mid-way", aborting),
}


def main() -> None:
    found: dict[str, Any] = {}
    for name, (kind, make) in CASES.items():
        snapshot = make().snapshot()
        answer = plan(snapshot)
        assert kind != "settled" or not (answer.actions or answer.status), f"{name}: {answer}"
        took = microseconds(partial(plan, snapshot))
        found[name] = round(took, 1)
        print(f"{name:45} {took:7.1f} µs   (goal: at most {GOALS[kind]})")
    for name, call in (("limits", partial(bounded, int)), ("machine", lambda: sum(range(1000)))):
        # Many calls: while a timer is set, the kernel's clock of processor time moves in steps.
        found[name] = round(microseconds(call, 10 * CALLS), 1)
        print(f"{name:45} {found[name]:7.1f} µs")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
