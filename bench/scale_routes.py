"""The routers of the scale bench: for each one the objects of a Rollout, and where its weight is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from serinus.api.resources import INGRESSES, Resource

Json = dict[str, Any]
NGINX_WEIGHT = "nginx.ingress.kubernetes.io/canary-weight"
ALB_ACTIONS = "alb.ingress.kubernetes.io/actions."
GATEWAY, TRAEFIK, ISTIO = "gateway.networking.k8s.io", "traefik.io", "networking.istio.io"
HTTP_ROUTES = Resource(GATEWAY, "v1", "httproutes", "HTTPRoute", singular="httproute")
TRAEFIK_SERVICES = Resource(TRAEFIK, "v1alpha1", "traefikservices", "TraefikService", singular="traefikservice")
VIRTUAL_SERVICES = Resource(ISTIO, "v1", "virtualservices", "VirtualService", singular="virtualservice")
DESTINATION_RULES = Resource(ISTIO, "v1", "destinationrules", "DestinationRule", singular="destinationrule")
SPLITS = Resource("split.smi-spec.io", "v1alpha1", "trafficsplits", "TrafficSplit", singular="trafficsplit")
MAPPINGS = Resource("getambassador.io", "v2", "mappings", "Mapping", singular="mapping")
APISIX_ROUTES = Resource("apisix.apache.org", "v2", "apisixroutes", "ApisixRoute", singular="apisixroute")
MESH = ("appmesh.k8s.aws", "v1beta2")
MESH_SERVICES = Resource(*MESH, "virtualservices", "VirtualService", singular="virtualservice")
MESH_ROUTERS = Resource(*MESH, "virtualrouters", "VirtualRouter", singular="virtualrouter")
MESH_NODES = Resource(*MESH, "virtualnodes", "VirtualNode", singular="virtualnode")


class Meta(msgspec.Struct, rename="camel"):
    name: str
    namespace: str
    resource_version: str
    generation: int = 0
    annotations: dict[str, str] = {}


class Route(msgspec.Struct):
    """The object that has the weight."""

    metadata: Meta
    spec: Any = None


class Routing(NamedTuple):
    """A router. Each function takes the name of a Rollout, whose Services are `NAME` and `NAME-canary`."""

    canary: Callable[[str], Json]
    """The fields of `strategy.canary` beside its steps."""
    objects: Callable[[str], list[tuple[Resource, Json]]]
    watched: Resource
    watched_name: Callable[[str], str]
    weight: Callable[[Route], int | None]


def _services(name: str, routing: Json) -> Json:
    return {"canaryService": f"{name}-canary", "stableService": name, "trafficRouting": routing}


def _ingress(name: str, kind: str, path: str, port: Json) -> Json:
    backend = {"service": {"name": name, "port": port}}
    paths = [{"path": path, "pathType": "ImplementationSpecific", "backend": backend}]
    rules = [{"host": f"{name}.bench", "http": {"paths": paths}}]
    return {"metadata": {"name": name}, "spec": {"ingressClassName": kind, "rules": rules}}


def _backends(name: str) -> list[Json]:
    return [{"name": name, "port": 80, "weight": 100}, {"name": f"{name}-canary", "port": 80, "weight": 0}]


def _object(resource: Resource, name: str, spec: Json) -> tuple[Resource, Json]:
    about = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": name}}
    return resource, {**about, "spec": spec}


def _virtual_service(name: str, stable: Json, canary: Json) -> tuple[Resource, Json]:
    route = [{"destination": stable, "weight": 100}, {"destination": canary, "weight": 0}]
    return _object(VIRTUAL_SERVICES, name, {"hosts": [f"{name}.bench"], "http": [{"route": route}]})


def _subsets(name: str) -> list[tuple[Resource, Json]]:
    subsets = [{"name": subset, "labels": {"app": name}} for subset in ("stable", "canary")]
    rule = _object(DESTINATION_RULES, name, {"host": name, "subsets": subsets})
    return [_virtual_service(name, *({"host": name, "subset": subset} for subset in ("stable", "canary"))), rule]


def _alb_weight(route: Route) -> int | None:
    action = json.loads(route.metadata.annotations.get(ALB_ACTIONS + route.metadata.name) or "{}")
    groups = (action.get("ForwardConfig") or {}).get("TargetGroups") or []
    return next((each["Weight"] for each in groups if each["ServiceName"].endswith("-canary")), None)


def _smi_weight(route: Route) -> int | None:
    backends = route.spec["backends"]
    return next((int(each["weight"]) for each in backends if each["service"].endswith("-canary")), None)


def _apisix(name: str) -> list[tuple[Resource, Json]]:
    backends = [{"serviceName": each["name"], "servicePort": 80, "weight": each["weight"]} for each in _backends(name)]
    match = {"hosts": [f"{name}.bench"], "paths": ["/*"]}
    return [_object(APISIX_ROUTES, name, {"http": [{"name": "r", "match": match, "backends": backends}]})]


def _app_mesh(name: str) -> list[tuple[Resource, Json]]:
    nodes = [f"{name}-stable", f"{name}-canary"]
    targets = [{"virtualNodeRef": {"name": each}, "weight": 0} for each in nodes]
    route = {"name": "r", "httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": targets}}}
    provider = {"virtualRouter": {"virtualRouterRef": {"name": name}}}
    return [
        *(_object(MESH_NODES, each, {"podSelector": {"matchLabels": {"app": name}}}) for each in nodes),
        _object(MESH_ROUTERS, name, {"routes": [route]}),
        _object(MESH_SERVICES, name, {"awsName": f"{name}.bench", "provider": provider}),
    ]


def _app_mesh_weight(route: Route) -> int | None:
    return route.spec["routes"][0]["httpRoute"]["action"]["weightedTargets"][1]["weight"]


def _nodes(name: str) -> Json:
    refs = {f"{role}VirtualNodeRef": {"name": f"{name}-{role}"} for role in ("stable", "canary")}
    return {"virtualService": {"name": name}, "virtualNodeGroup": refs}


def _same(name: str) -> str:
    return name


ROUTERS = {
    "nginx": Routing(
        canary=lambda name: _services(name, {"nginx": {"stableIngress": name}}),
        objects=lambda name: [(INGRESSES, _ingress(name, "nginx", "/", {"name": "http"}))],
        watched=INGRESSES,
        watched_name=lambda name: f"{name}-{name}-canary",
        weight=lambda route: int(route.metadata.annotations.get(NGINX_WEIGHT) or 0),
    ),
    "alb": Routing(
        canary=lambda name: _services(name, {"alb": {"ingress": name, "servicePort": 80}}),
        objects=lambda name: [(INGRESSES, _ingress(name, "alb", "/*", {"name": "use-annotation"}))],
        watched=INGRESSES,
        watched_name=_same,
        weight=_alb_weight,
    ),
    "gateway-api": Routing(
        canary=lambda name: _services(name, {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": name}}}),
        objects=lambda name: [_object(HTTP_ROUTES, name, {"rules": [{"backendRefs": _backends(name)}]})],
        watched=HTTP_ROUTES,
        watched_name=_same,
        weight=lambda route: route.spec["rules"][0]["backendRefs"][1]["weight"],
    ),
    "traefik": Routing(
        canary=lambda name: _services(name, {"traefik": {"weightedTraefikServiceName": name}}),
        objects=lambda name: [_object(TRAEFIK_SERVICES, name, {"weighted": {"services": _backends(name)}})],
        watched=TRAEFIK_SERVICES,
        watched_name=_same,
        weight=lambda route: route.spec["weighted"]["services"][1]["weight"],
    ),
    "istio-hosts": Routing(
        canary=lambda name: _services(name, {"istio": {"virtualService": {"name": name}}}),
        objects=lambda name: [_virtual_service(name, {"host": name}, {"host": f"{name}-canary"})],
        watched=VIRTUAL_SERVICES,
        watched_name=_same,
        weight=lambda route: route.spec["http"][0]["route"][1]["weight"],
    ),
    "istio-subsets": Routing(
        canary=lambda name: {
            "trafficRouting": {
                "istio": {
                    "virtualService": {"name": name},
                    "destinationRule": {"name": name, "canarySubsetName": "canary", "stableSubsetName": "stable"},
                }
            }
        },
        objects=_subsets,
        watched=VIRTUAL_SERVICES,
        watched_name=_same,
        weight=lambda route: route.spec["http"][0]["route"][1]["weight"],
    ),
    "smi": Routing(
        canary=lambda name: _services(name, {"smi": {"rootService": name, "trafficSplitName": name}}),
        objects=lambda name: [],
        watched=SPLITS,
        watched_name=_same,
        weight=_smi_weight,
    ),
    "ambassador": Routing(
        canary=lambda name: _services(name, {"ambassador": {"mappings": [name]}}),
        objects=lambda name: [_object(MAPPINGS, name, {"prefix": "/", "service": f"{name}:80"})],
        watched=MAPPINGS,
        watched_name=lambda name: f"{name}-canary",
        weight=lambda route: route.spec.get("weight"),
    ),
    "apisix": Routing(
        canary=lambda name: _services(name, {"apisix": {"route": {"name": name, "rules": ["r"]}}}),
        objects=_apisix,
        watched=APISIX_ROUTES,
        watched_name=_same,
        weight=lambda route: route.spec["http"][0]["backends"][1]["weight"],
    ),
    "app-mesh": Routing(
        canary=lambda name: _services(name, {"appMesh": _nodes(name)}),
        objects=_app_mesh,
        watched=MESH_ROUTERS,
        watched_name=_same,
        weight=_app_mesh_weight,
    ),
}
