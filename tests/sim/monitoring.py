"""The monitoring system that analyses query, and the Jobs that they run: the result is a property of the image.

It replaces the network of providers (`Reach.http`), so the real providers `web` and `prometheus` query it, and acts as
the Job controller for the provider `job`. Every answer carries a number of its own, which the provider puts into the
measurement's value: it shows which answers were counted, and whether one was counted twice.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from random import Random
from typing import Any

import msgspec

from serinus.analysis.phases import COMPLETED
from serinus.analysis.providers.errors import ProviderError
from serinus.analysis.providers.http.client import Http, HttpResponse
from serinus.api.names import HASH
from tests.sim.history import History, image_of
from tests.sim.loop import Loop
from tests.sim.probes import SCORES, Probe, Trouble, Truth, probes, truth_of
from tests.sim.store import Change, Json, Store

JOBS = "job-controller"
PROBE, VERSION, OWNER = "sim/probe", "sim/version", "sim/owner"
"""Annotations by which a Job names its measurement."""


BROKEN = ("hangs", "down", "failing", "nonsense")
"""Troubles that leave the question without an answer."""


@dataclass(frozen=True)
class Given:
    """One answer: about which version, and the phase of the measurement that it makes."""

    probe: str
    version: str
    phase: str


class Monitoring:
    """`given`: by the number of the answer, or by the name of the Job."""

    def __init__(self, loop: Loop, store: Store, history: History) -> None:
        self.loop, self.store, self.seed = loop, store, history.seed
        self.rng = Random(f"monitoring {history.seed}")
        self.verdicts, self.probes = history.verdicts, probes(history.templates)
        self.given: dict[str, Given] = {}
        self.struck = 0
        self.images: dict[str, str] = {}
        """By hash."""
        self._numbers = 0
        self._troubles: list[tuple[Trouble, Random]] = []
        if history.templates:
            store.listeners.append(self._seen)

    def trouble(self, troubles: tuple[Trouble, ...]) -> None:
        """From now on these; their times count from now."""
        now = self.loop.at
        moved = [msgspec.structs.replace(t, at=t.at + now) for t in troubles]
        self._troubles = [(t, Random(f"{self.seed} {t}")) for t in moved]

    def truth(self, probe: Probe, version: str) -> Truth:
        image = self.images.get(version, "")
        found = truth_of(self.verdicts.get(image, "good"), probe.template)
        if found == "silent" and probe.kind == "job":
            return "bad"
        return "good" if found == "undecided" and not probe.both else found

    def over(self) -> float:
        """When the last of its troubles ends."""
        return max((t.at + t.length for t, _ in self._troubles), default=0.0)

    # Queries over HTTP

    async def answer(self, url: str, seconds: float) -> HttpResponse:
        parts = url.split("?")[0].split("/")
        owner, version, key = parts[3], parts[4], f"{parts[5]}/{parts[6]}"
        probe = self.probes[key]
        await asyncio.sleep(self.rng.uniform(0.01, 0.3))
        kind, trouble = self._strikes(probe)
        if kind == "slow" and trouble is not None:
            await asyncio.sleep(min(trouble.delay, seconds * 0.8))
        truth = self.truth(probe, version)
        if truth == "silent" and not probe.dry:
            return await self._broken(self.rng.choice(BROKEN), seconds, probe)
        if kind in BROKEN and self._bears(probe, owner, version, "Error"):
            self.struck += 1
            return await self._broken(kind, seconds, probe)
        says: str = truth if not probe.dry else self.rng.choice(tuple(SCORES))
        other = {"flaps": "bad" if truth == "good" else "good", "nan": "nan"}.get(kind, "")
        if other == "nan" and probe.kind == "web":
            other = ""
        if other and self._bears(probe, owner, version, probe.phase(other)):
            self.struck += 1
            says = other
        return self._say(probe, key, version, says)

    def _say(self, probe: Probe, key: str, version: str, says: str) -> HttpResponse:
        self._numbers += 1
        number = self._numbers
        self.given[str(number)] = Given(key, version, probe.phase(says))
        if probe.kind == "web":
            return HttpResponse(200, {}, json.dumps({"score": SCORES[says], "number": number}).encode())
        values = ["NaN" if says == "nan" else str(SCORES[says]), str(number)]
        result = [{"metric": {"row": str(i)}, "value": [0, value]} for i, value in enumerate(values)]
        return HttpResponse(
            200, {}, json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()
        )

    async def _broken(self, kind: str, seconds: float, probe: Probe) -> HttpResponse:
        if kind == "hangs":
            await asyncio.sleep(seconds)
            raise ProviderError(f"no answer within {seconds:g} s")
        if kind == "down":
            raise ProviderError("connection refused")
        if kind == "failing":
            return HttpResponse(503, {}, b"overloaded")
        empty = b'{"status":"success","data":{"resultType":"vector","result":[]}}'
        return HttpResponse(
            200, {}, self.rng.choice((b"<html>", b"null", empty if probe.kind == "prometheus" else b"NaN"))
        )

    def _strikes(self, probe: Probe) -> tuple[str, Trouble | None]:
        for trouble, rng in self._troubles:
            if trouble.at <= self.loop.at < trouble.at + trouble.length and rng.random() < trouble.rate:
                return trouble.kind, trouble
        return "", None

    def _bears(self, probe: Probe, owner: str, version: str, phase: str) -> bool:
        """Whether every run that may query this can accept such a measurement: judged by the written status, so that answers
        which a killed controller took with it do not count."""
        found = [r for r in self._runs(probe, owner, version) if (r.get("status") or {}).get("phase") not in COMPLETED]
        results = [result_of(run, probe.name) for run in found]
        truth = self.truth(probe, version)
        return bool(found) and all(probe.tolerates(phase, result, truth) for result in results)

    def _runs(self, probe: Probe, owner: str, version: str) -> list[Json]:
        return [
            run
            for run in self.store.all("analysisruns")
            if args_of(run) == {"owner": owner, "version": version, "template": probe.template}
        ]

    # Jobs

    def _seen(self, change: Change) -> None:
        if change.plural == "replicasets" and change.old is None and change.new is not None:
            self.images[change.new["metadata"]["labels"].get(HASH, "")] = image_of(change.new)
        elif change.plural == "jobs" and change.old is None and change.new is not None:
            kind, trouble = self._strikes(self.probes[change.new["metadata"]["annotations"][PROBE]])
            after = self.rng.uniform(0.5, 12.0) + (trouble.delay if kind == "slow" and trouble else 0.0)
            self.loop.call_later(after, self._job_ends, change.name, kind)

    def _job_ends(self, name: str, trouble: str) -> None:
        job = self.store.get("jobs", name)
        if job is None:
            return
        notes = job["metadata"]["annotations"]
        probe, version = self.probes[notes[PROBE]], notes[VERSION]
        says: str = self.truth(probe, version)
        other = "bad" if says == "good" else "good"
        if trouble == "flaps" and self._bears(probe, notes[OWNER], version, probe.phase(other)):
            self.struck += 1
            says = other
        self.given[name] = Given(notes[PROBE], version, probe.phase(says))
        condition = {"type": "Complete" if says == "good" else "Failed", "status": "True"}
        self.store.patch("jobs", name, {"status": {"conditions": [condition]}}, JOBS)


class Line(Http):
    """How providers of one controller reach the monitoring."""

    def __init__(self, monitoring: Monitoring) -> None:
        super().__init__()
        self._monitoring = monitoring

    async def request(self, method: str, url: str, *, seconds: float = 30.0, **_: Any) -> HttpResponse:  # type: ignore[override]
        return await self._monitoring.answer(url, seconds)


def args_of(run: Json) -> Json:
    return {arg["name"]: arg.get("value") for arg in run["spec"].get("args", [])}


def result_of(run: Json, metric: str) -> Json:
    """The metricResult of a run, empty where there is none yet."""
    results: list[Json] = (run.get("status") or {}).get("metricResults") or []
    return next((r for r in results if r["name"] == metric), {})
