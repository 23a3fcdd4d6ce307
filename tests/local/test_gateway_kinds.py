"""The kinds that the gateway of one machine reads beside Ingresses: their definitions, the Gateway, and Traefik's providers."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from serinus.api.resources import CRDS
from serinus.kube.client import Client
from serinus.kube.transport import Request
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.storage.store import MemoryStore
from serinus.local.schema.kinds import Schemas
from serinus.local.traefik.followed import Followed
from serinus.local.traefik.gateway_api import CLASSES, GATEWAYS, GROUP, prepare
from serinus.local.traefik.gateway_config import GatewaySettings, configuration
from serinus.local.traefik.gateway_kinds import GATEWAY_API, TRAEFIK, Kinds, definitions, in_use, install
from serinus.routing.gateway_api import KINDS
from tests.support.kube.loop_clock import LoopClock

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


BOTH = frozenset({GATEWAY_API.group, TRAEFIK.group})


def test_the_definitions_of_the_gateway_api_are_those_of_one_version():
    found = definitions(GATEWAY_API)
    notes = [each["metadata"]["annotations"] for each in found]
    assert {note["gateway.networking.k8s.io/bundle-version"] for note in notes} == {"v1.6.3"}
    assert {note["gateway.networking.k8s.io/channel"] for note in notes} == {"standard"}
    assert {each["spec"]["names"]["plural"] for each in found} >= {kind.plural for kind in KINDS.values()}


@pytest.mark.parametrize("kinds", [GATEWAY_API, TRAEFIK], ids=lambda kinds: kinds.group)
def test_the_definitions_have_all_kinds_that_traefik_reads_and_no_texts(kinds: Kinds):
    found = definitions(kinds)
    assert {each["spec"]["names"]["plural"] for each in found} >= kinds.read.keys() >= set(kinds.weighted)
    assert not described(found)


async def test_every_start_installs_what_is_missing(client: Client):
    assert await install(client, GATEWAY_API, TRAEFIK) == BOTH
    await client.delete(CRDS, f"middlewares.{TRAEFIK.group}")
    assert await install(client, GATEWAY_API, TRAEFIK) == BOTH


async def test_the_gateway_follows_the_port_and_keeps_the_listeners_of_the_user(client: Client):
    await install(client, GATEWAY_API)
    await prepare(client, 8080)
    assert (await client.get(CLASSES, "traefik"))["spec"]["controllerName"] == "traefik.io/gateway-controller"
    own = {"name": "own", "protocol": "HTTP", "port": 9999, "hostname": "own.test"}
    found = await client.get(GATEWAYS, "gateway", "default")
    await client.patch(GATEWAYS, "gateway", {"spec": {"listeners": [*found["spec"]["listeners"], own]}}, "default")
    await prepare(client, 8181)
    moved = await client.get(GATEWAYS, "gateway", "default")
    assert [(each["name"], each["port"]) for each in moved["spec"]["listeners"]] == [("web", 8181), ("own", 9999)]
    await prepare(client, 8181)
    again = await client.get(GATEWAYS, "gateway", "default")
    assert again["metadata"]["resourceVersion"] == moved["metadata"]["resourceVersion"]


async def test_the_definition_of_a_user_stays(client: Client):
    (theirs,) = [each for each in definitions(GATEWAY_API) if each["spec"]["names"]["kind"] == "HTTPRoute"]
    theirs["metadata"]["annotations"]["gateway.networking.k8s.io/bundle-version"] = "v9"
    await client.create(CRDS, theirs)
    assert await install(client, GATEWAY_API) == {GATEWAY_API.group}
    found = await client.get(CRDS, theirs["metadata"]["name"])
    assert found["metadata"]["annotations"]["gateway.networking.k8s.io/bundle-version"] == "v9"


async def test_traefik_reads_no_group_of_which_a_user_serves_another_version(client: Client):
    """Its provider would wait for the kind for ever, and no weight would be written meanwhile."""
    (theirs,) = [each for each in definitions(TRAEFIK) if each["spec"]["names"]["kind"] == "TraefikService"]
    (version,) = theirs["spec"]["versions"]
    version["name"] = "v2"
    await client.create(CRDS, theirs)
    assert await install(client, GATEWAY_API, TRAEFIK) == {GATEWAY_API.group}


async def test_a_route_has_the_names_and_defaults_that_the_router_counts_on(client: Client):
    await install(client, GATEWAY_API)
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


@pytest.mark.parametrize(
    ("groups", "providers"),
    [
        (frozenset[str](), set[str]()),
        (frozenset({GATEWAY_API.group}), {"kubernetesGateway"}),
        (BOTH, {"kubernetesGateway", "kubernetesCRD"}),
    ],
)
def test_a_provider_is_on_where_its_kinds_are_served(groups: frozenset[str], providers: set[str], tmp_path: Path):
    settings = GatewaySettings(tmp_path, "https://127.0.0.1:1", tmp_path, tmp_path, tmp_path, groups=groups)
    found = configuration(settings)["providers"].keys()
    assert found & {"kubernetesGateway", "kubernetesCRD"} == providers
    assert "kubernetesIngressNGINX" in found


async def test_a_weight_waits_for_the_watches_of_routes_that_there_are(server: ApiServer, client: Client):
    """Traefik's watches rest for up to a minute after several breaks: one without routes delays no release. Each
    of its providers watches Services for itself."""
    await install(client, GATEWAY_API, TRAEFIK)
    assert await in_use(client, GATEWAY_API, TRAEFIK) == frozenset()
    route = {"metadata": {"name": "web"}, "spec": {"parentRefs": [{"name": "gateway"}]}}
    await client.create(HTTP_ROUTES, {"apiVersion": f"{GROUP}/v1", "kind": "HTTPRoute", **route}, "default")
    followed = Followed(server.handle, await in_use(client, GATEWAY_API, TRAEFIK))
    ingress, gateway = "traefik/3.7 (linux/amd64) kubernetes/ingress", "traefik/v0.0.0 (linux/amd64) kubernetes/$Format"
    services, slices = "/api/v1/services", "/apis/discovery.k8s.io/v1/endpointslices"
    for agent, path in (
        (ingress, "/apis/networking.k8s.io/v1/ingresses"),
        (ingress, services),
        (ingress, slices),
        (gateway, services),
        (gateway, f"/apis/{GROUP}/v1/httproutes"),
        (gateway, slices),
    ):
        assert not await followed.by_gateway(0)
        watch = Request("GET", path, {"watch": "true", "timeoutSeconds": "1"}, {"user-agent": agent}, b"")
        assert (await followed.handle(watch)).stream is not None
    assert await followed.by_gateway(0)
