"""The controller as a Deployment on a node: what its container may do, and whole releases under load."""

from __future__ import annotations

import json

import pytest

from tests.support.cluster.cluster import ACCOUNT
from tests.support.cluster.rights import refused
from tests.support.instance.live import eventually
from tests.support.nodes.installed import HOME, NO_RIGHTS, controllers, leader, rights
from tests.support.nodes.node import Node
from tests.support.nodes.shop import Shop, rollout, service

STEPS = [{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {"duration": "2s"}}]
CANARY = {"canary": {"maxSurge": 1, "maxUnavailable": 0, "steps": STEPS}}
BLUE_GREEN = {"blueGreen": {"activeService": "shop", "previewService": "shop-preview", "autoPromotionEnabled": False}}
BUDGET = {
    "apiVersion": "policy/v1",
    "kind": "PodDisruptionBudget",
    "metadata": {"name": "shop"},
    "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "shop"}}},
}
pytestmark = pytest.mark.usefixtures("audited", "installed")


@pytest.fixture(scope="module")
def audited(node: Node) -> int:
    """The size of the audit log before the controller is installed: `helm uninstall` takes the rights of one that still ends."""
    return node.plane.audit_file.stat().st_size


def test_its_container_has_no_rights_on_the_node(installed: Node) -> None:
    for pod in controllers(installed):
        assert rights(installed, pod) == NO_RIGHTS


def test_a_canary_by_pods_loses_no_request(shop: Shop) -> None:
    shop.apply(rollout(CANARY), service())
    shop.becomes("Healthy")
    with shop.visited() as asking:
        shop.apply(rollout(CANARY, color="green"))
        shop.becomes("Paused")
        assert {"blue", "green"} <= set(eventually(lambda: (seen := asking.colors(400))["green"] and seen))
        assert shop.plugin("promote", "shop") == "rollout 'shop' promoted\n"
        shop.becomes("Healthy")
        asking.all_become("green")


def test_a_blue_green_release_loses_no_request(shop: Shop) -> None:
    shop.apply(rollout(BLUE_GREEN, replicas=2), service(), service("shop-preview"))
    shop.becomes("Healthy")
    with shop.visited() as asking:
        shop.apply(rollout(BLUE_GREEN, color="green", replicas=2))
        shop.becomes("Paused")
        with shop.visited("shop-preview") as ahead:
            ahead.all_become("green")
        asking.all_become("blue")
        shop.plugin("promote", "shop")
        shop.becomes("Healthy")
        asking.all_become("green")


def test_another_controller_leads_after_the_leaders_pod_is_killed_in_mid_canary(installed: Node, shop: Shop) -> None:
    shop.apply(rollout(CANARY), service())
    shop.becomes("Healthy")
    with shop.visited() as asking:
        shop.apply(rollout(CANARY, color="green"))
        shop.becomes("Paused")
        first = eventually(lambda: leader(installed))
        installed.kubectl("delete", "pod", first, "-n", HOME, "--grace-period=0", "--force")
        shop.plugin("promote", "shop")
        assert eventually(lambda: (now := leader(installed)) != first and now)
        shop.becomes("Healthy")
        asking.all_become("green")
    sets = json.loads(shop.kubectl("get", "replicasets", "-o", "json"))["items"]
    assert len(sets) == 2, "nothing was created twice"
    eventually(lambda: len(controllers(installed)) == 2)


def test_a_canary_goes_on_after_its_node_was_drained_within_the_disruption_budget(installed: Node, shop: Shop) -> None:
    """On the only node: the evicted pod's successor waits until the node takes pods again."""
    shop.apply(rollout(CANARY), service(), BUDGET)
    shop.becomes("Healthy")
    with shop.visited() as asking:
        shop.apply(rollout(CANARY, color="green"))
        shop.becomes("Paused")
        eventually(lambda: shop.allowed() == 1)
        said = shop.drain()
        assert "Cannot evict pod as it would violate the pod's disruption budget" in said
        assert "Unschedulable" in eventually(lambda: (why := shop.plugin("why", "shop")) and "nschedul" in why and why)
        installed.kubectl("uncordon", "n1")
        shop.plugin("promote", "shop")
        shop.becomes("Healthy")
        asking.all_become("green")


def test_its_rights_were_enough(installed: Node, audited: int) -> None:
    """Of all that the tests above did."""
    assert refused(installed.plane.audit_file, ACCOUNT, since=audited) == []
