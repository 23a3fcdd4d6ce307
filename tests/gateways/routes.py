"""`web` behind each router that the tests try with a real gateway: the same Rollout and Services, and the router's own objects."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
NAME, CANARY = "web", "web-canary"
LABELS = {"app": NAME}
ROUTERS = ("nginx", "gateway-api", "traefik", "istio-hosts", "istio-subsets")
STEPS: list[Json] = [
    {"setWeight": 20},
    {"pause": {"duration": "2s"}},
    {"setWeight": 50},
    {"pause": {}},
    {"setWeight": 80},
    {"pause": {"duration": "2s"}},
]
DELAY = 3
"""Seconds that old pods stay: short, so that they end while requests come in."""


def host(router: str) -> str:
    return f"{router}.test"


def objects(router: str, color: str, *, port: int = 80, bind: str = "127.0.0.1", slow: bool = False) -> list[Json]:
    """All that is applied. `port`, `bind`: where the ingress gateway of Istio listens. `slow`: pods take 3 s to start and 2 s to stop."""
    return [_service(NAME), _service(CANARY), *_routes(router, port, bind), rollout(router, color, slow=slow)]


def rollout(router: str, color: str, *, slow: bool = False) -> Json:
    canary: Json = {"canaryService": CANARY, "stableService": NAME}
    if router == "istio-subsets":
        canary = {}
    canary |= {"scaleDownDelaySeconds": DELAY, "abortScaleDownDelaySeconds": DELAY, "steps": STEPS}
    canary["trafficRouting"] = _routing(router)
    container: Json = {
        "name": NAME,
        "image": f"argoproj/rollouts-demo:{color}",
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/color", "port": "http"}, "periodSeconds": 1},
    }
    if slow:
        container["env"] = [{"name": "START_DELAY", "value": "3"}, {"name": "STOP_DELAY", "value": "2"}]
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [container]}}
    spec = {"replicas": 2, "selector": {"matchLabels": LABELS}, "template": template, "strategy": {"canary": canary}}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": NAME}, "spec": spec}


def _routing(router: str) -> Json:
    if router == "nginx":
        return {"nginx": {"stableIngress": NAME}}
    if router == "gateway-api":
        return {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": NAME}}}
    if router == "traefik":
        return {"traefik": {"weightedTraefikServiceName": NAME}}
    subsets = {"name": NAME, "canarySubsetName": "canary", "stableSubsetName": "stable"}
    rule = {"destinationRule": subsets} if router == "istio-subsets" else {}
    return {"istio": {"virtualService": {"name": NAME}, **rule}}


def _routes(router: str, port: int, bind: str) -> list[Json]:
    if router == "nginx":
        path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": NAME, "port": {"number": 80}}}}
        rules = [{"host": host(router), "http": {"paths": [path]}}]
        return [_object("networking.k8s.io/v1", "Ingress", {"ingressClassName": "nginx", "rules": rules})]
    backends: list[Json] = [{"name": NAME, "port": 80, "weight": 100}, {"name": CANARY, "port": 80, "weight": 0}]
    if router == "gateway-api":
        spec = {"parentRefs": [{"name": "gateway", "namespace": "default"}], "hostnames": [host(router)]}
        route = {**spec, "rules": [{"backendRefs": backends}]}
        return [_object("gateway.networking.k8s.io/v1", "HTTPRoute", route)]
    if router == "traefik":
        service = {"kind": "TraefikService", "name": NAME}
        match = {"kind": "Rule", "match": f"Host(`{host(router)}`)", "services": [service]}
        return [
            _object("traefik.io/v1alpha1", "IngressRoute", {"entryPoints": ["web"], "routes": [match]}),
            _object("traefik.io/v1alpha1", "TraefikService", {"weighted": {"services": backends}}),
        ]
    return _istio(router, port, bind)


def _istio(router: str, port: int, bind: str) -> list[Json]:
    server = {"port": {"number": port, "name": "http", "protocol": "HTTP"}, "bind": bind, "hosts": ["*"]}
    gateway = {"selector": {"istio": "ingressgateway"}, "servers": [server]}
    stable, canary = {"host": NAME}, {"host": CANARY}
    rules: list[Json] = []
    if router == "istio-subsets":
        stable, canary = ({"host": NAME, "subset": subset} for subset in ("stable", "canary"))
        subsets = [{"name": subset, "labels": LABELS} for subset in ("stable", "canary")]
        rules = [_object("networking.istio.io/v1", "DestinationRule", {"host": NAME, "subsets": subsets})]
    route = [{"destination": stable, "weight": 100}, {"destination": canary, "weight": 0}]
    virtual = {"hosts": [host(router)], "gateways": [NAME], "http": [{"route": route}]}
    api = "networking.istio.io/v1"
    return [_object(api, "Gateway", gateway), *rules, _object(api, "VirtualService", virtual)]


def _service(name: str) -> Json:
    return _object("v1", "Service", {"selector": LABELS, "ports": [{"port": 80, "targetPort": "http"}]}, name)


def _object(version: str, kind: str, spec: Json, name: str = NAME) -> Json:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}
