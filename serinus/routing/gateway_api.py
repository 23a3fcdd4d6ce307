"""Routes of the Gateway API: HTTPRoute, GRPCRoute, TCPRoute and TLSRoute. Source: traffic routing, section 9.

The configuration is that of Argo Rollouts' plugin `argoproj-labs/gatewayAPI`, which Serinus does not need. The user
creates the routes. Each rule with the stable and the canary Service among its backends gets the weights; all other
rules are unchanged. A header route of a step adds one rule, with the name of the managed route, for each of these
rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from serinus.api.rollout import CanaryStrategy, Rollout
from serinus.api.served_kind import ServedKind
from serinus.api.validation.findings import Finding, internal, invalid, required
from serinus.api.validation.routing_rules import Capabilities
from serinus.api.values.selectors import Selector, key_error, value_error
from serinus.routing.confirmations import confirmed
from serinus.routing.gateway_api_headers import another, condition, header_routes, lead_headers
from serinus.routing.gateway_api_reports import unconfirmed
from serinus.routing.gateway_api_rules import backends, backends_to, divides, rules_of
from serinus.routing.router import ANY, FAILED, Objects, Reference, Router, RouteResult, Traffic, Write
from serinus.routing.writes import beside_others, edited, not_found, twice, weight_reason

Json = dict[str, Any]
GROUP = "gateway.networking.k8s.io"
HTTP = ServedKind(GROUP, "HTTPRoute", "httproutes", ("v1", "v1beta1", "v1alpha2"))
GRPC = ServedKind(GROUP, "GRPCRoute", "grpcroutes", ("v1", "v1alpha2"))
TCP = ServedKind(GROUP, "TCPRoute", "tcproutes", ("v1", "v1alpha2"))
TLS = ServedKind(GROUP, "TLSRoute", "tlsroutes", ("v1", "v1alpha3", "v1alpha2"))
KINDS = {"http": HTTP, "grpc": GRPC, "tcp": TCP, "tls": TLS}
"""By prefix of their fields in the configuration."""
WITH_HEADERS = (HTTP, GRPC)
NO_ROUTES = (
    "No routes configured. At least one of 'httpRoutes', 'grpcRoutes', 'tcpRoutes', 'tlsRoutes', 'httpRoute', 'grpcRoute', "
    "'tcpRoute' or 'tlsRoute' must be set"
)
NOT_TYPED = "failed to set header route via plugin: invalid header match type"
EXPERIMENTS = r"-[0-9a-z]{5,10}-\d+-\d+-."
"""Suffix after the Rollout's name of Services for its experiments (`web-77f97bbcbf-2-1-baseline`)."""


class NamedRoute(msgspec.Struct, rename="camel", omit_defaults=True):
    name: str = ""
    use_header_routes: bool = False


class GatewayApiRouting(msgspec.Struct, rename="camel", omit_defaults=True):
    """A single route gets header routes; a route in a list only with `useHeaderRoutes`; a selected route never."""

    http_route: str = ""
    grpc_route: str = ""
    tcp_route: str = ""
    tls_route: str = ""
    http_routes: list[NamedRoute] = []
    grpc_routes: list[NamedRoute] = []
    tcp_routes: list[NamedRoute] = []
    tls_routes: list[NamedRoute] = []
    http_route_selector: Json | None = None
    grpc_route_selector: Json | None = None
    tcp_route_selector: Json | None = None
    tls_route_selector: Json | None = None
    namespace: str = ""
    """Namespace of the routes; default: the Rollout's."""
    disable_in_progress_label: bool = False
    in_progress_label_key: str = "rollouts.argoproj.io/gatewayapi-canary"
    in_progress_label_value: str = "in-progress"

    def named(self, of: str) -> dict[str, bool]:
        """Name of each route of a kind ("http") -> whether it gets header routes."""
        single: str = getattr(self, f"{of}_route")
        names = {single: True} if single else {}
        for each in getattr(self, f"{of}_routes"):
            names[each.name] = names.get(each.name, False) or each.use_header_routes
        return names

    def selector(self, of: str) -> Json | None:
        return getattr(self, f"{of}_route_selector")


class Route(NamedTuple):
    """One route that the Rollout manages. `name` as in `Reference`; `obj`: None if it is missing."""

    of: str
    name: str
    header_routes: bool
    obj: Json | None

    @property
    def kind(self) -> ServedKind:
        return KINDS[self.of]


class GatewayApi(Router[GatewayApiRouting]):
    key = "argoproj-labs/gatewayAPI"
    config = GatewayApiRouting
    capabilities = Capabilities(
        header_routes=True, mirror_routes=True, ping_pong=True, experiments=True, max_weight=True, verifies=True
    )
    kinds = tuple(KINDS.values())
    permissions = ((GROUP, tuple(kind.plural for kind in KINDS.values()), "get list watch patch"),)

    def needs_services(self, config: GatewayApiRouting, canary: CanaryStrategy) -> bool:
        return canary.ping_pong is None

    def validate(self, config: GatewayApiRouting, canary: CanaryStrategy, path: str) -> Iterator[Finding]:
        if not any(config.named(of) or config.selector(of) is not None for of in KINDS):
            yield internal(path, NO_ROUTES)
        for of in KINDS:
            for index, each in enumerate(getattr(config, f"{of}_routes")):
                if not each.name:
                    yield required(f"{path}.{of}Routes[{index}].name", f"the name of a {KINDS[of].kind}")
            selector = config.selector(of)
            if selector is not None and (wrong := _unreadable(selector)):
                yield invalid(f"{path}.{of}RouteSelector", selector, wrong)
        if not config.disable_in_progress_label:
            key, value = config.in_progress_label_key, config.in_progress_label_value
            for field, given, wrong in (("Key", key, key_error(key)), ("Value", value, value_error(value))):
                if wrong:
                    yield invalid(f"{path}.inProgressLabel{field}", given, wrong)

    def references(self, rollout: Rollout, config: GatewayApiRouting) -> tuple[Reference, ...]:
        space = _space(config, rollout.metadata.namespace)
        references: list[Reference] = []
        for of, kind in KINDS.items():
            names = [*config.named(of), *([ANY] if config.selector(of) is not None else [])]
            references += [Reference(kind.key, space + name) for name in names if name]
        return tuple(references)

    def selected(self, config: GatewayApiRouting, objects: Objects) -> frozenset[tuple[str, str]]:
        selected: set[tuple[str, str]] = set()
        for of, kind in KINDS.items():
            selector = config.selector(of)
            if selector is not None:
                matching = objects.matching(kind.key, Selector.of(selector), config.namespace)
                selected |= {(kind.key, name) for name, _ in matching}
        return frozenset(selected)

    def route(self, config: GatewayApiRouting, traffic: Traffic, objects: Objects) -> RouteResult:
        routes = list(_routes(config, traffic, objects))
        wrong = next(filter(None, (_wrong(route, traffic, objects) for route in routes)), "")
        if not routes:
            wrong = f"{FAILED}: No routes configured: no route has the labels that {_selectors(config)} selects"
        if not wrong and any(condition(match) is None for each in header_routes(traffic) for match in each.match):
            wrong = f"{NOT_TYPED}: a match of a setHeaderRoute step needs one of exact, prefix and regex"
        if wrong:
            return RouteResult(error=wrong)
        writes: list[Write] = []
        for route in routes:
            assert route.obj is not None
            because = weight_reason(traffic)
            writes += edited(route.kind, route.name, route.obj, _edit(route, config, traffic), because)
        reports = (unconfirmed(route.kind.kind, route.name, route.obj) for route in routes if route.obj)
        verified, why = confirmed(reports, [write for write in writes if "spec" in write.body])
        shared = next(filter(None, (_shared(route, traffic) for route in routes)), "")
        return RouteResult(tuple(writes), verified=verified, unverified=why, shared=shared)


ROUTER = GatewayApi()


def _space(config: GatewayApiRouting, own: str) -> str:
    """`NAMESPACE/` of the routes, "" for the Rollout's own namespace."""
    return f"{config.namespace}/" if config.namespace not in ("", own) else ""


def _unreadable(selector: Json) -> str:
    try:
        Selector.of(selector)
    except ValueError as error:
        return str(error)
    except (AttributeError, TypeError):
        return "it must be a label selector: matchLabels and matchExpressions"
    return ""


def _selectors(config: GatewayApiRouting) -> str:
    return " or ".join(f"{of}RouteSelector" for of in KINDS if config.selector(of) is not None)


def _routes(config: GatewayApiRouting, traffic: Traffic, objects: Objects) -> Iterator[Route]:
    space = _space(config, traffic.namespace)
    for of, kind in KINDS.items():
        named = {space + name: header for name, header in config.named(of).items()}
        for name, header in named.items():
            yield Route(of, name, header and kind in WITH_HEADERS, objects.get(kind.key, name))
        selector = config.selector(of)
        if selector is not None:
            for name, obj in objects.matching(kind.key, Selector.of(selector), config.namespace):
                if name not in named:
                    yield Route(of, name, header_routes=False, obj=obj)


def _wrong(route: Route, traffic: Traffic, objects: Objects) -> str:
    """Why the route cannot have the weights, in Argo Rollouts' words; "" if it can."""
    if route.obj is None:
        return f"{FAILED}: {not_found(route.kind, route.name, objects)}"
    divided = [rule for rule in rules_of(route.obj) if divides(rule, traffic)]
    for rule in divided:
        ours = [
            each
            for name in (traffic.canary_service, traffic.stable_service)
            for each in backends_to(rule, name, traffic)
        ]
        if several := twice(ours, traffic):
            return f"{FAILED}: a rule of {route.kind.kind} {route.name}, backendRefs: {several}"
    if divided:
        taken = another(rules_of(route.obj), traffic) if route.header_routes else ""
        return f"{FAILED}: {route.kind.kind} {route.name}: {taken}" if taken else ""
    what = "backendRef" if route.kind in WITH_HEADERS else "backendRef list"
    both = f"no rule has both {traffic.stable_service} and {traffic.canary_service} in its backendRefs"
    return f"{FAILED}: {what} was not found in {route.of}Route: {route.kind.kind} {route.name}: {both}"


def _edit(route: Route, config: GatewayApiRouting, traffic: Traffic) -> Callable[[Json], None]:
    def edit(obj: Json) -> None:
        rules = [rule for rule in rules_of(obj) if divides(rule, traffic)]
        ends = _ends(obj, rules, traffic)
        for rule in rules:
            _weigh(rule, traffic)
        if route.kind in WITH_HEADERS:
            lead_headers(obj["spec"], rules, traffic, enabled=route.header_routes)
        if not config.disable_in_progress_label:
            _label(obj["metadata"], config, traffic, ends=ends)

    return edit


def _ends(obj: Json, rules: list[Json], traffic: Traffic) -> bool:
    """Whether the label of a canary in progress may go with this write. Another Rollout may divide another rule.

    Two Rollouts of one route would otherwise set and remove the label for ever.
    """
    others = (rule for rule in rules_of(obj) if not any(rule is each for each in rules))
    if not any(len(backends(rule)) > 1 for rule in others) or traffic.shared_hash:
        return True
    return any(each.get("weight", 1) for rule in rules for each in backends_to(rule, traffic.canary_service, traffic))


def _weigh(rule: Json, traffic: Traffic) -> None:
    """Sets the weights of both Services. Appends Services of a running experiment and removes those of an ended one."""
    for service, weight in ((traffic.canary_service, traffic.weight), (traffic.stable_service, traffic.stable_weight)):
        for backend in backends_to(rule, service, traffic):
            backend["weight"] = weight
    desired = {each.service_name: each.weight for each in traffic.additional}
    over = [each for each in backends(rule) if _is_of_an_experiment(each, traffic) and each.get("name") not in desired]
    port = backends_to(rule, traffic.stable_service, traffic)[0].get("port")
    for name, weight in desired.items():
        there = backends_to(rule, name, traffic)
        for backend in there:
            backend["weight"] = weight
        if not there:
            place: Json = {"namespace": traffic.namespace, "port": traffic.additional_ports.get(name, port)}
            rule["backendRefs"].append({"name": name, **place, "weight": weight})
    rule["backendRefs"] = [each for each in rule["backendRefs"] if not any(each is gone for gone in over)]


def _shared(route: Route, traffic: Traffic) -> str:
    """The first rule with both Services that has backends of others. A backend without a weight has 1."""
    for rule in rules_of(route.obj or {}):
        if not divides(rule, traffic):
            continue
        ours = [
            each
            for name in (traffic.canary_service, traffic.stable_service)
            for each in backends_to(rule, name, traffic)
        ]
        rest = (each for each in backends(rule) if not any(each is own for own in ours))
        others = {_full_name(each): each.get("weight", 1) for each in rest if not _is_of_an_experiment(each, traffic)}
        having = {name: weight for name, weight in others.items() if isinstance(weight, int) and weight > 0}
        if having:
            pair, trials = (traffic.weight, traffic.stable_weight), sum(each.weight for each in traffic.additional)
            return beside_others(f"a rule of {route.kind.kind} {route.name}", having, pair, trials)
    return ""


def _full_name(backend: Json) -> str:
    space = backend.get("namespace")
    return f"{space}/{backend.get('name')}" if space else str(backend.get("name"))


def _is_of_an_experiment(backend: Json, traffic: Traffic) -> bool:
    """Whether the backend is a Service of an experiment of this Rollout, running or not."""
    name = backend.get("name")
    ours = backend.get("namespace") in (None, "", traffic.namespace)
    if not ours or not isinstance(name, str) or name in (traffic.canary_service, traffic.stable_service):
        return False
    asked = [template for step in traffic.canary.steps for template in (step.experiment or {}).get("templates") or []]
    given = {(template.get("service") or {}).get("name") for template in asked}
    return name in given or re.match(re.escape(traffic.rollout) + EXPERIMENTS, name) is not None


def _label(metadata: Json, config: GatewayApiRouting, traffic: Traffic, *, ends: bool) -> None:
    """Sets the label while the canary has a weight. GitOps tools can ignore routes with this label."""
    labels: Json = metadata.get("labels") or {}
    if traffic.weight:
        metadata["labels"] = {**labels, config.in_progress_label_key: config.in_progress_label_value}
    elif ends:
        labels.pop(config.in_progress_label_key, None)
