"""The interface to routers for the validation of a Rollout; `serinus/routing/rules.py` implements it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import msgspec

from serinus.api.network import Ingress
from serinus.api.rollout import Rollout, RolloutSpec, TrafficRouting
from serinus.api.validation.findings import Finding

Json = dict[str, Any]


class Capabilities(msgspec.Struct, frozen=True):
    """A router's capabilities beside dividing requests between the stable and the canary Service.

    The table in docs/routers/README.md is compared with these values.
    """

    header_routes: bool = False
    """`setHeaderRoute`."""
    exact_headers_only: bool = False
    """Header routes compare whole values; no regex, no prefix."""
    mirror_routes: bool = False
    """`setMirrorRoute`."""
    ping_pong: bool = False
    experiments: bool = False
    """Weights of experiment templates: further Services with a share of their own."""
    max_weight: bool = False
    """`maxTrafficWeight`; other routers divide 100."""
    verifies: bool = False
    """`route` reports whether the weight is in force. A setWeight step waits for it."""
    reads_gateway: bool = False
    """As `verifies`, if the controller reads the gateway (`serinus up`)."""

    @classmethod
    def all(cls) -> Capabilities:
        """For unknown routers: no capability counts as missing."""
        return cls(header_routes=True, mirror_routes=True, ping_pong=True, experiments=True, max_weight=True)

    def joined(self, other: Capabilities) -> Capabilities:
        """The capabilities that either has."""
        pairs = zip(msgspec.structs.astuple(self), msgspec.structs.astuple(other), strict=True)
        return Capabilities(*(a or b for a, b in pairs))


class Lookup(msgspec.Struct, frozen=True):
    """Objects that a Rollout's routers read: `ingresses` by name, `others` by `Kind.group/name`. None is not checked.

    `served`: key of a kind -> its version in use, "" if the API server does not serve the kind. A kind that is absent
    was not checked. `unreadable`: kind -> why its objects cannot be read, as a sentence with the remedy.
    """

    ingresses: Mapping[str, Ingress] | None = None
    others: Mapping[str, Json] | None = None
    served: Mapping[str, str] = {}
    unreadable: Mapping[str, str] = {}


class RoutingRules(Protocol):
    def capabilities(self, routing: TrafficRouting) -> Capabilities:
        """Of all routers that it names, together."""
        ...

    def needs_services(self, spec: RolloutSpec) -> bool:
        """Whether a router of it needs `canaryService` and `stableService`."""
        ...

    def findings(self, spec: RolloutSpec) -> Iterator[Finding]:
        """Errors in the routers' own fields."""
        ...

    def unknown(self, routing: TrafficRouting) -> Iterator[Finding]:
        """Routers that this version does not have."""
        ...

    def absent(self, rollout: Rollout, lookup: Lookup) -> Iterator[Finding]:
        """Required objects that do not exist or cannot be read."""
        ...

    def unfit(self, rollout: Rollout, lookup: Lookup) -> Iterator[Finding]:
        """Objects that exist but do not fit this Rollout."""
        ...

    def read(self, rollout: Rollout, lookup: Lookup) -> tuple[object, ...]:
        """The objects that `unfit` depends on: the same ones give the same answer."""
        ...
