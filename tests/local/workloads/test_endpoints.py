from __future__ import annotations

from typing import Any

from serinus.local.workloads.endpoints import plan
from serinus.local.workloads.objects import Endpoints, EndpointSlice, Meta, Service, ServicePort, ServiceSpec
from tests.support.local.build import pod


def service(target: int | str | None = "http", **spec: Any) -> Service:
    selector = spec.pop("selector", {"app": "web"})
    return Service(
        Meta(name="web", namespace="default", uid="uid-svc"),
        ServiceSpec(selector, [ServicePort(80, "http", target_port=target)], **spec),
    )


def conditions(endpoint: dict[str, Any]) -> tuple[bool, bool, bool]:
    c = endpoint["conditions"]
    return c["ready"], c["serving"], c["terminating"]


def test_a_pod_that_is_being_deleted_is_not_ready_from_that_moment_though_it_still_serves() -> None:
    """Its SIGTERM waits for this: otherwise requests would be lost."""
    todo = plan(service(), [pod("a", leaving=True)], [], None)
    assert conditions(todo.put[0][0].endpoints[0]) == (False, True, True)


def test_a_pod_that_is_not_ready_is_listed_as_such() -> None:
    todo = plan(service(), [pod("a", ready="")], [], None)
    assert conditions(todo.put[0][0].endpoints[0]) == (False, False, False)
    assert todo.subsets == [
        {
            "notReadyAddresses": [
                {
                    "ip": "127.77.0.1",
                    "nodeName": "serinus",
                    "targetRef": {"kind": "Pod", "name": "a", "namespace": "default", "uid": "uid-a"},
                }
            ],
            "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        }
    ]


def test_addresses_of_unready_pods_are_published_where_the_service_asks_for_it() -> None:
    todo = plan(service(publish_not_ready_addresses=True), [pod("a", ready="")], [], None)
    assert conditions(todo.put[0][0].endpoints[0]) == (True, False, False)


def test_a_named_target_port_is_looked_up_in_each_pod() -> None:
    pods = [
        pod("a", ports=[{"name": "http", "containerPort": 8080}]),
        pod("b", ports=[{"name": "http", "containerPort": 9090}]),
    ]
    todo = plan(service(), pods, [], None)
    assert {w.ports[0]["port"]: [e["targetRef"]["name"] for e in w.endpoints] for w, _ in todo.put} == {
        8080: ["a"],
        9090: ["b"],
    }


def test_a_port_without_target_means_the_same_number() -> None:
    assert plan(service(None), [pod("a")], [], None).put[0][0].ports[0]["port"] == 80


def test_pods_that_have_ended_or_have_no_address_yet_are_left_out() -> None:
    todo = plan(service(), [pod("a", phase="Succeeded"), pod("b", ip="")], [], None)
    assert todo.put[0][0].endpoints == []


def test_written_once_it_is_not_written_again() -> None:
    first = plan(service(), [pod("a")], [], None)
    wanted = first.put[0][0]
    there = EndpointSlice(
        Meta(name=wanted.name, namespace="default", labels=wanted.labels),
        endpoints=wanted.endpoints,
        ports=wanted.ports,
    )
    again = plan(service(), [pod("a")], [there], None)
    assert (again.put, again.delete) == ((), ())


def test_slices_that_somebody_else_wrote_are_never_touched() -> None:
    theirs = EndpointSlice(Meta(name="mine", namespace="default", labels={"kubernetes.io/service-name": "web"}))
    assert plan(service(), [], [theirs], None).delete == ()
    assert plan(service(selector=None), [], [theirs], None).delete == ()


def test_endpoints_written_by_hand_become_a_slice_and_stay_as_they_are() -> None:
    written = Endpoints(
        Meta(name="web", namespace="default"), [{"addresses": [{"ip": "10.0.0.9"}], "ports": [{"port": 5432}]}]
    )
    todo = plan(service(selector=None), [], [], written)
    assert todo.subsets is None
    assert todo.put[0][0].endpoints == [{"addresses": ["10.0.0.9"], "conditions": {"ready": True}}]
    assert todo.put[0][0].ports == [{"name": "", "port": 5432, "protocol": "TCP"}]
