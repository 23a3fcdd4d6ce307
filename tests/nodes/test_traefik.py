"""Releases through Traefik as a pod of the node: by Ingresses, by the Gateway API, and by Traefik's own resources."""

from __future__ import annotations

import pytest

from tests.gateways import routes
from tests.support.instance.live import eventually
from tests.support.instance.visitors import visitors
from tests.support.nodes.node import Node
from tests.support.nodes.shop import Shop
from tests.support.nodes.traefik import install_traefik

HALF = 3
"""The index of the pause after the weight of 50 %."""


@pytest.fixture(scope="module")
def gateway(installed: Node) -> str:
    return install_traefik(installed)


@pytest.fixture
def web(gateway: str, shop: Shop) -> Shop:
    shop.name = routes.NAME
    return shop


@pytest.mark.parametrize("router", ["nginx", "gateway-api", "traefik"])
def test_a_canary_and_an_abort_lose_no_request(web: Shop, gateway: str, router: str) -> None:
    """Pods have no preStop hook: no request reaches them by their Service's address."""
    web.apply(*routes.objects(router, "blue"))
    web.becomes("Healthy")
    host = routes.host(router)
    eventually(lambda: web.answers(gateway, host))
    with visitors(gateway, host) as asking:
        web.apply(routes.rollout(router, "green"))
        web.pauses_at(HALF)
        eventually(lambda: 40 < asking.share("green") < 60, 60)
        web.plugin("promote", "web")
        web.becomes("Healthy")
        asking.all_become("green")
        web.apply(routes.rollout(router, "yellow"))
        web.pauses_at(HALF)
        assert {"green", "yellow"} == set(asking.colors(400))
        web.plugin("abort", "web")
        web.becomes("Degraded")
        asking.all_become("green")
        web.apply(routes.rollout(router, "green"))
        web.becomes("Healthy")
    print(f"{router}: {asking.traffic.total} requests, {asking.traffic.failed} lost")
