"""The rules in force at AWS, compared with the Rollout's desired ones."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from serinus.routing import registry
from serinus.routing.router import ReadBack, RouteResult
from tests.support.routing.plain import Cluster, rollout

BACKEND = {"service": {"name": "web", "port": {"name": "use-annotation"}}}
INGRESS: dict[str, Any] = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "front"},
    "spec": {"rules": [{"http": {"paths": [{"path": "/*", "backend": BACKEND}]}}]},
}


def read(canary: int, stable: int, *, version: str = "1", **more: Any) -> dict[str, ReadBack]:
    """The rules at AWS of the Ingress `front`: a rule of a header route, and the one that splits."""
    forwards = ({"web-canary": 100}, {"web-canary": canary, "web": stable})
    return {"front": ReadBack(version, forwards, **more)}


def answer(weight: int, now: int, read_back: dict[str, ReadBack] | None, **fields: Any) -> RouteResult:
    """Of the router, where the annotation has the weight `now`."""
    there = Cluster(rollout({"alb": {"ingress": "front", "servicePort": 80}}), INGRESS)
    there.route(now)
    found = there.get("Ingress", "front")
    there.objects["Ingress", "front"] = {**found, "metadata": {**found["metadata"], "resourceVersion": "1"}}
    objects = msgspec.structs.replace(there.seen(), read_back=read_back)
    used = registry.routers_of(there.rollout.spec)[0]
    return used.route(there.traffic(weight, **fields), objects)


@pytest.mark.parametrize(
    ("weight", "read_back", "verified", "why"),
    [
        (20, None, None, ""),
        (20, read(20, 80), True, ""),
        (20, {}, False, "AWS was not asked yet for the weights of Ingress front"),
        (20, read(20, 80, version="0"), False, "AWS was not asked yet for the weights of Ingress front"),
        (20, read(0, 100), False, "Service web-canary of Ingress front is to have weight 20, and AWS has 0"),
        (20, read(20, 100), False, "Service web of Ingress front is to have weight 80, and AWS has 100"),
        (20, {"front": ReadBack("1", error="no answer")}, False, "no answer"),
        (
            20,
            {"front": ReadBack("1", ({"web-canary": 100},))},
            False,
            "no listener rule of the load balancer of Ingress front forwards to both web and web-canary: read the Events of the "
            "Ingress",
        ),
        (0, {}, None, ""),
    ],
    ids=["off", "same", "not asked", "of before", "canary", "stable", "error", "no rule", "no share"],
)
def test_a_weight_is_verified_when_aws_has_it(
    weight: int, read_back: dict[str, ReadBack] | None, verified: bool | None, why: str
):
    found = answer(weight, weight, read_back)
    assert (found.verified, found.unverified) == (verified, why)


@pytest.mark.parametrize(
    ("targets", "pending"),
    [
        (None, "AWS was not asked yet which pods of Service web it has registered"),
        ({"web": ("10.0.0.1",)}, "AWS has registered 1 of 2 ready pods of Service web (Ingress front)"),
        ({"web": ("10.0.0.1", "10.0.0.2", "10.0.0.9")}, ""),
        ({}, ""),
    ],
    ids=["not asked", "one of two", "both", "type instance"],
)
def test_after_a_promotion_traffic_moves_when_aws_has_registered_the_pods(
    targets: dict[str, tuple[str, ...]] | None, pending: str
):
    promoted = {"shared_hash": "new", "stable_hash": "new", "stable_addresses": ("10.0.0.1", "10.0.0.2")}
    found = answer(0, 100, read(100, 0, targets=targets), **promoted)
    assert (found.pending, bool(found.writes)) == (pending, not pending)


def test_an_abort_and_a_way_back_do_not_wait_for_registered_pods():
    away = {"front": ReadBack("1", error="no answer")}
    assert answer(0, 20, away, shared_hash="new", stable_hash="old").writes
    assert answer(0, 20, away, shared_hash="new", canary_hash="old", stable_hash="old").writes
