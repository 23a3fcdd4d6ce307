"""A HorizontalPodAutoscaler by the CPU of real containers, which metrics-server measures, resizes a Rollout in mid-canary."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.cluster.binary import NoBinary
from tests.support.instance.live import eventually
from tests.support.nodes.addons.metrics_server import measured, metrics_server
from tests.support.nodes.node import Node
from tests.support.nodes.shop import Shop, rollout, service

CANARY: dict[str, Any] = {"canary": {"maxSurge": 1, "maxUnavailable": 0, "steps": [{"setWeight": 50}, {"pause": {}}]}}
FEWEST, MOST = 2, 4
AUTOSCALER = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "shop"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "shop"},
        "minReplicas": FEWEST,
        "maxReplicas": MOST,
        # Of 10m. All requests together cost about 17m here; a pod without requests costs less than 1m.
        "metrics": [
            {
                "type": "Resource",
                "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 15}},
            }
        ],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}},
    },
}


@pytest.fixture(scope="module")
def metrics(installed: Node) -> Iterator[None]:
    try:
        program = metrics_server()
    except NoBinary as error:
        pytest.skip(f"no metrics-server here: {error}")
    with measured(installed, program):
        yield


def test_a_canary_grows_and_shrinks_by_the_cpu_of_its_pods(metrics: None, shop: Shop) -> None:
    """The Rollout has no `replicas` of its own, so that an apply leaves the size to the autoscaler."""
    shop.apply(_sized_by_another("blue"), service(), AUTOSCALER)
    shop.becomes("Healthy")
    with shop.visited() as asking:
        shop.apply(_sized_by_another("green"))
        shop.pauses_at(1)
        eventually(lambda: (len(shop.pods("blue")), len(shop.pods("green"))) == (MOST // 2, MOST // 2), 120)
        assert {"blue", "green"} == set(asking.colors(200))
        shop.pauses_at(1)
        shop.plugin("promote", "shop")
        shop.becomes("Healthy")
        asking.all_become("green")
    eventually(lambda: len(shop.pods("green")) == FEWEST, 120)
    shop.becomes("Healthy")


def _sized_by_another(color: str) -> dict[str, Any]:
    made = rollout(CANARY, color=color)
    del made["spec"]["replicas"]
    return made
