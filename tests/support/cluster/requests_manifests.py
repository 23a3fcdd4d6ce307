"""The manifests of the request scenarios: `web`, its Services and its Ingress, by canary, blue-green or pod by pod."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
DELAY = 3
"""Seconds that old pods stay: short, so that their end falls into the requests."""
LABELS = {"app": "web"}
STEPS: list[Json] = [
    {"setWeight": 20},
    {"pause": {"duration": "1s"}},
    {"setWeight": 50},
    {"pause": {}},
    {"setWeight": 80},
    {"pause": {"duration": "1s"}},
]


def template(color: str) -> Json:
    probe = {"httpGet": {"path": "/color", "port": "http"}, "periodSeconds": 1}
    container: Json = {"name": "web", "image": f"argoproj/rollouts-demo:{color}", "readinessProbe": probe}
    container["ports"] = [{"name": "http", "containerPort": 8080}]
    return {"metadata": {"labels": LABELS}, "spec": {"containers": [container]}}


def service(name: str) -> Json:
    spec = {"selector": LABELS, "ports": [{"port": 80, "targetPort": "http"}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def ingress(host: str) -> Json:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    spec = {"ingressClassName": "nginx", "rules": [{"host": host, "http": {"paths": [path]}}]}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web"}, "spec": spec}


def rollout(strategy: Json, color: str = "blue", replicas: int = 3) -> Json:
    spec = {"replicas": replicas, "selector": {"matchLabels": LABELS}, "template": template(color)}
    return _rollout({**spec, "strategy": strategy})


def _rollout(spec: Json) -> Json:
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "web"}, "spec": spec}


def canary(**more: Any) -> Json:
    """With the nginx router."""
    routed = {"canaryService": "web-canary", "stableService": "web", "scaleDownDelaySeconds": DELAY}
    routed |= {"abortScaleDownDelaySeconds": DELAY, "trafficRouting": {"nginx": {"stableIngress": "web"}}}
    return {"canary": {**routed, "steps": STEPS, **more}}


def pod_by_pod() -> Json:
    steps = [{"setWeight": 34}, {"pause": {}}, {"setWeight": 67}, {"pause": {"duration": "1s"}}]
    return {"canary": {"maxSurge": 1, "maxUnavailable": 0, "steps": steps}}


def blue_green() -> Json:
    named = {"activeService": "web", "previewService": "web-preview", "autoPromotionEnabled": False}
    return {"blueGreen": {**named, "scaleDownDelaySeconds": DELAY, "abortScaleDownDelaySeconds": DELAY}}


def deployment(color: str = "blue") -> Json:
    spec = {"replicas": 3, "selector": {"matchLabels": LABELS}, "template": template(color)}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def follower(mode: str) -> Json:
    """A Rollout that takes over from the Deployment, and empties it in this way."""
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "scaleDown": mode}
    steps = [{"setWeight": 34}, {"pause": {}}]
    return _rollout({"replicas": 3, "workloadRef": reference, "strategy": canary(steps=steps)})
