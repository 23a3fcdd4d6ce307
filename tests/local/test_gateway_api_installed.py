"""The Gateway API on one machine: its definitions, its Gateway, and when Traefik reads them."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from serinus.api.resources import CRDS
from serinus.kube.client import Client
from serinus.kube.clock import LoopClock
from serinus.kube.errors import ApiError
from serinus.kube.wire import Request
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.store import MemoryStore
from serinus.local.followed import Followed
from serinus.local.gateway import GatewaySettings, configuration
from serinus.local.gateway_api import CLASSES, FOLLOWED, GATEWAYS, GROUP, READ, definitions, prepare
from serinus.local.schema.kinds import Schemas
from serinus.routing.gateway_api import KINDS

Json = dict[str, Any]
HTTP_ROUTES = KINDS["http"].resource("v1")


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    made = ApiServer(MemoryStore(history=50), Schemas(), LoopClock(), rng=random.Random(7))
    await made.start()
    yield made
    made.close()


@pytest.fixture
def client(server: ApiServer) -> Client:
    return Client(server.handle, user_agent="tests/1")


def described(value: Any) -> bool:
    if isinstance(value, dict):
        return isinstance(value.get("description"), str) or any(map(described, value.values()))
    return isinstance(value, list) and any(map(described, value))


def test_the_definitions_are_those_of_one_version_without_their_texts():
    found = definitions()
    notes = [each["metadata"]["annotations"] for each in found]
    assert {note["gateway.networking.k8s.io/bundle-version"] for note in notes} == {"v1.6.3"}
    assert {note["gateway.networking.k8s.io/channel"] for note in notes} == {"standard"}
    assert {each["spec"]["names"]["plural"] for each in found} >= {*READ, *(kind.plural for kind in KINDS.values())}
    assert not described(found)


async def test_nothing_is_made_unless_it_is_asked_for(client: Client):
    assert await prepare(client, 8080, install=False) is False
    with pytest.raises(ApiError):
        await client.get(GATEWAYS, "gateway", "default")


async def test_what_was_installed_once_is_served_again_and_follows_the_port(client: Client):
    assert await prepare(client, 8080, install=True) is True
    assert (await client.get(CLASSES, "traefik"))["spec"]["controllerName"] == "traefik.io/gateway-controller"
    own = {"name": "own", "protocol": "HTTP", "port": 9999, "hostname": "own.test"}
    found = await client.get(GATEWAYS, "gateway", "default")
    await client.patch(GATEWAYS, "gateway", {"spec": {"listeners": [*found["spec"]["listeners"], own]}}, "default")
    assert await prepare(client, 8181, install=False) is True
    listeners = (await client.get(GATEWAYS, "gateway", "default"))["spec"]["listeners"]
    assert [(each["name"], each["port"]) for each in listeners] == [("web", 8181), ("own", 9999)]
    before = (await client.get(GATEWAYS, "gateway", "default"))["metadata"]["resourceVersion"]
    assert await prepare(client, 8181, install=True) is True
    assert (await client.get(GATEWAYS, "gateway", "default"))["metadata"]["resourceVersion"] == before


async def test_traefik_reads_nothing_where_one_of_its_kinds_is_missing(client: Client):
    await prepare(client, 8080, install=True)
    await client.delete(CRDS, f"backendtlspolicies.{GROUP}")
    assert await prepare(client, 8080, install=False) is False


async def test_the_definition_of_a_user_stays(client: Client):
    (theirs,) = [each for each in definitions() if each["spec"]["names"]["kind"] == "HTTPRoute"]
    theirs["metadata"]["annotations"]["gateway.networking.k8s.io/bundle-version"] = "v9"
    await client.create(CRDS, theirs)
    await prepare(client, 8080, install=True)
    found = await client.get(CRDS, theirs["metadata"]["name"])
    assert found["metadata"]["annotations"]["gateway.networking.k8s.io/bundle-version"] == "v9"


async def test_a_route_has_the_names_and_defaults_that_the_router_counts_on(client: Client):
    await prepare(client, 8080, install=True)
    rules = [{"name": "by-header", "backendRefs": [{"name": "web", "port": 80}]}]
    route = {"metadata": {"name": "web"}, "spec": {"parentRefs": [{"name": "gateway"}], "rules": rules}}
    made: Json = await client.create(
        HTTP_ROUTES, {"apiVersion": f"{GROUP}/v1", "kind": "HTTPRoute", **route}, "default"
    )
    assert made["spec"]["rules"] == [
        {
            "name": "by-header",
            "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
            "backendRefs": [{"group": "", "kind": "Service", "name": "web", "port": 80, "weight": 1}],
        }
    ]


@pytest.mark.parametrize("served", [False, True])
def test_the_provider_is_on_where_the_definitions_are_served(served: bool, tmp_path: Path):
    settings = GatewaySettings(tmp_path, "https://127.0.0.1:1", tmp_path, tmp_path, tmp_path, gateway_api=served)
    assert ("kubernetesGateway" in configuration(settings)["providers"]) is served


async def test_a_weight_waits_until_traefik_watches_the_routes_too(server: ApiServer, client: Client):
    await prepare(client, 8080, install=True)
    followed = Followed(server.handle, FOLLOWED)
    for path in (
        "/apis/networking.k8s.io/v1/ingresses",
        "/api/v1/services",
        "/apis/discovery.k8s.io/v1/endpointslices",
        f"/apis/{GROUP}/v1/gateways",
        f"/apis/{GROUP}/v1/httproutes",
    ):
        assert not await followed.by_gateway(0)
        watch = Request("GET", path, {"watch": "true", "timeoutSeconds": "1"}, {"user-agent": "traefik/3"}, b"")
        assert (await followed.handle(watch)).stream is not None
    assert await followed.by_gateway(0)
