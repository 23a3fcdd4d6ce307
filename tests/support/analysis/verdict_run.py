"""Runs an AnalysisRun with a sequential metric with the real providers: a clock that jumps to the next due time."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from serinus.analysis.errors import AnalysisProblem
from serinus.analysis.phases import COMPLETED
from serinus.analysis.providers import registry, sequential
from serinus.analysis.providers.http.client import Http
from serinus.analysis.providers.measuring import measure
from serinus.analysis.providers.provider import ProviderContext
from serinus.analysis.resolution import resolve
from serinus.analysis.run_status import assess, failed
from serinus.analysis.schedule import tasks
from serinus.analysis.sequential.metric import PLUGIN
from serinus.api.analysis import AnalysisRun, AnalysisRunSpec, Measurement
from serinus.api.meta import ObjectMeta


def metric(counts: Mapping[str, Any], *, count: int = 40, interval: str = "30s", **settings: Any) -> dict[str, Any]:
    config = {"counts": counts, **settings}
    return {"name": "errors", "interval": interval, "count": count, "provider": {"plugin": {PLUGIN: config}}}


@dataclass
class VerdictRun:
    """`looked`: called before each measurement with the number of the look, from 0."""

    http: Http
    cluster: Any
    metric: dict[str, Any]
    now: float
    looked: Callable[[int], None] = lambda _: None
    forgets: bool = False
    """Every pass runs as in a controller that has just started."""
    weight: float | None = None
    """In force, from 0 to 1."""
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    values: list[Any] = field(default_factory=list[Any])

    def __post_init__(self) -> None:
        spec = msgspec.convert({"metrics": [self.metric], **self.extra}, AnalysisRunSpec)
        self.run = AnalysisRun(ObjectMeta(name="run", namespace="ns", uid="u"), spec)

    async def play(self, turns: int = 60) -> AnalysisRun:
        due: Mapping[str, float] = {}
        for _ in range(turns):
            if self.forgets:
                sequential.PROVIDER = sequential.SequentialVerdicts()
                registry.loaded.cache_clear()
            try:
                resolved = resolve(self.run.spec, {})
            except AnalysisProblem as problem:
                self.run = msgspec.structs.replace(self.run, status=failed(self.run, str(problem)).status)
                break
            todo = tasks(self.run, resolved, self.now, due)
            if todo:
                self.looked(len(self.values))
            reach = ProviderContext(self.http, self.cluster, lambda: self.now, weight_of=lambda _: self.weight)
            found = await measure(self.run, todo, reach)
            assessed = assess(self.run, resolved, found, self.now, due)
            self.run, due = msgspec.structs.replace(self.run, status=assessed.status), assessed.due
            if todo and self.last.value:
                self.values.append(json.loads(self.last.value))
            if self.run.status.phase in COMPLETED or assessed.next is None:
                break
            self.now = max(self.now, assessed.next)
        return self.run

    @property
    def last(self) -> Measurement:
        return self.run.status.metric_results[0].measurements[-1]
