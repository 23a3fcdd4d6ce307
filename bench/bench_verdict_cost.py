"""The CPU of a look of a sequential verdict beside that of a web metric, in one process and in turns.

    bench_verdict_cost.py [RUNS] [LOOKS]             500 runs and 20 looks of each kind by default
    bench_verdict_cost.py --controller [SECONDS]     a whole controller with 500 runs of one kind; the kinds take turns, three times

A measurement is all that the controller does for it, from the due task to the patch of the status as JSON. It sends one HTTP
request to a monitoring system in another process. The write itself is left out; `--controller` includes it, with the watch
of the written object. The kinds take turns, and CPU is that of this process, so other load of the machine strikes all
alike. Prints a line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from functools import partial
from statistics import median
from typing import Any, cast

import msgspec
from bench_analysis import HERE, INTERVAL, endless, process

from serinus.analysis.providers.http.client import Http
from serinus.analysis.providers.measuring import measure
from serinus.analysis.providers.provider import Cluster, ProviderContext
from serinus.analysis.resolution import resolve
from serinus.analysis.run_status import assess
from serinus.analysis.schedule import tasks
from serinus.analysis.sequential.metric import PLUGIN
from serinus.api.analysis import AnalysisRun, AnalysisRunSpec
from serinus.api.meta import ObjectMeta
from serinus.engine.core.builder import difference, settled

START = 1_790_000_000.0
WARM_UP = 3
"""Looks that are not counted."""
TURNS = 3
AT_ONCE = 20
"""Runs that are due at the same moment."""
PATHS = {side: {name: f"{{$.{side}.{name}}}" for name in ("requests", "errors")} for side in ("canary", "stable")}
RARE = {"falseAbort": 1e-300, "falsePass": 1e-300}
"""No verdict ends a run."""
CONDITION = "result.canary.errors * result.stable.requests <= 20 * result.stable.errors * result.canary.requests + 4000"
KINDS: tuple[str, ...] = ("web, one number", "web, four numbers", "sequential verdict")


def metric_of(kind: str, url: str) -> dict[str, Any]:
    if kind == "sequential verdict":
        counts = {"web": {"url": url}, **PATHS}
        return {"provider": {"plugin": {PLUGIN: {"counts": counts, **RARE}}}}
    if kind == "web, one number":
        web = {"url": url, "jsonPath": "{$.canary.errors}"}
        return {"successCondition": "result <= 20", "provider": {"web": web}}
    return {"successCondition": CONDITION, "provider": {"web": {"url": url}}}


def spec_of(kind: str, number: int, url: str) -> dict[str, Any]:
    """The spec of an AnalysisRun."""
    where = f"{url}/counts?run={kind.replace(', ', '-').replace(' ', '-')}-{number}&metric=0"
    return {"metrics": [{"name": "errors", "interval": f"{INTERVAL:.0f}s", **metric_of(kind, where)}]}


class Run:
    """One AnalysisRun, between two looks."""

    def __init__(self, kind: str, number: int, url: str) -> None:
        meta = ObjectMeta(name=f"run-{number}", namespace="default", uid=f"{kind} {number}")
        self.run = AnalysisRun(meta, msgspec.convert(spec_of(kind, number, url), AnalysisRunSpec))
        self.resolved = resolve(self.run.spec, {})
        self.due: dict[str, float] = {}
        self.now = START

    async def look(self, http: Http) -> int:
        """Bytes of the patch."""
        todo = tasks(self.run, self.resolved, self.now, self.due)
        found = await measure(self.run, todo, ProviderContext(http, cast(Cluster, None), lambda: self.now))
        assessed = assess(self.run, self.resolved, found, self.now, self.due)
        patch = msgspec.json.encode(difference(settled(self.run.status), settled(assessed.status)))
        self.run, self.due = msgspec.structs.replace(self.run, status=assessed.status), dict(assessed.due)
        assert assessed.next is not None, self.run.status.message
        self.now = max(self.now, assessed.next)
        return len(patch)


async def measured(url: str, count: int, looks: int) -> dict[str, Any]:
    runs = {kind: [Run(kind, number, url) for number in range(count)] for kind in KINDS}
    spent, size = dict.fromkeys(KINDS, 0.0), dict.fromkeys(KINDS, 0)
    async with Http() as http:
        for turn in range(looks + WARM_UP):
            for kind, own in runs.items():
                began = time.process_time()
                for first in range(0, count, AT_ONCE):
                    sizes = await asyncio.gather(*(run.look(http) for run in own[first : first + AT_ONCE]))
                    size[kind] = sizes[-1]
                if turn >= WARM_UP:
                    spent[kind] += time.process_time() - began
    cost = {kind: spent[kind] / looks / count for kind in KINDS}
    ratios = {f"over {kind}": round(cost[KINDS[-1]] / cost[kind], 2) for kind in KINDS[:-1]}
    return {"cpu_ms": {kind: round(1000 * one, 3) for kind, one in cost.items()}, **ratios, "patch_bytes": size}


def controller(seconds: float) -> dict[str, Any]:
    """CPU of a controller for one measurement, with the write of the status and its event of the watch.

    The median of several controllers of each kind, and the ratio of verdicts to the other kinds in each turn.
    """

    def run_of(kind: str, number: int, url: str) -> dict[str, Any]:
        meta = {"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun", "metadata": {"name": f"run-{number}"}}
        return {**meta, "spec": spec_of(kind, number, url)}

    cost: dict[str, list[float]] = {kind: [] for kind in KINDS}
    loads: list[float] = []
    for turn in range(TURNS):
        for kind in KINDS[:: 1 if turn % 2 else -1]:
            found = endless(seconds, partial(run_of, kind))
            cost[kind].append(found["cpu_ms_a_measurement"])
            loads.append(found["load_average"])
    verdicts = cost[KINDS[-1]]
    ratios = {f"over {k}": [round(a / b, 2) for a, b in zip(verdicts, cost[k], strict=True)] for k in KINDS[:-1]}
    medians = {kind: median(values) for kind, values in cost.items()}
    return {"cpu_ms": medians, **ratios, "load averages": loads}


def main() -> None:
    if sys.argv[1:2] == ["--controller"]:
        print(json.dumps({"controller": controller(float(sys.argv[2]) if len(sys.argv) > 2 else 60.0)}), flush=True)
        return
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    looks = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    with process(sys.executable, str(HERE / "monitoring.py")) as (_, said):
        found = asyncio.run(measured(said.split()[-1], count, looks))
    print(json.dumps({"runs": count, "looks": looks, **found}), flush=True)


if __name__ == "__main__":
    main()
