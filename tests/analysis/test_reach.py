"""Providers reach the cluster through our own client."""

from __future__ import annotations

from serinus.analysis.providers.provider import Cluster, ProviderContext
from serinus.kube.client import Client
from tests.support.analysis.vendor import CONTROLLER, World


def reach_of(client: Client, world: World) -> ProviderContext:
    """The type checker verifies these types."""
    cluster: Cluster = client
    return ProviderContext(world.http, cluster, lambda: world.now)


async def test_a_secret_that_is_no_text_or_cannot_be_read_is_told(world: World) -> None:
    world.cluster.objects["secrets", CONTROLLER, "newrelic"] = {"data": {"account-id": "/////w=="}}
    measured = await world.measured("newRelic", {"query": "q"})
    assert measured.message.startswith(f"Secret {CONTROLLER}/newrelic: the value of 'account-id' is no text")
    world.cluster.broken = PermissionError("forbidden")
    measured = await world.measured("newRelic", {"query": "q"})
    assert measured.message == f"Secret {CONTROLLER}/newrelic cannot be read: forbidden"
