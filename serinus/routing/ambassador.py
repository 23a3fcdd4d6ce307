"""Ambassador (Emissary): a second Mapping with a weight beside the user's. Source: traffic routing, section 5.

The router creates the canary Mapping with the first canary weight. After the last one it sets weight 0, waits DRAIN
seconds until every gateway has received that, and deletes the Mapping. Argo Rollouts sleeps for these seconds inside
its pass; here an annotation of the Mapping has the time of the deletion.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from serinus.api.pods.defaults import copied
from serinus.api.rollout import CanaryStrategy, Rollout
from serinus.api.served_kind import ServedKind
from serinus.api.validation.findings import Finding, invalid
from serinus.api.values.times import format_deadline, parse_time
from serinus.routing.router import Notice, Objects, Reference, Router, RouteResult, Traffic
from serinus.routing.writes import created, edited, not_found, removed, weight_reason

Json = dict[str, Any]
KIND = ServedKind("getambassador.io", "Mapping", "mappings", ("v2", "v3alpha1"))
NAME_LIMIT = 246
DRAIN = 5.0
"""Seconds between weight 0 and the deletion, as in Argo Rollouts."""
DELETE_AFTER = "serinus.dev/delete-after"
"""Annotation of a canary Mapping with weight 0."""


class AmbassadorRouting(msgspec.Struct, omit_defaults=True):
    mappings: list[str] = []


class Ambassador(Router[AmbassadorRouting]):
    key = "ambassador"
    config = AmbassadorRouting
    kinds = (KIND,)
    permissions = (("getambassador.io", ("mappings",), "get list watch create patch delete"),)

    def validate(self, config: AmbassadorRouting, canary: CanaryStrategy, path: str) -> Iterator[Finding]:
        if not any(config.mappings):
            yield invalid(f"{path}.mappings", None, "must provide at least one mapping")

    def references(self, rollout: Rollout, config: AmbassadorRouting) -> tuple[Reference, ...]:
        references: list[Reference] = []
        for name in _names(config):
            references.append(Reference(KIND.key, name, PATH))
            references.append(Reference(KIND.key, canary_mapping_name(name), made=True))
        return tuple(references)

    def check(self, rollout: Rollout, config: AmbassadorRouting, objects: Objects) -> Iterator[Finding]:
        for name in _names(config):
            base = objects.get(KIND.key, name)
            if base is not None and _spec(base).get("weight"):
                yield invalid("spec.weight", name, _own_weight(name))

    def route(self, config: AmbassadorRouting, traffic: Traffic, objects: Objects) -> RouteResult:
        answers = [_mapping(name, traffic, objects) for name in _names(config)]
        errors = [answer.error for answer in answers if answer.error]
        if errors:
            several = f"{len(errors)} errors found: {''.join(f'[{error}]' for error in errors)}"
            notices = tuple(notice for answer in answers for notice in answer.notices)
            return RouteResult(error=errors[0] if len(errors) == 1 else several, notices=notices)
        later = [answer.again_after for answer in answers if answer.again_after is not None]
        writes = [write for answer in answers for write in answer.writes]
        for i, write in enumerate(each for each in writes if each.reason):
            if i:  # one Event per weight, regardless of the number of Mappings
                writes[writes.index(write)] = msgspec.structs.replace(write, reason="", message="")
        return RouteResult(tuple(writes), again_after=min(later, default=None))

    def release(self, config: AmbassadorRouting, traffic: Traffic, objects: Objects) -> RouteResult:
        """Sets weight 0, and deletes the canary Mapping after the drain. A foreign Mapping of that name stays."""
        answers = [_mapping(name, traffic.all_stable(), objects) for name in _names(config)]
        later = [answer.again_after for answer in answers if answer.again_after is not None]
        return RouteResult(tuple(w for answer in answers for w in answer.writes), again_after=min(later, default=None))


PATH = "spec.strategy.canary.trafficRouting.ambassador.mappings"
ROUTER = Ambassador()


def canary_mapping_name(mapping: str) -> str:
    return mapping[:NAME_LIMIT] + "-canary"


def _names(config: AmbassadorRouting) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in config.mappings if name))


def _spec(mapping: Json) -> Json:
    spec = mapping.get("spec")
    return spec if isinstance(spec, dict) else {}


def _service(mapping: Json) -> str:
    return str(_spec(mapping).get("service") or "")


def _leads_to(mapping: Json, service: str) -> bool:
    """Whether `spec.service` names the Service: `web`, `web:80`, `https://web.shop:443`."""
    host = _service(mapping).rpartition("://")[2]
    return bool(service) and re.split(r"[.:/]", host, maxsplit=1)[0] == service


def _own_weight(name: str) -> str:
    return f'Ambassador mapping "{name}" can not define weight'


def _mapping(name: str, traffic: Traffic, objects: Objects) -> RouteResult:
    """The missing changes of one Mapping and its canary Mapping."""
    canary = canary_mapping_name(name)
    mapping, because = objects.get(KIND.key, canary), weight_reason(traffic)
    if mapping is None:
        return _first(name, traffic, objects, because) if traffic.weight else RouteResult()
    if not _leads_to(mapping, traffic.canary_service):
        wrong = f'leads to "{_service(mapping)}", not to {traffic.canary_service}: delete it, or give Mapping {name} another name'
        return RouteResult(error=f"Mapping {canary} has the name of the canary mapping and {wrong}")
    if (
        traffic.weight == 0
        and _spec(mapping).get("weight") == 0
        and (until := _until(mapping, traffic.now)) is not None
    ):
        if until > traffic.now:
            return RouteResult(again_after=until - traffic.now)
        return RouteResult((removed(KIND, canary, mapping, "the canary has no share, and gateways have heard of it"),))
    changed = _spec(mapping).get("weight") != traffic.weight
    told = ("CanaryMappingWeightUpdate", f"Set canary mapping weight to {traffic.weight}") if changed else ("", "")
    edit = _weight(traffic.weight, traffic.now)
    writes = edited(KIND, canary, mapping, edit, because, reason=told[0], message=told[1])
    return RouteResult(writes, again_after=None if traffic.weight else DRAIN)


def _first(name: str, traffic: Traffic, objects: Objects, because: str) -> RouteResult:
    """Creates the canary Mapping from the user's Mapping."""
    base = objects.get(KIND.key, name)
    if base is None:
        told = Notice("AmbassadorMappingNotFound", f'Ambassador mapping "{name}" not found')
        return RouteResult(error=not_found(KIND, name, objects), notices=(told,))
    if _spec(base).get("weight"):
        return RouteResult(
            error=_own_weight(name), notices=(Notice("AmbassadorMappingConfigError", _own_weight(name)),)
        )
    if not _leads_to(base, traffic.stable_service):
        return RouteResult(
            error=f'Mapping {name} leads to "{_service(base)}", not to the stable Service {traffic.stable_service}'
        )
    service = _service(base).replace(traffic.stable_service, traffic.canary_service, 1)
    spec: Json = {**copied(_spec(base)), "service": service, "weight": traffic.weight}
    mapping = created(
        KIND, canary_mapping_name(name), {"spec": spec}, because, traffic=traffic, objects=objects, owned=False,
        reason="CanaryMappingWeightUpdate", message=f"Set canary mapping weight to {traffic.weight}",
    )  # fmt: skip
    return RouteResult((mapping,))


def _weight(weight: int, now: float | None = None) -> Any:
    """The edit that sets the weight. `now`: with weight 0 the Mapping is marked for deletion DRAIN seconds later."""

    def edit(mapping: Json) -> None:
        mapping["spec"] = {**_spec(mapping), "weight": weight}
        annotations = dict(mapping["metadata"].get("annotations") or {})
        annotations.pop(DELETE_AFTER, None)
        if weight == 0 and now is not None:
            annotations[DELETE_AFTER] = format_deadline(now + DRAIN)
        if annotations or mapping["metadata"].get("annotations"):
            mapping["metadata"]["annotations"] = annotations

    return edit


def _until(mapping: Json, now: float) -> float | None:
    """The end of the drain. None if no drain has begun, or if this router cannot have written the time."""
    text = (mapping["metadata"].get("annotations") or {}).get(DELETE_AFTER)
    until = parse_time(text) if isinstance(text, str) else None
    return until if until is not None and until <= now + DRAIN + 1 else None
