"""The past that promises about verdicts need: measurements that were counted, verdicts that were reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from serinus.analysis.phases import COMPLETED
from serinus.api.names import HASH
from tests.sim.history import NAME
from tests.sim.store import Change, Json
from tests.sim.world import USER, World

KINDS = {
    "currentBackgroundAnalysisRunStatus": "Background",
    "currentStepAnalysisRunStatus": "Step",
    "prePromotionAnalysisRunStatus": "PrePromotion",
    "postPromotionAnalysisRunStatus": "PostPromotion",
}
"""Field of the Rollout's status → `rollout-type` of the runs that it names."""

COMMANDS = ("abort", "promoteFull", "pauseConditions", "currentStepIndex", "abortedAt")
"""The status fields that a user writes to change the course of an update."""


@dataclass(frozen=True)
class Judged:
    """A verdict that is not good."""

    what: str
    pod_hash: str
    phase: str
    at: float
    cut_short: bool
    """A user had terminated it."""


class Ledger:
    def __init__(self, world: World) -> None:
        self.world = world
        self.counted: dict[str, tuple[str, str]] = {}
        """By the number of an answer, or the name of a Job: (uid of the run, metric) where it was counted."""
        self.versions: dict[str, str] = {}
        """By name of a run or Experiment: the hash that it judges."""
        self.successes: set[tuple[str, str, str]] = set()
        """(hash, rollout-type, step-index) of the Successful verdicts, and ("Experiment") of Experiments."""
        self.judged: dict[str, Judged] = {}
        """By name of the run or Experiment."""
        self.heard: set[str] = set()
        """Those of them that the Rollout named while they were there: they counted."""
        self.was_stable: set[str] = set()
        self.first_led: set[str] = set()
        """Versions that the active Service selected when it selected none before: no serving version to compare with."""
        self.commanded = float("-inf")
        """When a user last wrote a field that changes the course of an update."""

    def remember(self, change: Change) -> None:
        if change.plural == "analysisruns":
            self._run(change)
        elif change.plural == "experiments":
            self._verdict(change, use="Experiment")
        elif change.plural == "rollouts":
            self._rollout(change)

    def _run(self, change: Change) -> None:
        new = change.new
        if new is None:
            return
        status: Json = new.get("status") or {}
        for result in status.get("metricResults", []):
            for measurement in result.get("measurements", []):
                if said := source_of(measurement):
                    self.counted.setdefault(said, (new["metadata"]["uid"], result["name"]))
        self._verdict(change, use=new["metadata"]["labels"].get("rollout-type", ""))

    def _verdict(self, change: Change, *, use: str) -> None:
        new = change.new
        if new is None:
            return
        labels: Json = new["metadata"].get("labels") or {}
        pod_hash = labels.get(HASH, "")
        self.versions.setdefault(change.name, pod_hash)
        before, phase = phase_of(change.old), phase_of(new)
        if phase not in COMPLETED or before == phase:
            return
        if phase == "Successful":
            self.successes.add((pod_hash, use, labels.get("step-index", "")))
        else:
            cut_short = bool(new["spec"].get("terminate"))
            self.judged[change.name] = Judged(f"{use} {change.name}", pod_hash, phase, self.world.loop.at, cut_short)
            self._hear(self.world.status)

    def _hear(self, status: Json) -> None:
        if not status.get("abort"):
            named = {*named_runs(status).values(), (status.get("canary") or {}).get("currentExperiment", "")}
            self.heard |= named & self.judged.keys()

    def _rollout(self, change: Change) -> None:
        old, new = change.old or {}, change.new or {}
        before, now = old.get("status") or {}, new.get("status") or {}
        if stable := now.get("stableRS"):
            self.was_stable.add(stable)
        active: str = (now.get("blueGreen") or {}).get("activeSelector", "")
        if active and not (before.get("blueGreen") or {}).get("activeSelector"):
            self.first_led.add(active)
        self._hear(now)
        spoken = any(before.get(key) != now.get(key) for key in COMMANDS)
        if change.new is None or change.old is None or (change.by == USER and (spoken or _course(old) != _course(new))):
            self.commanded = self.world.loop.at


def _course(rollout: Json) -> Any:
    """The fields of a spec that decide the course of an update."""
    spec = rollout.get("spec") or {}
    return spec.get("template"), spec.get("strategy"), spec.get("paused")


def phase_of(run: Json | None) -> str:
    """Of an AnalysisRun or Experiment; "" before it has one."""
    return ((run or {}).get("status") or {}).get("phase", "")


def named_runs(status: Json) -> dict[str, str]:
    """`rollout-type` → name of the run that counts now."""
    parts: Json = {**(status.get("canary") or {}), **(status.get("blueGreen") or {})}
    return {use: parts[key]["name"] for key, use in KINDS.items() if parts.get(key)}


def source_of(measurement: Json) -> str:
    """The number of the answer, or the name of the Job, that a finished measurement was made of; "" for an error."""
    if "finishedAt" not in measurement or measurement.get("phase") == "Error":
        return ""
    job: str = measurement.get("metadata", {}).get("job-name", "")
    value: str = measurement.get("value", "")
    if job or not value:
        return job
    if value.startswith("["):
        return value.strip("[]").split(",")[1]
    return value.partition('"number":')[2].strip("} ").split(",")[0]


def owned_by_rollout(obj: Json) -> bool:
    owners: list[Json] = obj["metadata"].get("ownerReferences") or []
    return any(o["kind"] == "Rollout" and o["name"] == NAME for o in owners)
