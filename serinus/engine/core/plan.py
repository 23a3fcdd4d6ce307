"""What the planner reads (`Snapshot`) and what it answers (`Plan`): plain serialisable values.

A decision can be written down, shown and replayed: `plan(snapshot)` is a function of nothing else.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from serinus.api.analysis import AnalysisRun
from serinus.api.experiment import Experiment
from serinus.api.network import Ingress, Service
from serinus.api.rollout import Rollout
from serinus.api.workloads import Pod, PodEvent, ReplicaSet, Workload
from serinus.routing.router import ReadBack

Json = dict[str, Any]


class HeldWrite(msgspec.Struct, frozen=True, omit_defaults=True):
    """A write that is not tried again before `until` (seconds since the epoch).

    `code`: of `wait_reasons.py`, `WriteRefused` or `FieldConflict`. `fields`: those of the write, as `held.fields_of` gives them;
    None: all writes of this verb to the object are held back. `message`: a sentence for people. `reason`: the API
    server's, such as `Invalid`.
    """

    code: str
    verb: str
    kind: str
    name: str
    message: str
    until: float
    fields: frozenset[str] | None = None
    reason: str = ""


class Snapshot(msgspec.Struct, frozen=True):
    """Everything that a decision about one Rollout may depend on, as the cache has it.

    `replica_sets`: every ReplicaSet of the namespace that the Rollout owns or whose labels match its selector.
    `pods`: the pods owned by those. `services`, `ingresses`: those that the Rollout names (and the canary Ingresses that
    a router derives), by name; a missing one is absent. `objects`, whole: other router objects, by "Kind.group/name", and
    templates of analyses (nested ones too), by "Kind/name". `analysis_runs`: those that the Rollout owns, and others of a name
    that one of its own could get; `experiments` likewise. `workload`: what `workloadRef` names, None when absent. `held`:
    writes that the API server refused, or that another writer undoes, a moment ago. `served`: the version in use of each kind
    of other projects that the routers need, "" where the API server does not serve it.
    """

    now: float
    """Seconds since the epoch."""
    rollout: Rollout
    replica_sets: tuple[ReplicaSet, ...] = ()
    pods: tuple[Pod, ...] = ()
    services: dict[str, Service] = {}
    ingresses: dict[str, Ingress] = {}
    objects: dict[str, Json] = {}
    analysis_runs: tuple[AnalysisRun, ...] = ()
    experiments: tuple[Experiment, ...] = ()
    workload: Workload | None = None
    held: tuple[HeldWrite, ...] = ()
    pod_events: tuple[PodEvent, ...] = ()
    """Warnings about pods that nothing else explains, where somebody asked for them. A controller does not watch Events."""
    served: dict[str, str] = {}
    read_back: dict[str, ReadBack] | None = None
    """What load balancers have in force, by name of the Ingress; None where the controller reads nothing back."""


class Event(msgspec.Struct, frozen=True):
    """A Kubernetes Event about the Rollout.

    `after`: how many of the plan's actions were decided before it; None: with the action that it belongs to, or last. Only
    the order of Events follows from it.
    """

    reason: str
    message: str
    type: Literal["Normal", "Warning"] = "Normal"
    after: int | None = None


class Action(msgspec.Struct, frozen=True, omit_defaults=True):
    """One write. `because` is a sentence for people.

    create: `body` is the object. patch: `body` is a JSON merge patch. delete: background propagation. evict: of a pod.
    `uid` and `resource_version` are preconditions: the write fails with a conflict when the object is another or newer.
    `events` are told at the end of the pass, if the write has succeeded. A create that finds the object (AlreadyExists) and
    a delete, an evict or a patch of a Pod that does not find it count as done; an eviction that is refused (429) is skipped.
    """

    verb: Literal["create", "patch", "delete", "evict"]
    kind: str
    name: str
    because: str
    body: Json = {}
    subresource: str = ""
    uid: str = ""
    resource_version: str = ""
    events: tuple[Event, ...] = ()


class PluginCall(msgspec.Struct, frozen=True, omit_defaults=True):
    """One call of a step plugin, to be made after the writes; its answer goes into the status (`step_plugins.answered`).

    `index`: of the step. `known`: what the plugin said last time, None at first. `config`: as the step has it.
    """

    index: int
    name: str
    operation: Literal["Run", "Terminate", "Abort"]
    because: str
    config: Json | None = None
    known: Json | None = None


class Wait(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why nothing more happens now. `reason` is a stable code of `wait_reasons.py`; times are seconds since the epoch.

    `cause`: what keeps the pods that are waited for from being ready, as Kubernetes spells it; "" where that is not known.
    """

    reason: str
    message: str
    since: float | None = None
    until: float | None = None
    next: str = ""
    cause: str = ""


class Plan(msgspec.Struct, frozen=True, omit_defaults=True):
    """What to do, in order; the first failure ends the pass and the next one plans anew from what is observed.

    `actions` come first, then `status` (a JSON merge patch of the Rollout's /status, with the seen resourceVersion as
    precondition), then the Events of both in the order of `event_order.ordered`, then `calls`, whose answers make a second
    write of the status. `requeue_at`: when to look again without an event (seconds since the epoch).
    """

    actions: tuple[Action, ...] = ()
    status: Json | None = None
    status_because: str = ""
    events: tuple[Event, ...] = ()
    requeue_at: float | None = None
    waits: tuple[Wait, ...] = ()
    calls: tuple[PluginCall, ...] = ()
