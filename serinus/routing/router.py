"""The protocol of traffic routers: functions from desired traffic and the observed objects to writes. No I/O.

A router is one file of this folder with one class and the line `ROUTER = ThatClass()`. No other code names it. The
registry finds the file; validation, watches, rights, `doctor`, `lint`, the simulation and the plays use the registry.
docs/routers/adding.md has the steps.

A router is stateless: called again with its own writes applied, it writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Generic, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import structs

from serinus.api.network import Ingress
from serinus.api.resources import Resource
from serinus.api.rollout import CanaryStrategy, Rollout, SetHeaderRoute, SetMirrorRoute, WeightDestination
from serinus.api.served_kind import ServedKind, located
from serinus.api.validation.findings import Finding
from serinus.api.validation.routing_rules import Capabilities
from serinus.api.values.selectors import Selector

Json = dict[str, Any]
C = TypeVar("C", bound=msgspec.Struct)
Rule = tuple[str, tuple[str, ...], str]
"""A right that the controller needs: (API group, resources, verbs)."""

ANY = "*"
"""In place of an object's name: all objects of the kind in the namespace."""

FAILED = "failed to set weight via plugin"
"""The words of Argo Rollouts for an error of a router by plugin name. Users search for them."""


class Reference(NamedTuple):
    """An object that a Rollout's router reads or writes. It is watched, and its changes wake the Rollout.

    `kind`: "Ingress", or the key of a ServedKind. `name`: `NAME`, `NAMESPACE/NAME`, or ANY for a selection by labels,
    in which the router chooses with `Objects.matching`. `path`: the field that names a required object; if that is
    missing, the Rollout is InvalidSpec. "" if `route` reports the missing object. `made`: the router creates the
    object, so it may be missing.
    """

    kind: str
    name: str
    path: str = ""
    made: bool = False


class Traffic(msgspec.Struct, frozen=True):
    """The desired traffic of a Rollout. Weights are out of `max_weight`; `owner` is an ownerReference to the Rollout.

    `routes`: the header and mirror routes that exist now, in the order of precedence. `managed`: the names of all
    routes that the Rollout may ever have; a route in `managed` but not in `routes` is removed. With ping-pong,
    `canary_service` and `stable_service` are the two of the pair in their present roles. Hashes and ready pods are
    those of both versions. The canary's are of the version that its weight goes to; this is the replaced version until
    its weight is 0.
    """

    rollout: str
    namespace: str
    uid: str
    owner: Json
    canary: CanaryStrategy
    canary_service: str
    stable_service: str
    weight: int
    max_weight: int = 100
    canary_hash: str = ""
    stable_hash: str = ""
    routes: tuple[SetHeaderRoute | SetMirrorRoute, ...] = ()
    managed: tuple[str, ...] = ()
    additional: tuple[WeightDestination, ...] = ()
    """Services of a running experiment and their weights. The stable Service gets the rest."""
    additional_ports: dict[str, int] = {}
    """Name of such a Service -> its first port, if it has one."""
    canary_ready: int = 0
    stable_ready: int = 0
    shared_hash: str = ""
    """The version that has the canary's weight in the stored status; "" if none has."""
    stable_addresses: tuple[str, ...] = ()
    """IP addresses of the stable version's ready pods, if the controller reads a load balancer or a gateway."""
    now: float = 0.0
    """Seconds since the epoch."""

    @property
    def stable_weight(self) -> int:
        """The rest for the stable Service."""
        return max(0, self.max_weight - self.weight - sum(each.weight for each in self.additional))

    def all_stable(self) -> Traffic:
        """The same Rollout with all requests for the stable Service, and without routes."""
        return structs.replace(self, weight=0, routes=(), additional=())


class ReadBack(msgspec.Struct, frozen=True):
    """The state in force on the load balancer of an Ingress, as read from its provider.

    `version`: resourceVersion of the Ingress at the time of the read. `forwards`: for each listener rule, its Services
    and their weights. `targets`: Service -> addresses that get requests; None if they were not read. `error`: why
    nothing is known, as a sentence.
    """

    version: str = ""
    forwards: tuple[dict[str, int], ...] = ()
    targets: dict[str, tuple[str, ...]] | None = None
    error: str = ""


class GatewayState(msgspec.Struct, frozen=True):
    """The state in force on the gateway of one machine, for the Services of one namespace, as read from the gateway.

    `splits`: for each group of Services that share requests, Service -> weight. `servers`: Service -> addresses of the
    pods that get its requests. `error`: why nothing is known, as a sentence.
    """

    splits: tuple[dict[str, int], ...] = ()
    servers: dict[str, tuple[str, ...]] = {}
    error: str = ""


class Objects(msgspec.Struct, frozen=True):
    """The observed objects that the router's references name.

    `ingresses` are typed; `others` are whole, by `Kind.group/name`. They must not be changed: `writes.edited` copies.
    """

    namespace: str = ""
    """The Rollout's namespace."""
    ingresses: dict[str, Ingress] = {}
    others: dict[str, Json] = {}
    served: dict[str, str] = {}
    """Key of a kind -> its version in use; "" if the API server does not serve the kind."""
    read_back: dict[str, ReadBack] | None = None
    """By name of the Ingress; None if the controller reads nothing back."""
    gateway: GatewayState | None = None
    """None if the controller does not read the state of a gateway."""

    def get(self, kind: str, name: str) -> Json | None:
        return self.others.get(f"{kind}/{name}")

    def version(self, kind: ServedKind) -> str:
        """The version for writes of this kind."""
        return self.served.get(kind.key) or kind.versions[0]

    def is_served(self, kind: ServedKind) -> bool:
        return self.served.get(kind.key) != ""

    def matching(self, kind: str, selector: Selector, namespace: str = "") -> list[tuple[str, Json]]:
        """(name, object) of the selected objects, sorted by name. Default namespace: the Rollout's."""
        matching: list[tuple[str, Json]] = []
        for key, obj in sorted(self.others.items()):
            of, _, name = key.partition("/")
            if of == kind and located(name, self.namespace)[0] == (namespace or self.namespace):
                labels: dict[str, str] = obj["metadata"].get("labels") or {}
                matching += [(name, obj)] if selector.matches(labels) else []
        return matching


class Write(msgspec.Struct, frozen=True):
    """One change of an object. create: `body` is the object; patch: a merge patch of the version seen; delete: empty.

    `name` as in `Reference`. `reason` and `message` are of the Event after the write; "" for no Event.
    """

    verb: Literal["create", "patch", "delete"]
    kind: str
    name: str
    body: Json
    because: str
    reason: str = ""
    message: str = ""
    uid: str = ""
    resource_version: str = ""
    beside: str = ""
    """`KIND/NAME` of the write before it if both may be sent at once: each is safe without the other."""


class Notice(NamedTuple):
    """A Warning Event of the Rollout in addition to `error`, such as VirtualServiceNotFound."""

    reason: str
    message: str


class RouteResult(msgspec.Struct, frozen=True):
    """`error`: why the routing is impossible, naming object and field; `writes` is then empty."""

    writes: tuple[Write, ...] = ()
    error: str = ""
    notices: tuple[Notice, ...] = ()
    verified: bool | None = None
    """Whether the weight is observed to be in force once no writes are left; None if a router cannot verify it."""
    unverified: str = ""
    """The reason, as a sentence, if `verified` is False."""
    unverified_for: float | None = None
    """Seconds after which the wait for this reason ends: reports that have ended do not hold an update. None: never."""
    shared: str = ""
    """The shares that backends of others have beside the Rollout's, as a sentence; "" without any."""
    pending: str = ""
    """Why these writes do not reach the desired traffic yet, as a sentence. The weight counts as not written, and the
    next pass calls the router again."""
    again_after: float | None = None
    """Seconds until the next call if no object changes."""


class Router(Generic[C]):
    """One traffic router. A subclass sets the class variables and implements `references` and `route`."""

    key: ClassVar[str]
    """Its field of `trafficRouting`, or the plugin's name ("argoproj-labs/gatewayAPI")."""
    config: type[C]
    """The type of that field, parsed like `api/decoding/reading.py`: null is absent, unknown fields are dropped."""
    capabilities: ClassVar[Capabilities] = Capabilities()
    kinds: ClassVar[tuple[ServedKind | Resource, ...]] = ()
    """Kinds of the objects that it reads or writes."""
    permissions: ClassVar[tuple[Rule, ...]] = ()

    marked_kind: ClassVar[ServedKind | None] = None
    """Kind of the objects that the router marks with the name of their Rollout (annotation MANAGED_BY)."""

    def needs_services(self, config: C, canary: CanaryStrategy) -> bool:
        """Whether `canaryService` and `stableService` must be set."""
        return True

    def by_hash(self, config: C) -> bool:
        """Whether objects of the router select pods by the hash of their version, instead of by the two Services.

        A replaced version then releases its weight before another version gets it.
        """
        return False

    def validate(self, config: C, canary: CanaryStrategy, path: str) -> Iterator[Finding]:
        """Errors in the router's own fields, from these fields alone. `path`: of the router in the Rollout."""
        yield from ()

    def references(self, rollout: Rollout, config: C) -> tuple[Reference, ...]:
        """All objects that `route` may read or write."""
        raise NotImplementedError

    def selected(self, config: C, objects: Objects) -> frozenset[tuple[str, str]]:
        """(kind, name) of the objects that its references with ANY lead to now."""
        return frozenset()

    def check(self, rollout: Rollout, config: C, objects: Objects) -> Iterator[Finding]:
        """Errors of the objects for this Rollout. It skips missing objects: `references` covers them."""
        yield from ()

    def route(self, config: C, traffic: Traffic, objects: Objects) -> RouteResult:
        """The writes that make the objects match `traffic`."""
        raise NotImplementedError

    def unmark(self, name: str, seen: Json) -> tuple[Write, ...]:
        """The writes that take the mark and the hashes of a Rollout off a marked object, without its configuration."""
        return ()

    def release(self, config: C, traffic: Traffic, objects: Objects) -> RouteResult:
        """The last writes, after the Rollout is deleted or no longer names this router: all to the stable Service.

        Objects that the Rollout owns are deleted with it. Nothing is created.
        """
        done = self.route(config, traffic.all_stable(), objects)
        return structs.replace(done, writes=tuple(write for write in done.writes if write.verb != "create"))
