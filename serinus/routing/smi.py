"""The TrafficSplit of the Service Mesh Interface, which the Rollout owns. Source: traffic routing, section 4.

v1alpha1 has weights as quantities ("5"), later versions as integers. Garbage collection deletes the TrafficSplit with
the Rollout.
"""

from __future__ import annotations

from typing import Any

import msgspec

from serinus.api.rollout import Rollout
from serinus.api.served_kind import ServedKind
from serinus.api.validation.routing_rules import Capabilities
from serinus.routing.router import Objects, Reference, Router, RouteResult, Traffic
from serinus.routing.writes import controls, created, edited, not_found, weight_reason

Json = dict[str, Any]
KIND = ServedKind("split.smi-spec.io", "TrafficSplit", "trafficsplits", ("v1alpha1", "v1alpha2", "v1alpha3"))
IN_QUANTITIES = "v1alpha1"


class SmiRouting(msgspec.Struct, rename="camel", omit_defaults=True):
    root_service: str = ""
    """The Service that receives the requests; the stable Service if unset."""
    traffic_split_name: str = ""


class Smi(Router[SmiRouting]):
    key = "smi"
    config = SmiRouting
    capabilities = Capabilities(experiments=True)
    kinds = (KIND,)
    permissions = (("split.smi-spec.io", ("trafficsplits",), "get list watch create patch"),)

    def references(self, rollout: Rollout, config: SmiRouting) -> tuple[Reference, ...]:
        return (Reference(KIND.key, config.traffic_split_name or rollout.metadata.name, made=True),)

    def route(self, config: SmiRouting, traffic: Traffic, objects: Objects) -> RouteResult:
        name = config.traffic_split_name or traffic.rollout
        if not objects.is_served(KIND):
            return RouteResult(error=not_found(KIND, name, objects))
        because = weight_reason(traffic)
        spec = _spec(config, traffic, in_quantities=objects.version(KIND) == IN_QUANTITIES)
        observed = objects.get(KIND.key, name)
        if observed is None:
            message = f"TrafficSplit `{name}` created"
            creation = created(
                KIND, name, {"spec": spec}, because, traffic=traffic, objects=objects,
                reason="TrafficSplitCreated", message=message,
            )  # fmt: skip
            return RouteResult((creation,))
        if not controls(traffic.uid, observed) and not _left_behind(observed, spec):
            return RouteResult(error=_another(name, observed))

        def split(obj: Json) -> None:
            obj["spec"] = {**(obj.get("spec") or {}), **spec}
            if not controls(traffic.uid, obj):
                obj["metadata"]["ownerReferences"] = [
                    *(obj["metadata"].get("ownerReferences") or []),
                    traffic.owner,
                ]

        return RouteResult(edited(KIND, name, observed, split, because))


ROUTER = Smi()


def _spec(config: SmiRouting, traffic: Traffic, *, in_quantities: bool) -> Json:
    """The canary is first, then the Services of an experiment. The stable Service gets the rest."""
    weights = [(traffic.canary_service, traffic.weight)]
    weights += [(each.service_name, each.weight) for each in traffic.additional]
    weights.append((traffic.stable_service, traffic.stable_weight))
    backends = [{"service": name, "weight": str(weight) if in_quantities else weight} for name, weight in weights]
    return {"service": config.root_service or traffic.stable_service, "backends": backends}


def _left_behind(live: Json, spec: Json) -> bool:
    """Whether `kubectl delete --cascade=orphan` left this object: it has no controller and our Services."""
    live_spec: Json = live.get("spec") or {}
    controlled = any(owner.get("controller") for owner in live["metadata"].get("ownerReferences") or [])
    return not controlled and live_spec.get("service") == spec["service"] and _names(live_spec) == _names(spec)


def _names(spec: Json) -> list[Any]:
    return [backend.get("service") for backend in spec.get("backends") or []]


def _another(name: str, live: Json) -> str:
    owner = next((o for o in live["metadata"].get("ownerReferences") or [] if o.get("controller")), None)
    whose = f"{owner.get('kind')} {owner.get('name')} controls it" if owner else "no Rollout made it"
    return (
        f"Rollout does not own TrafficSplit `{name}`: {whose}; delete it, or set "
        "spec.strategy.canary.trafficRouting.smi.trafficSplitName to another name"
    )
