"""Names of Services, which CoreDNS resolves on the node: in pods, and in the controller's own container for an analysis."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.cluster.binary import NoBinary
from tests.support.instance.live import eventually
from tests.support.nodes.addons.coredns import coredns, resolved
from tests.support.nodes.node import Node
from tests.support.nodes.node_settings import DOMAIN
from tests.support.nodes.python_files import interpreter
from tests.support.nodes.shop import Shop, rollout, service

CANARY = "shop-canary"
RESOLVE = "import socket, sys; print(socket.gethostbyname(sys.argv[1]))"


@pytest.fixture(scope="module", autouse=True)
def names(installed: Node) -> Iterator[None]:
    try:
        program = coredns()
    except NoBinary as error:
        pytest.skip(f"no CoreDNS here: {error}")
    with resolved(installed, program):
        yield


def strategy(namespace: str) -> dict[str, Any]:
    """A canary by pods, which is promoted when its own Service answers with the color."""
    analysis = {
        "templates": [{"templateName": "color"}],
        "args": [{"name": "host", "value": f"{CANARY}.{namespace}.svc.{DOMAIN}"}],
    }
    steps = [{"setWeight": 25}, {"analysis": analysis}]
    return {"canary": {"canaryService": CANARY, "maxSurge": 1, "maxUnavailable": 0, "steps": steps}}


def template(color: str) -> dict[str, Any]:
    """A run with it asks the host of its argument."""
    web = {"url": "http://{{args.host}}/color", "jsonPath": "{$}"}
    # kube-proxy follows the canary Service's selector a moment after the step has begun.
    metric = {
        "name": "color",
        "initialDelay": "10s",
        "successCondition": f"result == '{color}'",
        "provider": {"web": web},
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": {"name": "color"},
        "spec": {"args": [{"name": "host"}], "metrics": [metric]},
    }


def test_a_pod_resolves_a_service_by_its_short_and_its_full_name(shop: Shop) -> None:
    shop.apply(rollout(strategy(shop.namespace), replicas=1), service(), service(CANARY), template("blue"))
    shop.becomes("Healthy")
    address = shop.address().removeprefix("http://")
    (pod,) = shop.pods("blue")
    for name in ("shop", f"shop.{shop.namespace}", f"shop.{shop.namespace}.svc.{DOMAIN}"):
        command = ("exec", pod, "--", str(interpreter()), "-c", RESOLVE, name)
        assert eventually(lambda command=command: shop.kubectl(*command, check=False)).strip() == address


def test_an_analysis_asks_a_service_by_its_name_and_decides_by_the_answer(shop: Shop) -> None:
    canary = strategy(shop.namespace)
    shop.apply(rollout(canary), service(), service(CANARY), template("green"))
    shop.becomes("Healthy")
    with shop.visited() as asking:
        shop.apply(rollout(canary, color="green"))
        shop.becomes("Healthy")
        asking.all_become("green")
        shop.apply(rollout(canary, color="yellow"))
        shop.becomes("Degraded")
        asking.all_become("green")
