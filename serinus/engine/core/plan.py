"""The planner's input (`Snapshot`) and output (`Plan`): plain serialisable values.

A decision can be stored, shown and replayed: `plan(snapshot)` depends on nothing else.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from serinus.api.analysis import AnalysisRun
from serinus.api.experiment import Experiment
from serinus.api.network import Ingress, Service
from serinus.api.rollout import Rollout
from serinus.api.workloads import Pod, PodEvent, ReplicaSet, Workload
from serinus.routing.router import GatewayState, ReadBack

Json = dict[str, Any]


class HeldWrite(msgspec.Struct, frozen=True, omit_defaults=True):
    """A write that is not retried before `until` (seconds since the epoch).

    `code`: of `wait_reasons.py`, `WriteRefused` or `FieldConflict`. `fields`: those of the write, as `held.fields_of`
    gives them; None: all writes of this verb to the object are held. `message`: a sentence for users. `reason`: the API
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
    """All objects that a decision about one Rollout may depend on, as the cache contains them.

    `replica_sets`: every ReplicaSet of the namespace that the Rollout owns or whose labels match its selector.
    `pods`: the pods owned by those. `services`, `ingresses`: those that the Rollout names (and the canary Ingresses
    that a router derives), by name; a missing one is absent. `objects`, whole: other router objects, by
    "Kind.group/name", and templates of analyses (nested ones too), by "Kind/name". `analysis_runs`: those that the
    Rollout owns, and others of a name that one of its own could get; `experiments` likewise. `workload`: the object of
    `workloadRef`, None when absent. `held`: writes that the API server refused, or that another writer undid. `served`:
    the version in use of each kind of other projects that the routers need, "" where the API server does not serve it.
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
    """Warnings about pods without another explanation, if a client read them. A controller does not watch Events."""
    served: dict[str, str] = {}
    unreadable: dict[str, str] = {}
    """Kind of router objects -> why they cannot be read, and the remedy, as a sentence."""
    read_back: dict[str, ReadBack] | None = None
    """The weights in force on load balancers, by name of the Ingress; None if the controller does not read them."""
    gateway: GatewayState | None = None
    """The state in force on the gateway of one machine; None if the controller does not read it."""

    @property
    def reads_gateways(self) -> bool:
        """Whether the controller reads which weights are in force."""
        return self.read_back is not None or self.gateway is not None


class Event(msgspec.Struct, frozen=True):
    """A Kubernetes Event about the Rollout.

    `after`: how many of the plan's actions were decided before it; None: with its own action, or last. It affects only
    the order of Events.
    """

    reason: str
    message: str
    type: Literal["Normal", "Warning"] = "Normal"
    after: int | None = None


class Action(msgspec.Struct, frozen=True, omit_defaults=True):
    """One write. `because` is a sentence for users.

    create: `body` is the object. patch: `body` is a JSON merge patch. delete: background propagation. evict: of a pod.
    `uid` and `resource_version` are preconditions: the write fails with a conflict when the object is another or newer.
    `events` are recorded at the end of the pass, if the write has succeeded. A create that finds the object
    (AlreadyExists) counts as done. So does a delete, an evict or a patch of a Pod that does not find it. A refused
    eviction (429) is skipped.
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
    beside: str = ""
    """`KIND/NAME` of the action before it if both may be sent at once: each is safe without the other."""


class PluginCall(msgspec.Struct, frozen=True, omit_defaults=True):
    """One call of a step plugin, made after the writes. The status stores its answer (`step_plugins.answered`).

    `index`: of the step. `known`: the plugin's last answer, None at first. `config`: the step's.
    """

    index: int
    name: str
    operation: Literal["Run", "Terminate", "Abort"]
    because: str
    config: Json | None = None
    known: Json | None = None


class Wait(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why the Rollout does not continue. `reason`: a code of `wait_reasons.py`. Times are seconds since the epoch.

    `cause`: Kubernetes' reason why the awaited pods are not ready, such as `ImagePullBackOff`; "" if unknown.
    """

    reason: str
    message: str
    since: float | None = None
    until: float | None = None
    next: str = ""
    cause: str = ""


class Plan(msgspec.Struct, frozen=True, omit_defaults=True):
    """The writes, in order. The first failure ends the pass; the next pass plans from the observed state.

    `actions` come first, then `status` (a JSON merge patch of the Rollout's /status, with the observed resourceVersion
    as precondition). The Events of both follow in the order of `event_order.ordered`. `calls` come last; their answers
    cause a second write of the status. `requeue_at`: when the next pass starts without an event (seconds since the
    epoch).
    """

    actions: tuple[Action, ...] = ()
    status: Json | None = None
    status_because: str = ""
    events: tuple[Event, ...] = ()
    requeue_at: float | None = None
    waits: tuple[Wait, ...] = ()
    calls: tuple[PluginCall, ...] = ()
    facts: tuple[str, ...] = ()
    """Sentences for users about observed objects that nothing waits for."""
