"""A step waits until the controllers of its router's objects report them in force; reports that end do not hold it."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.routing.istio_reports import REPORTS_WITHIN
from tests.support.engine.world import World, release, rollout, service

Json = dict[str, Any]
STEPS: list[Json] = [{"setWeight": 20}, {"pause": {}}]
ROUTE, VIRTUAL = "HTTPRoute.gateway.networking.k8s.io", "VirtualService.networking.istio.io"


def http_route() -> Json:
    rules = [
        {"backendRefs": [{"name": "web", "port": 80, "weight": 100}, {"name": "web-canary", "port": 80, "weight": 0}]}
    ]
    return {"kind": ROUTE, "metadata": {"name": "web"}, "spec": {"parentRefs": [{"name": "gw"}], "rules": rules}}


def virtual_service() -> Json:
    to = [{"destination": {"host": host}, "weight": weight} for host, weight in (("web", 100), ("web-canary", 0))]
    return {"kind": VIRTUAL, "metadata": {"name": "web"}, "spec": {"hosts": ["web"], "http": [{"route": to}]}}


def report(world: World, kind: str, *, behind: int = 0, status: str = "True") -> None:
    """The controller of the router's object reports on it, `behind` generations late."""
    generation = world.objects[kind, "web"]["metadata"]["generation"] - behind
    condition = {"status": status, "observedGeneration": generation}
    if kind == ROUTE:
        conditions = [{"type": "Accepted", **condition}, {"type": "ResolvedRefs", **condition}]
        found: Json = {"parents": [{"parentRef": {"name": "gw"}, "controllerName": "a/b", "conditions": conditions}]}
    else:
        told = {"type": "Reconciled", "status": status, "message": "1/2 proxies up to date."}
        found = {"conditions": [told], "observedGeneration": str(generation)}
    world.patch(kind, "web", {"status": found})


def routed(kind: str, steps: list[Json] = STEPS) -> World:
    """A settled Rollout whose router's object has a report."""
    plugin: Json = {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "web"}}}
    routing, obj = (
        (plugin, http_route()) if kind == ROUTE else ({"istio": {"virtualService": {"name": "web"}}}, virtual_service())
    )
    subject = rollout(steps=steps, trafficRouting=routing)
    world = World(service("web"), service("web-canary"), obj, subject)
    report(world, kind)
    world.settle()
    report(world, kind)
    world.settle()
    return world


def waits(world: World) -> list[str]:
    return [wait.message for wait in world.last.waits if wait.reason == "WeightNotConfirmed"]


def verified(world: World) -> tuple[bool | None, str, str]:
    """(`status.canary.weights.verified`, status and message of the condition)."""
    status = world.rollout.status
    said = next((c for c in status.conditions if c.type == "TrafficVerified"), None)
    assert status.canary.weights is not None
    verified = status.canary.weights.verified
    return (verified, said.status, said.message) if said else (verified, "", "")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (ROUTE, "HTTPRoute web: Gateway default/gw has reported on generation 1, and not on 2 yet"),
        (VIRTUAL, "VirtualService web: Istio has reported on generation 1, and not on 2 yet"),
    ],
)
def test_a_step_waits_for_the_report_on_the_object_with_its_weight(kind: str, reason: str):
    world = routed(kind)
    release(world, "green")
    world.settle()
    assert (world.rollout.status.current_step_index, waits(world)) == (0, [reason])
    assert verified(world) == (False, "False", reason)
    report(world, kind)
    world.settle()
    assert (world.rollout.status.current_step_index, verified(world)) == (1, (True, "", ""))


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (ROUTE, "HTTPRoute web: Gateway default/gw reports Accepted False"),
        (VIRTUAL, "VirtualService web: Istio reports Reconciled False (1/2 proxies up to date.)"),
    ],
)
def test_a_report_that_is_not_true_holds_the_step_and_is_quoted(kind: str, reason: str):
    world = routed(kind)
    release(world, "green")
    world.settle()
    report(world, kind, status="False")
    world.settle()
    assert (world.rollout.status.current_step_index, waits(world)) == (0, [reason])


def test_istio_reports_that_end_hold_a_step_for_a_minute_and_the_status_says_so():
    world = routed(VIRTUAL)
    release(world, "green")
    world.settle()
    world.after(REPORTS_WITHIN - 1)
    assert world.rollout.status.current_step_index == 0
    world.after(1)
    why = "VirtualService web: Istio has reported on generation 1, and not on 2 yet: the update continues after a wait of 60 seconds"
    assert (world.rollout.status.current_step_index, verified(world)) == (1, (None, "Unknown", why))
    assert (waits(world), why in world.last.facts) == ([], True)
    writes = len(world.writes)
    world.after(300)
    assert len(world.writes) == writes, "a Rollout that does not wait for reports writes nothing"


def test_only_the_first_weight_waits_for_istio_reports_that_ended_and_the_next_ones_once_they_are_back():
    steps: list[Json] = [
        each for weight in (20, 40, 60) for each in ({"setWeight": weight}, {"pause": {"duration": 5}})
    ]
    world = routed(VIRTUAL, steps)
    release(world, "green")
    world.settle()
    world.after(REPORTS_WITHIN)
    assert world.rollout.status.current_step_index == 1
    world.after(5)
    assert world.rollout.status.current_step_index == 3, "weight 40 waits for nothing"
    report(world, VIRTUAL)
    world.settle()
    assert verified(world) == (True, "", "")
    world.after(5)
    assert (world.rollout.status.current_step_index, verified(world)[0]) == (4, False), "weight 60 waits again"


def test_a_gateway_that_is_silent_holds_a_step_and_the_progress_deadline_runs():
    world = routed(ROUTE)
    release(world, "green")
    world.settle()
    world.after(3600)
    status = world.rollout.status
    assert (status.current_step_index, status.phase) == (0, "Degraded")
    assert status.message.startswith("ProgressDeadlineExceeded")


def test_an_object_without_reports_holds_nothing():
    world = routed(VIRTUAL)
    world.patch(VIRTUAL, "web", {"status": None})
    release(world, "green")
    world.settle()
    assert (world.rollout.status.current_step_index, verified(world)) == (1, (None, "", ""))
