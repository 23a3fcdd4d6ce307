"""Shared state of the API server's parts: the store, the served kinds, clock, random numbers, and one call."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from serinus.api.resources import Resource
from serinus.kube.clock import Clock, rfc3339
from serinus.kube.transport import Request
from serinus.local.apiserver import no_effect
from serinus.local.apiserver.conversion import converted
from serinus.local.apiserver.registry import Registry
from serinus.local.apiserver.requests.negotiation import Representation
from serinus.local.apiserver.requests.parameters import truth
from serinus.local.apiserver.requests.warning_header import warning_header
from serinus.local.apiserver.storage.store import Entry, Store

if TYPE_CHECKING:
    from serinus.local.schema.kinds import Kind

Json = dict[str, Any]


@dataclass(slots=True)
class Core:
    store: Store
    registry: Registry
    clock: Clock
    rng: random.Random

    def now(self) -> str:
        return rfc3339(self.clock.now())

    def uid(self) -> str:
        digits = f"{self.rng.getrandbits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{'89ab'[int(digits[16], 16) & 3]}{digits[17:20]}-{digits[20:]}"

    def suffix(self) -> str:
        """Five letters that do not form words, as `generateName` appends them."""
        return "".join(self.rng.choices("bcdfghjklmnpqrstvwxz2456789", k=5))


@dataclass(slots=True)
class ApiCall:
    """One request to a served resource."""

    request: Request
    kind: Kind
    view: Representation
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    warnings: list[str] = field(default_factory=list[str])

    @property
    def resource(self) -> Resource:
        return self.kind.resource

    @property
    def key(self) -> str:
        """The resource's name in the store."""
        return self.kind.resource.group_resource

    def flag(self, name: str) -> bool:
        """Whether this query parameter is true. Raises 400 for a value that is not a boolean."""
        return truth(self.request.query, name)

    def headers(self) -> dict[str, str]:
        """Headers with the collected warnings, and the warning of a kind without effect."""
        idle = no_effect.warning(self.key, self.resource.kind)
        return warning_header([*self.warnings, *([idle] if idle else [])])


def as_version(entry: Entry, resource: Resource, several: bool) -> bytes:
    """The stored body in the requested version."""
    if not several:
        return entry.body
    obj = entry.object()
    if obj.get("apiVersion") == resource.api_version:
        return entry.body
    return msgspec.json.encode(converted(obj, resource))
