"""Traefik's answer about its services, by Kubernetes Service. The real Traefik is asked in tests/e2e/test_up.py."""

from __future__ import annotations

import json
from typing import Any

import pytest

from serinus.local.traefik.in_force import InForce, states


def balancer(name: str, namespace: str, service: str, *urls: str) -> dict[str, Any]:
    metadata = {"kubernetes": {"namespace": namespace, "name": service, "port": "http"}}
    servers = {"servers": [{"url": url} for url in urls]} if urls else {}
    return {"name": f"{name}@ingress", "loadBalancer": servers, "observability": {"metadata": metadata}}


def split(**weights: int) -> dict[str, Any]:
    return {"name": "wrr@ingress", "weighted": {"services": [{"name": n, "weight": w} for n, w in weights.items()]}}


def read(*services: dict[str, Any]) -> dict[str, InForce]:
    return states(json.dumps(services).encode())


def test_a_split_has_the_weights_of_its_services_and_each_service_its_pods():
    answer = read(
        {"name": "api@internal", "status": "enabled"},
        balancer("a", "shop", "web", "http://10.0.0.1:8080", "http://[fd00::1]:8080"),
        balancer("b", "shop", "web-canary", "http://10.0.0.2:8080"),
        balancer("c", "other", "web"),
        split(a=80, b=20),
    )
    assert answer["shop"] == InForce(
        ({"web": 80, "web-canary": 20},), {"web": ("10.0.0.1", "fd00::1"), "web-canary": ("10.0.0.2",)}
    )
    assert answer["other"] == InForce((), {"web": ()})


def test_the_pods_of_all_ports_of_a_service_count():
    answer = read(
        balancer("a", "shop", "web", "http://10.0.0.1:80"), balancer("b", "shop", "web", "http://10.0.0.2:81")
    )
    assert answer["shop"].servers == {"web": ("10.0.0.1", "10.0.0.2")}


@pytest.mark.parametrize(
    "weights", [{"a": 80, "unknown": 20}, {"a": 80, "c": 20}, {"a": 100}], ids=["file", "two namespaces", "alone"]
)
def test_a_split_with_services_of_elsewhere_says_nothing(weights: dict[str, int]):
    answer = read(balancer("a", "shop", "web"), balancer("c", "other", "web"), split(**weights))
    assert [state.splits for state in answer.values()] == [(), ()]
