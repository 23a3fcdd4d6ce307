"""The local Gateway API: a GatewayClass, and a Gateway on the gateway's port that accepts routes of all namespaces."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from serinus.api.resources import Resource
from serinus.kube.client import Client
from serinus.kube.errors import AlreadyExists
from serinus.local.traefik.gateway_kinds import GATEWAY_API

Json = dict[str, Any]
GROUP = GATEWAY_API.group
CLASSES = Resource(GROUP, "v1", "gatewayclasses", "GatewayClass", namespaced=False, singular="gatewayclass")
GATEWAYS = Resource(GROUP, "v1", "gateways", "Gateway", singular="gateway")
NAME = "gateway"
SPACE = "default"
CLASS: Json = {
    "apiVersion": f"{GROUP}/v1",
    "kind": "GatewayClass",
    "metadata": {"name": "traefik"},
    "spec": {"controllerName": "traefik.io/gateway-controller"},
}


def gateway(port: int) -> Json:
    """The Gateway `default/gateway`, which accepts routes of all namespaces."""
    listener = {"name": "web", "protocol": "HTTP", "port": port, "allowedRoutes": {"namespaces": {"from": "All"}}}
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "Gateway",
        "metadata": {"name": NAME, "namespace": SPACE},
        "spec": {"gatewayClassName": CLASS["metadata"]["name"], "listeners": [listener]},
    }


async def prepare(client: Client, port: int) -> None:
    """Creates the GatewayClass and the Gateway, or moves the Gateway's listener to the port."""
    with suppress(AlreadyExists):
        await client.create(CLASSES, CLASS)
    try:
        await client.create(GATEWAYS, gateway(port), SPACE)
    except AlreadyExists:
        await _move(client, port)


async def _move(client: Client, port: int) -> None:
    """Moves Serinus' listener to the gateway's port and keeps the user's changes to the Gateway."""
    current: Json = await client.get(GATEWAYS, NAME, SPACE)
    listeners: list[Json] = current["spec"].get("listeners") or []
    moved = [{**each, "port": port} if each.get("name") == "web" else each for each in listeners]
    if moved != listeners:
        version = current["metadata"]["resourceVersion"]
        patch = {"metadata": {"resourceVersion": version}, "spec": {"listeners": moved}}
        await client.patch(GATEWAYS, NAME, patch, SPACE)
