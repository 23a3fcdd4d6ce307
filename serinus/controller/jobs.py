"""Wakes an AnalysisRun when its Job ends, so that a verdict does not wait for the next poll.

Jobs are watched only after a first metric needs one. Without Job metrics the controller needs no right to read Jobs.
Without that right the provider still polls (spec/analysis.md §4, job).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

import msgspec

from serinus.analysis.providers.job import UID, measured_by
from serinus.analysis.resolution import Resolved
from serinus.api.meta import ObjectMeta
from serinus.api.resources import JOBS
from serinus.kube.client import Client
from serinus.kube.clock import Clock
from serinus.kube.informer import Informer, Key


class _Condition(msgspec.Struct):
    type: str = ""
    status: str = ""


class _Status(msgspec.Struct):
    conditions: list[_Condition] = []


class _Job(msgspec.Struct):
    """The fields of a Job that identify its owner and show whether it has ended."""

    metadata: ObjectMeta
    status: _Status = msgspec.field(default_factory=_Status)

    def ended(self) -> bool:
        return any(c.status == "True" and c.type in ("Complete", "Failed") for c in self.status.conditions)


class JobWatcher:
    """Calls `ended(run, metric)` when the Job of a measurement ends.

    `client`: of the cluster that runs the Jobs. `namespace`: their namespace, "" for all.
    """

    def __init__(
        self,
        client: Client,
        clock: Clock,
        rng: Random,
        *,
        namespace: str,
        ended: Callable[[Key, str], None],
    ) -> None:
        self._client, self._clock, self._rng, self._ended = client, clock, rng, ended
        self._namespace, self._needed = namespace, asyncio.Event()

    def need(self, metrics: Resolved) -> None:
        """Starts the watch if a Job measures one of the metrics."""
        if any("job" in m.metric.provider for m in metrics.metrics):
            self._needed.set()

    async def run(self) -> None:
        """Runs the watch once it is needed, until cancelled."""
        await self._needed.wait()
        rng = Random(self._rng.random())
        jobs = Informer(self._client, JOBS, _Job, namespace=self._namespace, labels=UID, clock=self._clock, rng=rng)
        jobs.on_change(self._changed)
        await jobs.run()

    def _changed(self, old: _Job | None, new: _Job | None) -> None:
        if new is None or not new.ended() or (old is not None and old.ended()):
            return
        whose = measured_by(new.metadata.annotations)
        if whose is not None:
            namespace, run, metric = whose
            self._ended((namespace, run), metric)
