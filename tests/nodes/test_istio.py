"""Releases through Istio on the node: istiod and Envoy are pods, and Envoy divides the requests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.cluster.binary import NoBinary
from tests.support.nodes.addons.istio import PORT, running_istio
from tests.support.nodes.node import Node
from tests.support.nodes.routed import canary_and_abort
from tests.support.nodes.shop import Shop


@pytest.fixture(scope="module")
def gateway(installed: Node) -> Iterator[str]:
    try:
        with running_istio(installed) as url:
            yield url
    except NoBinary as error:
        pytest.skip(f"no Istio here: {error}")


@pytest.mark.parametrize("router", ["istio-hosts", "istio-subsets"])
def test_a_canary_and_an_abort_lose_no_request(shop: Shop, gateway: str, router: str) -> None:
    canary_and_abort(shop, gateway, router, port=PORT, bind="0.0.0.0")
