"""A Rollout of five pods behind an Ingress, for the whole controller with its real planner."""

from __future__ import annotations

from typing import Any


def rollout(image: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "web", "namespace": "a"},
        "spec": {
            "replicas": 5,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": f"demo:{image}"}]},
            },
            "strategy": {
                "canary": {
                    "canaryService": "web-canary",
                    "stableService": "web-stable",
                    "trafficRouting": {"nginx": {"stableIngress": "web"}},
                    "steps": [
                        {"setWeight": 20},
                        {"pause": {"duration": "30s"}},
                        {"setWeight": 60},
                        {"pause": {"duration": 30}},
                    ],
                }
            },
        },
    }


async def begin(play: Any) -> None:
    store = play.store
    for name in ("web-canary", "web-stable"):
        spec = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
        await store.put("services", {"metadata": {"name": name, "namespace": "a"}, "spec": spec})
    backend = {"service": {"name": "web-stable", "port": {"number": 80}}}
    rules = [{"host": "web.local", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]
    spec = {"ingressClassName": "nginx", "rules": rules}
    await store.put("ingresses", {"metadata": {"name": "web", "namespace": "a"}, "spec": spec})
    await store.put("rollouts", rollout("blue"))


def phase(play: Any) -> str:
    return play.store.get("rollouts", "web").get("status", {}).get("phase", "")


def settled_on(play: Any, image: str) -> bool:
    """Whether everything in its namespace routes to this image, and nothing else has pods."""
    sets = [o for (plural, space, _), o in play.store.objects.items() if (plural, space) == ("replicasets", "a")]
    sizes = {rs["spec"]["template"]["spec"]["containers"][0]["image"]: rs["spec"]["replicas"] for rs in sets}
    return phase(play) == "Healthy" and {i: n for i, n in sizes.items() if n} == {f"demo:{image}": 5}
