"""The chart on a node, with the image of this run: installed, upgraded and removed with Helm under load."""

from __future__ import annotations

import pytest

from serinus.install.installation import NAME
from tests.support.instance.live import eventually
from tests.support.nodes.helm_release import Release
from tests.support.nodes.installed import HOME, NO_RIGHTS, controllers, leader, rights
from tests.support.nodes.shop import Shop, rollout, service

CANARY = {
    "canary": {
        "maxSurge": 1,
        "maxUnavailable": 0,
        "steps": [{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}],
    }
}
ONCE = {"replicasets": 2, "pods": 8}
"""Four pods of each of two versions, none made twice."""


@pytest.fixture(autouse=True)
def installed(release: Release) -> Release:
    """The release with the chart's own values."""
    if not release.installed():
        release.install()
    return release


def test_its_containers_have_no_rights_on_the_node_and_the_limits_of_the_chart(installed: Release) -> None:
    pods = controllers(installed.node)
    assert len(pods) == 2
    for pod in pods:
        assert rights(installed.node, pod) == NO_RIGHTS
    path = "jsonpath={.items[*].spec.containers[*].resources.limits.memory}"
    assert installed.node.kubectl("get", "pods", "-n", HOME, "-o", path).split() == ["1Gi", "1Gi"]


def test_a_canary_goes_on_while_helm_upgrade_replaces_the_controllers(installed: Release, shop: Shop) -> None:
    shop.apply(rollout(CANARY), service())
    shop.becomes("Healthy")
    before = controllers(installed.node)
    with shop.visited() as asking:
        shop.apply(rollout(CANARY, color="green"))
        shop.becomes("Paused")
        shop.plugin("promote", "shop")
        installed.upgrade("replicas=3", "resources.limits.memory=512Mi")
        shop.pauses_at(3)
        shop.plugin("promote", "shop")
        shop.becomes("Healthy")
        asking.all_become("green")
    assert {kind: shop.created()[kind] for kind in ONCE} == ONCE
    eventually(lambda: len(now := controllers(installed.node)) == 3 and not set(now) & set(before))
    assert eventually(lambda: leader(installed.node)) not in before


def test_pods_serve_without_the_controller_and_a_new_installation_goes_on(installed: Release, shop: Shop) -> None:
    """`helm uninstall` in mid-canary keeps the definitions, the Rollouts and their pods; Kubernetes replaces pods that end."""
    shop.apply(rollout(CANARY), service())
    shop.becomes("Healthy")
    with shop.visited() as asking:
        shop.apply(rollout(CANARY, color="green"))
        shop.becomes("Paused")
        installed.uninstall()
        assert NAME not in installed.node.kubectl("get", "clusterrole,clusterrolebinding", "-o", "name")
        shop.plugin("promote", "shop")
        (before,) = shop.pods("green")
        shop.kubectl("delete", "pod", before)
        assert eventually(lambda: shop.pods("green")) != [before]
        assert {"blue", "green"} == set(asking.colors(400))
        installed.install()
        shop.pauses_at(3)
        assert len(shop.pods("green")) == 2
        shop.plugin("promote", "shop")
        shop.becomes("Healthy")
        asking.all_become("green")
    assert {kind: shop.created()[kind] for kind in ONCE} == {**ONCE, "pods": 9}
