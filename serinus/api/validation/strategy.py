"""Checks of a Rollout's strategy that need nothing but the Rollout: blue-green, canary, and options of traffic routing.

The kinds of steps check their parts themselves (`serinus/engine/strategy/steps`). Paths omit `canary` and `blueGreen`,
as those of Argo Rollouts do: dashboards and scripts look for these texts.
"""

from __future__ import annotations

from collections.abc import Iterator

from serinus.api.rollout import (
    AntiAffinity,
    BlueGreenStrategy,
    CanaryStrategy,
    PingPong,
    Rollout,
    TrafficRouting,
)
from serinus.api.validation.findings import Finding, invalid, of_update, required
from serinus.api.validation.routing_rules import Capabilities
from serinus.api.validation.spec_rules import SpecRules
from serinus.api.values.int_or_percent import percentage

_PATH = "spec.strategy"
_DIFFERENT = "This rollout uses the same service for the {} services, but two different services are required."
_BOTH_SERVICES = "Canary service and Stable service must to be set to use Traffic Routing"


def strategy_findings(rollout: Rollout, rules: SpecRules | None = None) -> Iterator[Finding]:
    """All errors in spec.strategy, in Argo Rollouts' order. Without `rules`, routers and steps are not checked."""
    canary, blue_green = rollout.spec.strategy.canary, rollout.spec.strategy.blue_green
    if canary is None and blue_green is None:
        text = "Rollout has missing field '.spec.strategy.canary or .spec.strategy.blueGreen'"
        yield required(f"{_PATH}.strategy", text)
    elif canary is not None and blue_green is not None:
        yield invalid(f"{_PATH}.strategy", "blueGreen: true canary: true", "Multiple Strategies can not be listed")
    elif blue_green is not None:
        yield from _blue_green(rollout, blue_green)
    elif canary is not None:
        yield from _canary(rollout, canary, rules)


def _blue_green(rollout: Rollout, blue_green: BlueGreenStrategy) -> Iterator[Finding]:
    if blue_green.active_service == blue_green.preview_service:
        yield invalid(f"{_PATH}.activeService", blue_green.active_service, _DIFFERENT.format("active and preview"))
    history = 10 if rollout.spec.revision_history_limit is None else rollout.spec.revision_history_limit
    limit = blue_green.scale_down_delay_revision_limit
    if limit is not None and history < limit:
        text = "This rollout's revision history limit can not be smaller than the rollout's scale down limit"
        yield invalid(f"{_PATH}.scaleDownDelayRevisionLimit", limit, text)
    yield from _count("maxUnavailable", blue_green.max_unavailable)
    yield from _anti_affinity(blue_green.anti_affinity)


def _count(field: str, value: int | str | None) -> Iterator[Finding]:
    """A number of pods or a share of them. Argo Rollouts silently reads an invalid value as 0."""
    try:
        number = 0 if value is None else value if isinstance(value, int) else percentage(value)
    except ValueError as error:
        yield invalid(f"{_PATH}.{field}", value, str(error))
        return
    if number < 0:
        yield invalid(f"{_PATH}.{field}", value, "must be greater than or equal to 0")


def _canary(rollout: Rollout, canary: CanaryStrategy, rules: SpecRules | None) -> Iterator[Finding]:
    yield from _count("maxSurge", canary.max_surge)
    yield from _count("maxUnavailable", canary.max_unavailable)
    if _size(canary.max_surge) == 0 and _size(canary.max_unavailable) == 0:
        yield invalid(f"{_PATH}.maxSurge", canary.max_surge, "MaxSurge and MaxUnavailable both can not be zero")
    if canary.canary_service and canary.canary_service == canary.stable_service:
        yield invalid(f"{_PATH}.stableService", canary.stable_service, _DIFFERENT.format("stable and canary"))
    routing = canary.traffic_routing
    can = rules.capabilities(routing) if rules is not None and routing is not None else Capabilities.all()
    if canary.ping_pong is not None:
        yield from _ping_pong(canary.ping_pong, routing, can)
    if rules is not None and routing is not None and rules.needs_services(rollout.spec):
        for field, name in (("stableService", canary.stable_service), ("canaryService", canary.canary_service)):
            if not name:
                yield invalid(f"{_PATH}.{field}", "", _BOTH_SERVICES)
    yield from _routing_options(canary, routing, can)
    if rules is not None:
        yield from rules.findings(rollout.spec)
        yield from _steps(canary, routing, can, rules)
    yield from _anti_affinity(canary.anti_affinity)


def _steps(
    canary: CanaryStrategy, routing: TrafficRouting | None, can: Capabilities, rules: SpecRules
) -> Iterator[Finding]:
    managed = frozenset(route.name for route in routing.managed_routes) if routing is not None else frozenset[str]()
    for i, step in enumerate(canary.steps):
        yield from of_update(rules.step(f"{_PATH}.steps[{i}]", step, routing, can, managed))


def _size(value: int | str | None) -> int:
    """0 only for a written zero: the default is 25 %. Another check reports invalid values."""
    if value is None:
        return 25
    try:
        return value if isinstance(value, int) else percentage(value)
    except ValueError:
        return 0


def _ping_pong(pair: PingPong, routing: TrafficRouting | None, can: Capabilities) -> Iterator[Finding]:
    path = f"{_PATH}.pingPong"
    if routing is not None and not can.ping_pong:
        text = "Ping-pong feature works with the ALB, Istio, and plugin-based traffic routers only"
        yield invalid(f"{_PATH}.trafficRouting", None, text)
    for field, name in (("pingService", pair.ping_service), ("pongService", pair.pong_service)):
        if not name:
            yield invalid(
                f"{path}.{field}", "", "Ping service and Pong service must to be set to use Ping-Pong feature"
            )
    if pair.ping_service == pair.pong_service:
        yield invalid(f"{path}.pingService", pair.ping_service, _DIFFERENT.format("ping and pong"))


def _routing_options(canary: CanaryStrategy, routing: TrafficRouting | None, can: Capabilities) -> Iterator[Finding]:
    delay, dynamic = canary.scale_down_delay_seconds, canary.dynamic_stable_scale
    if routing is None:
        if delay is not None:
            text = "Canary scaleDownDelaySeconds can only be used with traffic routing"
            yield invalid(f"{_PATH}.scaleDownDelaySeconds", delay, text)
        if dynamic:
            text = "Canary dynamicStableScale can only be used with traffic routing"
            yield invalid(f"{_PATH}.dynamicStableScale", True, text)
        return
    if delay is not None and dynamic:
        text = "Canary dynamicStableScale cannot be used with scaleDownDelaySeconds"
        yield invalid(f"{_PATH}.dynamicStableScale", True, text)
    if routing.max_traffic_weight is not None and not can.max_weight:
        text = "Canary maxTrafficWeight in traffic routing only supported in Nginx and Plugins"
        yield invalid(f"{_PATH}.trafficRouting.maxTrafficWeight", routing.max_traffic_weight, text)


def _anti_affinity(affinity: AntiAffinity | None) -> Iterator[Finding]:
    if affinity is None:
        return
    preferred = affinity.preferred_during_scheduling_ignored_during_execution
    required_rule = affinity.required_during_scheduling_ignored_during_execution
    path = f"{_PATH}.antiAffinity"
    if (preferred is None) == (required_rule is None):
        names = ("Preferred", preferred), ("Required", required_rule)
        value = " ".join(
            f"antiAffinity.{name}DuringSchedulingIgnoredDuringExecution: {_yes(part is not None)}"
            for name, part in names
        )
        yield invalid(path, value, "AntiAffinity must have exactly one strategy listed")
    if preferred is not None and not 1 <= (preferred.get("weight") or 0) <= 100:
        yield invalid(f"{path}.weight", preferred.get("weight") or 0, "AntiAffinity weight must be between 1-100")


def _yes(value: bool) -> str:
    return "true" if value else "false"
