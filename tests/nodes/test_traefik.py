"""Releases through Traefik as a pod of the node: by Ingresses, by the Gateway API, and by Traefik's own resources."""

from __future__ import annotations

import pytest

from tests.support.nodes.addons.traefik import install_traefik
from tests.support.nodes.node import Node
from tests.support.nodes.routed import canary_and_abort
from tests.support.nodes.shop import Shop


@pytest.fixture(scope="module")
def gateway(installed: Node) -> str:
    return install_traefik(installed)


@pytest.mark.parametrize("router", ["nginx", "gateway-api", "traefik"])
def test_a_canary_and_an_abort_lose_no_request(shop: Shop, gateway: str, router: str) -> None:
    canary_and_abort(shop, gateway, router)
