"""AWS App Mesh: weights of a VirtualRouter, hashes of VirtualNodes."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.api.names import HASH, MANAGED_BY
from serinus.api.values.times import parse_time
from serinus.routing.appmesh import ROUTER, ROUTER_KIND, SERVICE
from serinus.routing.appmesh_nodes import DRAIN, EMPTY_AFTER, NODE
from tests.sim.generate import generate
from tests.sim.routers import CANARY, MODELS, RouterModel, Subsets, with_router
from tests.sim.run import run
from tests.support.long import few
from tests.support.plays.player import played
from tests.support.plays.recordings import reference
from tests.support.routing.plain import Cluster, invalid, rollout, texts

Json = dict[str, Any]
NOW = 1_800_000_000.0
"""The time of `Cluster.route`."""
PATH = "spec.strategy.canary.trafficRouting.appMesh.virtualService"
GROUP: Json = {"canaryVirtualNodeRef": {"name": "node-canary"}, "stableVirtualNodeRef": {"name": "node-stable"}}


def obj(kind: str, name: str, spec: Any) -> Json:
    return {
        "apiVersion": "appmesh.k8s.aws/v1beta2",
        "kind": kind,
        "metadata": {"name": name, "labels": {"team": "shop"}},
        "spec": spec,
    }


def service(ref: Any = None) -> Json:
    ref = {"name": "router"} if ref is None else ref
    return obj("VirtualService", "front", {"provider": {"virtualRouter": {"virtualRouterRef": ref}}})


def target(name: str, weight: Any, **ref: str) -> Json:
    return {"virtualNodeRef": {"name": name, **ref}, "weight": weight}


def route(name: str = "primary", rule: str = "httpRoute", targets: Any = None, **more: Any) -> Json:
    given = [target("node-stable", 100), target("node-canary", 0)] if targets is None else targets
    return {"name": name, rule: {"match": {"prefix": "/"}, "action": {"weightedTargets": given}, "retry": 3}, **more}


def router(*routes: Any) -> Json:
    return obj("VirtualRouter", "router", {"routes": list(routes), "listeners": [1]})


def node(name: str, hash_: str = "", owner: str = "", **labels: str) -> Json:
    labels = {"app": "web", **labels} | ({HASH: hash_} if hash_ else {})
    found = obj("VirtualNode", name, {"podSelector": {"matchLabels": labels}, "listeners": [2]})
    found["metadata"] |= {"annotations": {MANAGED_BY: owner}} if owner else {}
    return found


NODES = (node("node-stable", "old", "web"), node("node-canary", "canary-hash", "web"))


def mesh(routes: list[str] | None = None, **config: Any) -> Json:
    return {
        "appMesh": {"virtualService": {"name": "front", "routes": routes or []}, "virtualNodeGroup": GROUP, **config}
    }


def cluster(
    *objects: Json, routes: list[str] | None = None, nodes: tuple[Json, ...] = NODES, **options: Any
) -> Cluster:
    return Cluster(rollout(mesh(routes)), service(), *objects, *nodes, **options)


def weights(there: Cluster, route_: int = 0) -> list[int]:
    """Of the targets of a route, in order."""
    spec = there.get(ROUTER_KIND, "router")["spec"]["routes"][route_]
    rule = next(value for key, value in spec.items() if key != "name")
    return [each["weight"] for each in rule["action"]["weightedTargets"]]


def hashes(there: Cluster) -> tuple[str, str]:
    """(of the stable node, of the canary node)."""
    found = [there.get(NODE, name)["spec"]["podSelector"]["matchLabels"] for name in ("node-stable", "node-canary")]
    return found[0].get(HASH, ""), found[1].get(HASH, "")


def notes(there: Cluster) -> Json:
    """Of the canary node."""
    return there.get(NODE, "node-canary")["metadata"].get("annotations") or {}


@pytest.mark.parametrize("rule", ["httpRoute", "tcpRoute", "http2Route", "grpcRoute"])
@pytest.mark.parametrize("weight", [0, 1, 20, 100])
def test_both_nodes_get_their_weights_and_nothing_else_changes(weight: int, rule: str):
    there = cluster(router(route(rule=rule, targets=[target("node-canary", 40), target("node-stable", 60)])))
    there.route(weight)
    given = [target("node-canary", weight), target("node-stable", 100 - weight)]
    assert there.get(ROUTER_KIND, "router")["spec"] == router(route(rule=rule, targets=given))["spec"]
    assert there.get(NODE, "node-canary")["spec"]["listeners"] == [2]
    assert there.route(weight) == []


def test_only_the_named_routes_or_all():
    both = router(route(), route("grpc", "grpcRoute"))
    there = cluster(both, routes=["grpc"])
    there.route(20)
    assert (weights(there), weights(there, 1)) == ([100, 0], [80, 20])
    there = cluster(both)
    there.route(20)
    assert (weights(there), weights(there, 1)) == ([80, 20], [80, 20])


def test_the_canary_node_moves_before_its_share_rises():
    there = cluster(router(route()))
    assert list(texts(there.route(20))) == ["patch VirtualNode node-canary", "patch VirtualRouter router"]
    assert hashes(there) == ("old", "new")


def test_a_replaced_version_keeps_the_node_until_it_has_no_share():
    there = cluster(router(route()))
    there.route(20)
    wanted = there.traffic(0, canary_hash="third", canary_ready=0)
    (answer,) = there.answers(wanted)
    assert list(texts(list(answer.writes))) == ["patch VirtualRouter router"]
    there.route(0, canary_hash="third", canary_ready=0)
    assert hashes(there) == ("old", "new"), "the third version has no pod yet"
    there.route(0, canary_hash="third", canary_ready=1)
    assert hashes(there) == ("old", "third")


def test_at_the_promotion_the_stable_node_moves_first_and_the_canary_node_last():
    there = cluster(router(route()))
    there.route(100)
    there.route(100, stable_hash="new")
    assert (hashes(there), weights(there)) == (("new", "new"), [0, 100])
    promoted: Json = {"stable_hash": "new"}
    writes = list(texts(there.route(0, **promoted)))
    assert writes == ["patch VirtualRouter router", "patch VirtualNode node-canary"]
    assert (hashes(there), weights(there)) == (("new", "new"), [100, 0]), "proxies may still send requests there"
    (answer,) = there.answers(there.traffic(0, **promoted))
    assert answer.again_after == DRAIN
    assert list(texts(there.route(0, now=NOW + DRAIN, **promoted))) == ["patch VirtualNode node-canary"]
    assert (hashes(there), notes(there)) == (("new", "canary-hash"), {MANAGED_BY: "web"})
    assert there.route(0, now=NOW + 9, **promoted) == []


def test_the_next_version_gets_the_canary_node_before_the_drain_is_over():
    there = cluster(router(route()))
    there.route(100)
    there.route(0, stable_hash="new")
    there.route(20, stable_hash="new", canary_hash="third", now=NOW + 1)
    assert (hashes(there), notes(there)) == (("new", "third"), {MANAGED_BY: "web"})


def test_the_drain_continues_while_the_next_version_has_no_ready_pod():
    """Two nodes that select the same pods keep App Mesh from adding its proxy to new ones."""
    there = cluster(router(route()))
    there.route(100)
    there.route(0, stable_hash="new")
    there.route(0, stable_hash="new", canary_hash="third", canary_ready=0, now=NOW + DRAIN)
    assert hashes(there) == ("new", "canary-hash")


@pytest.mark.parametrize("time", ["", "soon", "2999-01-01T00:00:00Z"])
def test_a_time_that_serinus_cannot_have_written_is_written_again(time: str):
    there = cluster(router(route()))
    there.route(100)
    there.route(0, stable_hash="new")
    there.get(NODE, "node-canary")["metadata"]["annotations"][EMPTY_AFTER] = time
    there.route(0, stable_hash="new")
    assert parse_time(notes(there)[EMPTY_AFTER]) == NOW + DRAIN


def test_without_versions_the_nodes_select_no_pod():
    there = cluster(router(route()))
    there.route(0, stable_hash="", canary_hash="")
    assert hashes(there) == ("stable-hash", "canary-hash")


def test_letting_go_gives_back_the_weights_and_then_all_pods_to_the_stable_node():
    there = cluster(router(route()))
    there.route(40)
    assert list(texts(there.release(now=NOW))) == ["patch VirtualRouter router"]
    assert weights(there) == [100, 0]
    assert list(texts(there.release(now=NOW))) == ["patch VirtualNode node-stable", "patch VirtualNode node-canary"]
    assert (hashes(there), there.release(now=NOW + 1)) == (("", "new"), [])
    there.release(now=NOW + DRAIN)
    assert (hashes(there), notes(there)) == (("", "canary-hash"), {})
    assert there.release(now=NOW + 9) == []


@pytest.mark.parametrize("name", ["node-stable", "node-canary"])
def test_a_node_of_another_rollout_says_whose_it_is_and_stays(name: str):
    nodes = [node(each, "other", "api" if each == name else "") for each in ("node-stable", "node-canary")]
    there = cluster(router(route()), nodes=(nodes[0], nodes[1]))
    assert there.error(20) == (
        f"VirtualNode {name} is managed by Rollout api (annotation {MANAGED_BY}): name another one, or remove the annotation"
    )
    assert there.release() == []


@pytest.mark.parametrize(("hash_", "after"), [("old", ""), ("stable-hash", ""), ("canary-hash", "canary-hash")])
def test_a_node_of_a_rollout_that_is_gone_selects_every_version_again(hash_: str, after: str):
    found = node("node-canary", hash_, "web")
    there = cluster(router(route()), nodes=(NODES[0], found))
    for write in ROUTER.unmark("node-canary", there.get(NODE, "node-canary")):
        there.carry_out(write)
    assert (hashes(there)[1], notes(there)) == (after, {})
    assert there.get(NODE, "node-canary")["spec"]["listeners"] == [2]


def test_a_version_without_a_ready_pod_gets_no_node_at_any_weight():
    there = cluster(router(route()))
    there.route(0, canary_ready=0)
    there.route(20, canary_ready=0)
    assert hashes(there)[1] != "new"


def bad(field: str, text: str) -> str:
    return f'spec.routes{field}: Invalid value: "router": {text}'


_OF = "AppMesh virtual-router router"
_UNFIT: list[tuple[Json, str]] = [
    (router(), bad("", f"No routes defined for {_OF}")),
    (obj("VirtualRouter", "router", None), bad("", f"No routes defined for {_OF}")),
    (router(7), bad("[0]", f"Invalid route was found for {_OF} at index 0")),
    (
        router({"name": "x"}),
        bad("[0]", f"Error getting route details for {_OF} and route x. Error: Route has unsupported route type"),
    ),
    (
        router({"name": "x", "httpRoute": {"action": 3}}),
        bad("[0].httpRoute.action.weightedTargets", f"Invalid route action found for {_OF} and route x"),
    ),
    (
        router(route(), route("x", targets=[target("node-stable", 1)])),
        bad(
            "[1].httpRoute.action.weightedTargets",
            f"Invalid number of weightedTargets (1) for {_OF} and route x, expected 2",
        ),
    ),
]


@pytest.mark.parametrize(("found", "text"), _UNFIT)
def test_a_router_that_is_unfit(found: Json, text: str):
    there = cluster(found)
    seen = {f"{SERVICE.key}/front": service(), f"{ROUTER_KIND.key}/router": found}
    assert invalid(there.rollout, objects=seen) == text
    assert there.error(20) == text


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (router(route(targets=[1, 2])), "[0].httpRoute.action.weightedTargets[0].virtualNodeRef"),
        (router(route(targets=[target("a", None), target("b", 1)])), "[0].httpRoute.action.weightedTargets[0].weight"),
        (router({**route(), "name": 3}), "[0].name"),
    ],
)
def test_a_route_that_is_not_well_formed(found: Json, text: str):
    assert cluster(found).error(20) == bad(text, "not well-formed")


def test_routes_that_lead_elsewhere():
    there = cluster(router(route(targets=[target("node-stable", 1), target("node-canary", 1, namespace="other")])))
    assert there.error(20) == "route primary of VirtualRouter router has no weightedTarget for VirtualNode node-canary"
    assert cluster(router(route()), routes=["x"]).error(20) == f"VirtualRouter router has no route x: {PATH}.routes"


@pytest.mark.parametrize(
    ("objects", "reason", "text"),
    [
        (
            (service(), router(route())),
            "VirtualNodeNotFound",
            "Virtual-node is missing: VirtualNode `node-stable` not found",
        ),
        (
            (*NODES, router(route())),
            "VirtualServiceNotFound",
            "Virtual-service is missing: VirtualService `front` not found",
        ),
        (
            (*NODES, service()),
            "VirtualRouterNotFound",
            "Virtual-router is missing: VirtualRouter for `front` not found",
        ),
        ((*NODES, service({})), "", "Virtual-service is not associated with virtual-router"),
        (
            (*NODES, service({"name": "router", "namespace": "mesh"})),
            "",
            "VirtualService front, spec.provider.virtualRouter.virtualRouterRef.namespace: VirtualRouter router is in namespace mesh",
        ),
        ((*NODES, obj("VirtualService", "front", 3)), "", "Virtual-service is not associated with virtual-router"),
    ],
)
def test_an_object_that_is_missing(objects: tuple[Json, ...], reason: str, text: str):
    there = Cluster(rollout(mesh()), *objects)
    assert there.error(20).startswith(text)
    notices = there.answers(there.traffic(20))[0].notices
    assert [notice.reason for notice in notices] == ([reason] if reason else [])
    if reason:
        assert there.error(20).endswith(notices[0].message)
        assert notices[0].message.endswith("not found in namespace `shop`")


@pytest.mark.parametrize("spec", [None, 3, {"podSelector": 3}, {"podSelector": {"matchLabels": []}}])
def test_a_node_of_any_shape_gets_its_selector(spec: Any):
    there = cluster(router(route()), nodes=(obj("VirtualNode", "node-stable", spec), NODES[1]))
    there.route(0)
    assert hashes(there)[0] == "old"


@pytest.mark.parametrize(
    ("part", "found", "text"),
    [
        ({"virtualNodeGroup": GROUP}, {}, f"{PATH}: Invalid value: null: must provide virtual-service"),
        (mesh()["appMesh"], {}, f'{PATH}: Invalid value: "front": virtualservices.appmesh.k8s.aws "front" not found'),
        (
            mesh()["appMesh"],
            {f"{SERVICE.key}/front": service()},
            f'{PATH}: Invalid value: "front": virtualrouters.appmesh.k8s.aws "router" not found',
        ),
        (
            mesh()["appMesh"],
            {f"{SERVICE.key}/front": service({})},
            f'{PATH}: Invalid value: "front": Virtual-service is not associated with virtual-router',
        ),
        (
            mesh()["appMesh"],
            {f"{SERVICE.key}/front": service({"name": "router", "namespace": "mesh"})},
            f'{PATH}: Invalid value: "front": VirtualService front, spec.provider.virtualRouter.virtualRouterRef.namespace: '
            "VirtualRouter router is in namespace mesh, and Serinus writes those of the Rollout's namespace only: move it there",
        ),
        (mesh()["appMesh"], {f"{SERVICE.key}/front": service(), f"{ROUTER_KIND.key}/router": router(route())}, ""),
    ],
)
def test_what_invalid_spec_says(part: Json, found: Json, text: str):
    assert invalid(rollout({"appMesh": part}), objects=found) == text


def _weight(found: Json) -> tuple[str, int, int] | None:
    stable, canary = found["spec"]["routes"][0]["httpRoute"]["action"]["weightedTargets"]
    return CANARY, canary["weight"], canary["weight"] + stable["weight"]


def _led(found: Json) -> dict[str, str]:
    target = CANARY if found["metadata"]["name"] == "node-canary" else "web"
    return {target: found["spec"]["podSelector"]["matchLabels"].get(HASH, "")}


MODELS["appMesh"] = RouterModel(
    routing=mesh(),
    plural="virtualrouters",
    name="router",
    objects=(service(), router(route())),
    weight=_weight,
    by_hand=lambda _: {"spec": {"routes": [route()]}},
    ours=("spec.routes",),
    subsets=Subsets(
        "virtualnodes",
        (node("node-stable"), node("node-canary")),
        _led,
        (f"spec.podSelector.matchLabels.{HASH}", "metadata.annotations"),
        services={"canaryService": "front-canary", "stableService": "front"},
        nobody=frozenset({"canary-hash", "stable-hash"}),
    ),
)


@pytest.mark.parametrize("seed", few(range(1, 25), (6, 16, 22)))
def test_random_histories_keep_every_promise(seed: int):
    history = with_router(generate(seed), "appMesh")
    if history is not None:
        assert [str(v) for v in run(history).violations] == []


def moves(trace: list[Json]) -> list[str]:
    """The writes at the promotion, in order."""
    fields = {"VirtualRouter/web": "spec.routes", "VirtualNode/web-stable": HASH, "VirtualNode/web-canary": HASH}
    lines = [line for line in trace if line.get("object") in fields]
    found = [line["object"] for line in lines if any(fields[line["object"]] in key for key in line)]
    return found[-3:]


def test_the_canary_node_keeps_its_pods_while_it_has_requests():
    """Argo Rollouts removes them before the weight."""
    router_, stable, canary = "VirtualRouter/web", "VirtualNode/web-stable", "VirtualNode/web-canary"
    assert moves(reference("appmesh-walk")) == [stable, canary, router_]
    assert moves(played("appmesh-walk").trace) == [stable, router_, canary]
