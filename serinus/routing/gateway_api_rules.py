"""The rules of a Gateway API route, and their backends. Content of any other form is skipped: no object raises."""

from __future__ import annotations

from typing import Any

from serinus.routing.router import Json, Traffic


def rules_of(route: Json) -> list[Any]:
    """The rules of a route, of whatever form."""
    spec = route.get("spec")
    return list_of(spec.get("rules")) if isinstance(spec, dict) else []


def list_of(value: Any) -> list[Any]:
    """The value if it is a list; otherwise an empty one."""
    return value if isinstance(value, list) else []


def backends(rule: Any) -> list[Json]:
    """The backends of a rule that are objects."""
    items = list_of(rule.get("backendRefs")) if isinstance(rule, dict) else []
    return [each for each in items if isinstance(each, dict)]


def backends_to(rule: Any, service: str, traffic: Traffic) -> list[Json]:
    """The rule's backends with this Service. A backend in another namespace is not the Rollout's."""
    own = (None, "", traffic.namespace)
    return [each for each in backends(rule) if each.get("name") == service and each.get("namespace") in own]


def divides(rule: Any, traffic: Traffic) -> bool:
    """Whether the rule has both Services, so that it gets the weights."""
    return bool(
        backends_to(rule, traffic.stable_service, traffic) and backends_to(rule, traffic.canary_service, traffic)
    )


def of_others(rule: Any, traffic: Traffic) -> list[str]:
    """Names of the backends of a rule that leads to no Service of the Rollout; empty for any other rule."""
    ours = (traffic.canary_service, traffic.stable_service)
    if any(backends_to(rule, service, traffic) for service in ours):
        return []
    return [str(each.get("name")) for each in backends(rule)]
