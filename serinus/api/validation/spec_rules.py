"""The interface to routers and the kinds of canary steps, for the validation of a Rollout.

`serinus/engine/strategy/spec_rules.py` implements it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from serinus.api.rollout import CanaryStep, TrafficRouting
from serinus.api.validation.findings import Finding
from serinus.api.validation.routing_rules import Capabilities, RoutingRules


class SpecRules(RoutingRules, Protocol):
    """The rules about a spec that the routers and the kinds of steps define."""

    def step(
        self,
        path: str,
        step: CanaryStep,
        routing: TrafficRouting | None,
        capabilities: Capabilities,
        managed: frozenset[str],
    ) -> Iterator[Finding]:
        """All errors in one step. `path`: of the step; `managed`: names of `trafficRouting.managedRoutes`."""
        ...
