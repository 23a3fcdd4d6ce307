"""The effects of a controller start on each Rollout, by simulation with the planner. Pure.

A first pass often writes only a status or an annotation, and the next pass continues from there. Such writes are
applied to the snapshot, and planning repeats. It stops when a write would change pods, traffic or an analysis, or when
no write is left.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar, cast

import msgspec
from msgspec import structs

from serinus.api.analysis import AnalysisRun
from serinus.api.experiment import Experiment
from serinus.api.network import Service
from serinus.api.rollout import Rollout
from serinus.api.workloads import Pod, ReplicaSet
from serinus.engine.core import wait_reasons
from serinus.engine.core.builder import patched
from serinus.engine.core.plan import Action, Plan, Snapshot
from serinus.engine.planner import plan

Json = dict[str, Any]
T = TypeVar("T", Rollout, ReplicaSet, Pod, Service, AnalysisRun, Experiment)
Change = Literal["pods", "traffic", "analyses", "objects", "metadata", "status"]
ORDER: tuple[Change, ...] = ("pods", "traffic", "analyses", "objects", "metadata", "status")
"""Most important first."""
SERVING: frozenset[Change] = frozenset({"pods", "traffic"})
HARMLESS: frozenset[Change] = frozenset({"objects", "metadata", "status"})
REFUSED = frozenset(
    reason.code for reason in (wait_reasons.INVALID, wait_reasons.WAITING_FOR_REFERENCE, wait_reasons.ROUTING_FAILED)
)
"""Waits of a Rollout that the controller does not change."""
PASSES = 10
"""More passes would mean an endless loop."""


class TakeoverWrite(msgspec.Struct, frozen=True):
    verb: str
    kind: str
    name: str
    change: Change
    because: str


class Takeover(msgspec.Struct, frozen=True):
    """`changes`: the kinds of change, in the order of ORDER; empty without writes. `refused`: why the controller would
    not manage the Rollout, which its status records; "" otherwise.
    """

    namespace: str
    name: str
    changes: tuple[Change, ...]
    writes: tuple[TakeoverWrite, ...]
    refused: str = ""
    lost: bool = False
    """Whether it is refused although the present controller does not refuse it."""

    @property
    def serving(self) -> bool:
        """Whether pods or traffic would change."""
        return not SERVING.isdisjoint(self.changes)


def takeover(snapshot: Snapshot) -> Takeover:
    meta = snapshot.rollout.metadata
    known = any(c.type == "InvalidSpec" for c in snapshot.rollout.status.conditions)
    writes: list[TakeoverWrite] = []
    refused = ""
    for _ in range(PASSES):
        decided = plan(snapshot)
        refused = next((w.message for w in decided.waits if w.reason in REFUSED), "")
        now = _writes(snapshot, decided)
        writes += now
        if not now or any(write.change not in HARMLESS for write in now):
            break
        snapshot = _carried_out(snapshot, decided)
    planned: set[Change] = {write.change for write in writes}
    changes: tuple[Change, ...] = tuple(change for change in ORDER if change in planned)
    return Takeover(
        meta.namespace, meta.name, changes, tuple(dict.fromkeys(writes)), refused, bool(refused) and not known
    )


def _writes(snapshot: Snapshot, decided: Plan) -> list[TakeoverWrite]:
    writes = [TakeoverWrite(a.verb, a.kind, a.name, _change(snapshot, a), a.because) for a in decided.actions]
    # A plugin is the user's code: its effects are unknown.
    writes += [TakeoverWrite("call", "plugin", call.name, "analyses", call.because) for call in decided.calls]
    if decided.status is not None:
        name = snapshot.rollout.metadata.name
        writes.append(TakeoverWrite("patch", "Rollout", f"{name}/status", "status", decided.status_because))
    return writes


def _change(snapshot: Snapshot, action: Action) -> Change:
    if action.kind == "ReplicaSet":
        return _change_of_set(snapshot, action)
    if action.kind == "Pod":
        return "metadata" if action.verb == "patch" else "pods"
    if action.kind == "AnalysisRun":
        return "objects" if action.verb == "delete" else "analyses"
    if action.kind == "Experiment":
        return "objects" if action.verb == "delete" else "pods"
    if action.kind == "Rollout":
        return "metadata"
    spec = action.verb != "patch" or "spec" in action.body
    if action.kind in ("Deployment", "Service"):
        return ("pods" if action.kind == "Deployment" else "traffic") if spec else "metadata"
    return "traffic"  # Ingresses and other router objects, where an annotation can be a weight


def _change_of_set(snapshot: Snapshot, action: Action) -> Change:
    known = next((rs for rs in snapshot.replica_sets if rs.metadata.name == action.name), None)
    if action.verb == "create" or known is None:
        return "pods"
    if action.verb == "delete":
        return "pods" if known.spec.replicas or known.status.replicas else "objects"
    size = (action.body.get("spec") or {}).get("replicas")
    return "metadata" if size in (None, known.spec.replicas) else "pods"


def _carried_out(snapshot: Snapshot, decided: Plan) -> Snapshot:
    """The snapshot after the harmless writes of a plan."""
    patches = {(a.kind, a.name): a.body for a in decided.actions if a.verb == "patch"}
    gone = {(a.kind, a.name) for a in decided.actions if a.verb == "delete"}

    def after(kind: str, obj: T) -> T:
        body = patches.get((kind, obj.metadata.name))
        return msgspec.convert(_merged(msgspec.to_builtins(obj), body), type(obj)) if body else obj

    def left(kind: str, objects: tuple[T, ...]) -> tuple[T, ...]:
        return tuple(after(kind, obj) for obj in objects if (kind, obj.metadata.name) not in gone)

    rollout = snapshot.rollout
    status = patched(rollout.status, decided.status)
    return structs.replace(
        snapshot,
        rollout=structs.replace(after("Rollout", rollout), status=status),
        replica_sets=left("ReplicaSet", snapshot.replica_sets),
        pods=left("Pod", snapshot.pods),
        services={name: after("Service", service) for name, service in snapshot.services.items()},
        analysis_runs=left("AnalysisRun", snapshot.analysis_runs),
        experiments=left("Experiment", snapshot.experiments),
    )


def _merged(value: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    result: Json = dict(cast(Json, value)) if isinstance(value, dict) else {}
    for key, change in cast(Json, patch).items():
        if change is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), change)
    return result
