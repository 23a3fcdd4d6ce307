"""One pass over an Experiment: its input, the new status, and the planned writes."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import msgspec

from serinus.analysis.expansion import Room
from serinus.analysis.phases import COMPLETED, ERROR, FAILED, INCONCLUSIVE, PENDING, RUNNING, SUCCESSFUL
from serinus.analysis.templates import Templates
from serinus.api.analysis import AnalysisRun
from serinus.api.experiment import Experiment, ExperimentStatus
from serinus.api.meta import Json
from serinus.api.names import HASH
from serinus.api.network import Service
from serinus.api.values.durations import go_duration
from serinus.api.values.times import parse_time
from serinus.api.workloads import Pod, ReplicaSet
from serinus.engine.core import wait_reasons
from serinus.engine.core.analysis_runs import templates_of
from serinus.engine.core.held_writes import find_held, words_of
from serinus.engine.core.plan import Action, Event, HeldWrite

PROGRESSING = "Progressing"
MOST_A_PASS = 4_000_000
"""Characters of the AnalysisRuns that one pass makes, about; the others follow in the next one."""
ORDER = (SUCCESSFUL, RUNNING, PROGRESSING, PENDING, INCONCLUSIVE, ERROR, FAILED)
"""From the best to the worst, for templates and analyses alike."""


class ExperimentSnapshot(msgspec.Struct, frozen=True):
    """All objects that a decision about one Experiment may depend on.

    `replica_sets`, `analysis_runs`: those it owns, and others whose names its own could get. `services`: by name, those
    that it created or needs. `objects`: templates of analyses by "Kind/name". `others`: by uid, further Experiments
    that own such a ReplicaSet or Service. `held`: writes that the API server refused, or that another writer undid.
    `pods`: those of its ReplicaSets.
    """

    now: float
    experiment: Experiment
    replica_sets: tuple[ReplicaSet, ...] = ()
    services: dict[str, Service] = {}
    analysis_runs: tuple[AnalysisRun, ...] = ()
    objects: dict[str, Json] = {}
    others: dict[str, Experiment] = {}
    held: tuple[HeldWrite, ...] = ()
    pods: tuple[Pod, ...] = ()
    with_weight: frozenset[str] = frozenset()
    """Services of experiments to which the routers of its Rollout lead requests, by the Rollout's status."""


class Planned(NamedTuple):
    """The result of planning a write. `refused`: the API server's message if it refused the write."""

    planned: bool = True
    refused: str = ""


class Trial:
    """One pass over an Experiment: the new status and the planned writes."""

    def __init__(self, snapshot: ExperimentSnapshot) -> None:
        self.snapshot, self.now = snapshot, snapshot.now
        self.experiment, self.spec = snapshot.experiment, snapshot.experiment.spec
        self.stored = snapshot.experiment.status
        self.status = msgspec.convert(msgspec.to_builtins(self.stored), ExperimentStatus)
        self.status.conditions = [c for c in self.status.conditions if c.type != wait_reasons.SET_ASIDE.code]
        self.sets = {rs.metadata.name: rs for rs in reversed(snapshot.replica_sets)}
        self.runs = {run.metadata.name: run for run in reversed(snapshot.analysis_runs)}
        """By name."""
        self.room = Room("AnalysisRuns of one pass", MOST_A_PASS)
        self.actions: list[Action] = []
        self.events: list[Event] = []
        self.held: list[HeldWrite] = []
        """Held writes that this pass leaves out."""
        self.requeue_at: float | None = None

    @cached_property
    def templates(self) -> tuple[Templates, Templates]:
        """(templates of analyses of the namespace, of the cluster), by name."""
        return templates_of(self.snapshot.objects)

    @cached_property
    def arms(self) -> dict[str, tuple[str, str]]:
        """Template → (hash, name) of its ReplicaSet, if that exists."""
        return {
            status.name: (rs.metadata.labels.get(HASH, ""), rs.metadata.name)
            for status in self.status.template_statuses
            if (rs := self.sets.get(f"{self.name}-{status.name}")) is not None
        }

    @property
    def name(self) -> str:
        return self.experiment.metadata.name

    @property
    def owner(self) -> Json:
        meta = self.experiment.metadata
        return {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Experiment",
            "name": meta.name,
            "uid": meta.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }

    def act(self, action: Action) -> Planned:
        """Plan a write, unless it is held."""
        held = find_held(action, self.snapshot.held, self.now)
        if held is None:
            self.actions.append(action)
            return Planned()
        self.held.append(held)
        self.requeue(held.until)
        return Planned(False, words_of(held) if held.code == wait_reasons.REFUSED.code else "")

    def record_event(self, reason: str, message: str, *, warning: bool = False) -> None:
        self.events.append(Event(reason, message, "Warning" if warning else "Normal"))

    def requeue(self, at: float) -> None:
        if self.requeue_at is None or at < self.requeue_at:
            self.requeue_at = at

    def ends_at(self) -> float | None:
        """When the duration ends; None without a duration, or before it has begun."""
        begun = parse_time(self.status.available_at)
        return begun + go_duration(self.spec.duration) if begun is not None and self.spec.duration else None

    def terminating(self) -> bool:
        """Whether the spec or the stored status ends the Experiment: nothing starts, and running parts end."""
        stored = self.stored
        required = {a.name for a in self.spec.analyses if a.required_for_completion}
        needed = [run for run in stored.analysis_runs if run.name in required]
        return (
            self.spec.terminate
            or stored.phase in COMPLETED
            or any(t.status in (FAILED, ERROR) for t in stored.template_statuses)
            or any(run.phase in (FAILED, ERROR, INCONCLUSIVE) for run in stored.analysis_runs)
            or (bool(needed) and all(run.phase == SUCCESSFUL for run in needed))
        )


def worst(phases: list[str]) -> str:
    """The worst of these phases; "" of none."""
    return max(phases, key=lambda p: ORDER.index(p) if p in ORDER else -1, default="")
