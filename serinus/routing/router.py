"""The protocol of traffic routers: desired traffic and the objects as they are go in, writes come out. No I/O.

A router is one file of this folder with one class and the line `ROUTER = ThatClass()`. Nothing else names it: the registry finds the file,
and validation, watches, rights, `doctor`, `lint`, the simulation and the plays ask the registry. docs/routers/adding.md has the steps.

A router decides from what it sees and never remembers: called again with what it wrote, it writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Generic, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import structs

from serinus.api.findings import Finding
from serinus.api.network import Ingress
from serinus.api.resources import Resource
from serinus.api.rollout import CanaryStrategy, Rollout, SetHeaderRoute, SetMirrorRoute, WeightDestination
from serinus.api.routing_rules import Capabilities
from serinus.api.selectors import Selector
from serinus.api.served_kind import ServedKind, located

Json = dict[str, Any]
C = TypeVar("C", bound=msgspec.Struct)
Rule = tuple[str, tuple[str, ...], str]
"""A right that the controller needs: (API group, resources, verbs)."""

ANY = "*"
"""In place of an object's name: all of its kind in the namespace."""


class Reference(NamedTuple):
    """An object that a Rollout's router reads or writes: it is watched, and its changes wake the Rollout.

    `kind`: "Ingress", or the key of a ServedKind. `name`: `NAME`, `NAMESPACE/NAME`, or ANY for a selection by labels, in which the
    router chooses with `Objects.matching`. `path`: the field that names an object which must exist: without it the
    Rollout is InvalidSpec. "" where `route` tells that it is missing. `made`: the router makes the object, which may be missing.
    """

    kind: str
    name: str
    path: str = ""
    made: bool = False


class Traffic(msgspec.Struct, frozen=True):
    """What a Rollout wants of its routers. Weights are out of `max_weight`; `owner` is an ownerReference to the Rollout.

    `routes`: the header and mirror routes that exist now, in the order of precedence; `managed`: the names of all that the
    Rollout may ever have: one of these that is not in `routes` is removed. With ping-pong, `canary_service` and `stable_service`
    are the two of the pair in their present roles. Hashes and ready pods are those of both versions; the canary's are of the version
    that its share goes to, which is the replaced one until that has no share any more.
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
    """Services of a running experiment and their shares; the stable Service gets what is left."""
    additional_ports: dict[str, int] = {}
    """Name of such a Service -> its first port, where it has one."""
    canary_ready: int = 0
    stable_ready: int = 0
    shared_hash: str = ""
    """The version that has the canary's share by the stored status; "" where none has."""
    stable_addresses: tuple[str, ...] = ()
    """IP addresses of the stable version's ready pods, where something is read back."""
    now: float = 0.0
    """Seconds since the epoch."""

    @property
    def stable_weight(self) -> int:
        """What is left for the stable Service."""
        return max(0, self.max_weight - self.weight - sum(each.weight for each in self.additional))


class ReadBack(msgspec.Struct, frozen=True):
    """What the load balancer of an Ingress has in force, as its provider said.

    `version`: resourceVersion of the Ingress that the controller knew when it asked. `forwards`: for each listener rule, the Services
    that it divides requests between and their weights. `targets`: Service -> addresses that get requests; None where that was not
    asked. `error`: why nothing is known, as a sentence.
    """

    version: str = ""
    forwards: tuple[dict[str, int], ...] = ()
    targets: dict[str, tuple[str, ...]] | None = None
    error: str = ""


class Objects(msgspec.Struct, frozen=True):
    """The objects that the router's references name, as they were seen.

    `ingresses` are typed; `others` are whole, by `Kind.group/name`. They must not be changed: `writes.edited` copies.
    """

    namespace: str = ""
    """The Rollout's."""
    ingresses: dict[str, Ingress] = {}
    others: dict[str, Json] = {}
    served: dict[str, str] = {}
    """Key of a kind -> its version in use; "" where the API server does not serve the kind."""
    read_back: dict[str, ReadBack] | None = None
    """By name of the Ingress; None where the controller reads nothing back."""

    def get(self, kind: str, name: str) -> Json | None:
        return self.others.get(f"{kind}/{name}")

    def version(self, kind: ServedKind) -> str:
        """The version to write an object of this kind in."""
        return self.served.get(kind.key) or kind.versions[0]

    def is_served(self, kind: ServedKind) -> bool:
        return self.served.get(kind.key) != ""

    def matching(self, kind: str, selector: Selector, namespace: str = "") -> list[tuple[str, Json]]:
        """(name, object) of those that the selector selects, by name; of the Rollout's namespace without another."""
        found: list[tuple[str, Json]] = []
        for key, obj in sorted(self.others.items()):
            of, _, name = key.partition("/")
            if of == kind and located(name, self.namespace)[0] == (namespace or self.namespace):
                labels: dict[str, str] = obj["metadata"].get("labels") or {}
                found += [(name, obj)] if selector.matches(labels) else []
        return found


class Write(msgspec.Struct, frozen=True):
    """One change of an object. create: `body` is the object; patch: a JSON merge patch of the version seen; delete: no body.

    `name` as in `Reference`. `reason` and `message` are of the Event that tells of it, once it is done; "" tells nothing.
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


class Notice(NamedTuple):
    """A Warning of the Rollout beside `error`, such as VirtualServiceNotFound."""

    reason: str
    message: str


class RouteResult(msgspec.Struct, frozen=True):
    """`error`: why traffic cannot be led so, naming object and field; `writes` is then empty."""

    writes: tuple[Write, ...] = ()
    error: str = ""
    notices: tuple[Notice, ...] = ()
    verified: bool | None = None
    """Whether the weight is seen to be in force, once there is nothing left to write; None where a router cannot tell."""
    unverified: str = ""
    """With `verified` False: why not, as a sentence."""
    pending: str = ""
    """Why these writes do not lead to the wanted traffic yet, as a sentence: the weight counts as not written, and the next
    pass asks again."""
    again_after: float | None = None
    """Seconds after which to ask again where no object changes."""


class Router(Generic[C]):
    """One traffic router. A subclass sets the class variables and writes `references` and `route`; the rest has defaults."""

    key: ClassVar[str]
    """Its field of `trafficRouting`, or the plugin's name ("argoproj-labs/gatewayAPI")."""
    config: type[C]
    """That field's type, read as `api/reading.py` reads: null is absent, unknown fields are left out."""
    capabilities: ClassVar[Capabilities] = Capabilities()
    kinds: ClassVar[tuple[ServedKind | Resource, ...]] = ()
    """Kinds of the objects that it reads or writes."""
    permissions: ClassVar[tuple[Rule, ...]] = ()

    def needs_services(self, config: C, canary: CanaryStrategy) -> bool:
        """Whether `canaryService` and `stableService` must be set."""
        return True

    def by_hash(self, config: C) -> bool:
        """Whether objects of the router select pods by the hash of their version, in place of the two Services.

        A version that is replaced then gives its share back before another one gets it.
        """
        return False

    def validate(self, config: C, canary: CanaryStrategy, path: str) -> Iterator[Finding]:
        """What is wrong with the router's own fields; nothing else is looked at. `path`: of the router in the Rollout."""
        yield from ()

    def references(self, rollout: Rollout, config: C) -> tuple[Reference, ...]:
        """All objects that `route` may read or write."""
        raise NotImplementedError

    def check(self, rollout: Rollout, config: C, objects: Objects) -> Iterator[Finding]:
        """What makes the objects unfit for this Rollout. Absent ones are passed over: `references` tells of them."""
        yield from ()

    def route(self, config: C, traffic: Traffic, objects: Objects) -> RouteResult:
        """What is to be written so that the objects are as `traffic` says."""
        raise NotImplementedError

    def release(self, config: C, traffic: Traffic, objects: Objects) -> RouteResult:
        """The last writes, after the Rollout is gone or names this router no more: all to the stable Service.

        Objects that the Rollout owns go with it; nothing is made anew.
        """
        alone = structs.replace(traffic, weight=0, routes=(), additional=())
        done = self.route(config, alone, objects)
        return structs.replace(done, writes=tuple(write for write in done.writes if write.verb != "create"))
