"""Releases of `web` through a gateway that is a pod of the node, under load."""

from __future__ import annotations

from typing import Any

from tests.gateways import routes
from tests.support.instance.live import eventually
from tests.support.instance.visitors import visitors
from tests.support.nodes.shop import Shop

HALF = 3
"""The index of the pause after the weight of 50 %."""


def canary_and_abort(web: Shop, gateway: str, router: str, **where: Any) -> None:
    """A canary to its end, and another that is aborted: no request is lost. `gateway`: its URL. `where`: for `routes.objects`.

    Pods have no preStop hook: no request reaches them by their Service's address.
    """
    web.name = routes.NAME
    web.apply(*routes.objects(router, "blue", **where))
    web.becomes("Healthy")
    host = routes.host(router)
    eventually(lambda: web.answers(gateway, host))
    with visitors(gateway, host) as asking:
        web.apply(routes.rollout(router, "green"))
        web.pauses_at(HALF)
        eventually(lambda: 40 < asking.share("green") < 60, 60)
        web.plugin("promote", routes.NAME)
        web.becomes("Healthy")
        asking.all_become("green")
        web.apply(routes.rollout(router, "yellow"))
        web.pauses_at(HALF)
        assert {"green", "yellow"} == set(asking.colors(400))
        web.plugin("abort", routes.NAME)
        web.becomes("Degraded")
        asking.all_become("green")
        web.apply(routes.rollout(router, "green"))
        web.becomes("Healthy")
    print(f"{router}: {asking.traffic.total} requests, {asking.traffic.failed} lost")
