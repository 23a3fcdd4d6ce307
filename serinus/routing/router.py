"""The protocol of traffic routers: desired traffic and the objects as they are go in, writes come out. No I/O.

A router decides from what it sees and never remembers: called again with what it wrote, it writes nothing.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

import msgspec

from serinus.api.network import Ingress
from serinus.api.rollout import SetHeaderRoute, SetMirrorRoute, TrafficRouting, WeightDestination

Json = dict[str, Any]


class Traffic(msgspec.Struct, frozen=True):
    """What a Rollout wants of its router. Weights are out of `max_weight`; `owner` is an ownerReference to the Rollout.

    `routes`: the header and mirror routes that exist now, in the order of precedence; `managed`: the names of all that the
    Rollout may ever have: one of these that is not in `routes` is removed. Hashes are those of both versions' pods.
    """

    rollout: str
    namespace: str
    uid: str
    owner: Json
    routing: TrafficRouting
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


class Objects(msgspec.Struct, frozen=True):
    """The router objects of the Rollout's namespace, by name; `others` by "Kind/name"."""

    ingresses: dict[str, Ingress] = {}
    others: dict[str, Json] = {}


class Write(msgspec.Struct, frozen=True):
    """One change of a router object. create: `body` is the object; patch: a JSON merge patch of the version seen."""

    verb: Literal["create", "patch"]
    kind: str
    name: str
    body: Json
    because: str
    reason: str
    """Reason of the Event that tells of it."""
    message: str
    uid: str = ""
    resource_version: str = ""


class Routed(msgspec.Struct, frozen=True):
    """`error`: why traffic cannot be led so now, in the words users know; `writes` is then empty."""

    writes: tuple[Write, ...] = ()
    error: str = ""
    verified: bool | None = None
    """Whether traffic was seen to follow; None where a router cannot tell."""


class Router(Protocol):
    """One traffic router. `name` is its key in `trafficRouting`."""

    name: str

    def used(self, routing: TrafficRouting) -> bool: ...

    def objects(self, rollout: str, routing: TrafficRouting) -> tuple[tuple[str, str], ...]:
        """(kind, name) of every object that it reads or writes: their changes wake the Rollout."""
        ...

    def route(self, traffic: Traffic, objects: Objects) -> Routed:
        """What is to be written so that the objects are as `traffic` says."""
        ...
