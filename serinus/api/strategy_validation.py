"""Checks of a Rollout's strategy that need nothing but the Rollout: blue-green, canary, steps and traffic routing.

Paths leave out `canary` and `blueGreen`, as Argo Rollouts' do: dashboards and scripts look for these texts.
"""

from __future__ import annotations

from collections.abc import Iterator

from serinus.api.durations import pause_seconds
from serinus.api.findings import Finding, invalid, of_update, required
from serinus.api.int_or_percent import percentage
from serinus.api.meta import Json
from serinus.api.rollout import (
    AntiAffinity,
    BlueGreenStrategy,
    CanaryStep,
    CanaryStrategy,
    PingPong,
    Rollout,
    StringMatch,
    TrafficRouting,
)
from serinus.api.routing_rules import Capabilities, RoutingRules

_PATH = "spec.strategy"
_DIFFERENT = "This rollout uses the same service for the {} services, but two different services are required."
_BOTH_SERVICES = "Canary service and Stable service must to be set to use Traffic Routing"
_STEP = "Step must have one of the following set: experiment, setWeight, setCanaryScale, plugin or pause"
_METADATA = {"metadata.name", "metadata.namespace", "metadata.uid", "metadata.labels", "metadata.annotations"}


def strategy_findings(rollout: Rollout, rules: RoutingRules | None = None) -> Iterator[Finding]:
    """What is wrong with spec.strategy, in Argo Rollouts' order. Without `rules` nothing is said of routers."""
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
    """A number of pods or a share of them. Argo Rollouts takes what it cannot read for 0, and says nothing."""
    try:
        number = 0 if value is None else value if isinstance(value, int) else percentage(value)
    except ValueError as error:
        yield invalid(f"{_PATH}.{field}", value, str(error))
        return
    if number < 0:
        yield invalid(f"{_PATH}.{field}", value, "must be greater than or equal to 0")


def _canary(rollout: Rollout, canary: CanaryStrategy, rules: RoutingRules | None) -> Iterator[Finding]:
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
    managed = frozenset(route.name for route in routing.managed_routes) if routing is not None else frozenset[str]()
    for i, step in enumerate(canary.steps):
        yield from of_update(_step(f"{_PATH}.steps[{i}]", step, routing, can, managed))
    yield from _anti_affinity(canary.anti_affinity)


def _size(value: int | str | None) -> int:
    """0 only where zero was written: the default is 25 %. What cannot be read was told before."""
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


def _step(
    path: str, step: CanaryStep, routing: TrafficRouting | None, can: Capabilities, managed: frozenset[str]
) -> Iterator[Finding]:
    exclusive = (step.set_weight, step.pause, step.experiment, step.analysis)
    others = (step.set_canary_scale, step.set_header_route, step.set_mirror_route, step.plugin)
    if sum(part is not None for part in exclusive) > 1:
        parts = (
            ("Experiment", step.experiment),
            ("Pause", step.pause),
            ("SetWeight", step.set_weight),
            ("Analysis", step.analysis),
        )
        yield invalid(path, " ".join(f"step.{name}: {_yes(part is not None)}" for name, part in parts), _STEP)
    if all(part is None for part in (*exclusive, *others)):
        names = (
            "Experiment",
            "Pause",
            "SetWeight",
            "Analysis",
            "SetCanaryScale",
            "SetHeaderRoute",
            "SetMirrorRoutes",
            "Plugin",
        )
        # "true" stands for "is missing" here: odd, but scripts know it.
        yield invalid(path, " ".join(f"step.{name}: true" for name in names), _STEP)
    most = 100 if routing is None or routing.max_traffic_weight is None else routing.max_traffic_weight
    if step.set_weight is not None and not 0 <= step.set_weight <= most:
        yield invalid(f"{path}.setWeight", step.set_weight, f"SetWeight needs to be between 0 and {most}")
    if step.pause is not None and step.pause.duration is not None:
        yield from _duration(f"{path}.pause.duration", step.pause.duration)
    if step.set_canary_scale is not None and routing is None:
        yield required(f"{_PATH}.trafficRouting", "SetCanaryScale requires TrafficRouting to be set")
    yield from _routes(path, step, routing, can, managed)
    yield from _analyses(path, step, routing, can)


def _duration(path: str, duration: int | str) -> Iterator[Finding]:
    try:
        seconds = pause_seconds(duration)
    except ValueError:
        seconds = -1
    if seconds < 0:
        yield invalid(path, int(seconds), "Duration needs to be greater than 0")


def _routes(
    path: str, step: CanaryStep, routing: TrafficRouting | None, can: Capabilities, managed: frozenset[str]
) -> Iterator[Finding]:
    header, mirror = step.set_header_route, step.set_mirror_route
    if header is not None:
        at = f"{path}.setHeaderRoute"
        if routing is None or not can.header_routes:
            yield invalid(at, header, "SetHeaderRoute requires TrafficRouting, supports Istio and ALB and Apisix")
        else:
            for j, match in enumerate(header.match):
                check = _exact_only if can.exact_headers_only else _one_of
                yield from check(f"{at}.match[{j}]", match.header_value)
    if mirror is not None:
        at = f"{path}.setMirrorRoute"
        if routing is None or not can.mirror_routes:
            yield invalid(at, mirror, "SetMirrorRoute requires TrafficRouting, supports Istio and Plugins")
        for j, match in enumerate(mirror.match):
            for part in (match.method, match.path, *match.headers.values()):
                if part is not None:
                    yield from _one_of(f"{at}.match[{j}]", part)
    if routing is None or (header is None and mirror is None):
        return
    if not routing.managed_routes:
        field = "spec.strategy.canary.trafficRouting.managedRoutes"
        yield required(f"{_PATH}.trafficRouting.managedRoutes", f"Rollout has missing field '{field}'")
        return
    for field, route in (("setHeaderRoute", header), ("setMirrorRoute", mirror)):
        if route is not None and route.name not in managed:
            text = "Steps define a route that does not exist in spec.strategy.canary.trafficRouting.managedRoutes"
            yield invalid(f"{path}.{field}", route.name, text)


def _one_of(path: str, match: StringMatch | None) -> Iterator[Finding]:
    count = 0 if match is None else sum(map(bool, (match.exact, match.regex, match.prefix)))
    if count > 1:
        text = "StringMatch match value must have exactly one of the following: exact, regex, prefix"
        yield invalid(path, match, text)
    if count == 0:
        text = "StringMatch value missed, match value must have one of the following: exact, regex, prefix"
        yield invalid(path, match, text)


def _exact_only(path: str, match: StringMatch | None) -> Iterator[Finding]:
    if match is None:
        yield from _one_of(path, None)
    elif not match.exact or match.regex or match.prefix:
        yield invalid(path, match, "SetHeaderRoute match value invalid. ALB supports 'exact' value only")


def _analyses(path: str, step: CanaryStep, routing: TrafficRouting | None, can: Capabilities) -> Iterator[Finding]:
    args: list[Json] = []
    for i, template in enumerate((step.experiment or {}).get("templates") or []):
        weight = template.get("weight")
        at = f"{path}.experiment.templates[{i}].weight"
        if weight is not None and routing is None:
            yield invalid(at, weight, "Experiment template weight cannot be set unless TrafficRouting is enabled")
        elif weight is not None and not can.experiments:
            routers = "SMI, ALB, Istio and Plugins"
            text = f"Experiment template weight is only available for TrafficRouting with {routers} at this time"
            yield invalid(at, weight, text)
    for analysis in (step.experiment or {}).get("analyses") or []:
        args += analysis.get("args") or []
    args += (step.analysis or {}).get("args") or []
    for arg in args:
        field = ((arg.get("valueFrom") or {}).get("fieldRef") or {}).get("fieldPath") or ""
        if field.startswith("metadata") and field.partition("[")[0] not in _METADATA:
            text = "Analyses arguments must refer to valid object metadata supported by downwardAPI"
            yield invalid(f"{path}.analyses", args, text)


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
