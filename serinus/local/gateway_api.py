"""The Gateway API on one machine: its definitions, and a Gateway on the gateway's port to which any HTTPRoute can attach.

It costs memory and time at the start, so nobody has it who did not ask for it: `serinus up --gateway-api` installs the definitions, which
stay in the data directory. Traefik reads routes only where they are served: its provider fails without them.
"""

from __future__ import annotations

import gzip
import json
from contextlib import suppress
from importlib.resources import files
from typing import Any

from serinus.api.resources import CRDS, Resource
from serinus.kube.client import Client
from serinus.kube.errors import AlreadyExists, NotFound

Json = dict[str, Any]
GROUP = "gateway.networking.k8s.io"
CLASSES = Resource(GROUP, "v1", "gatewayclasses", "GatewayClass", namespaced=False, singular="gatewayclass")
GATEWAYS = Resource(GROUP, "v1", "gateways", "Gateway", singular="gateway")
READ = (
    "backendtlspolicies", "gatewayclasses", "gateways", "grpcroutes", "httproutes", "listenersets", "referencegrants",
)  # fmt: skip
"""Kinds that Traefik's provider reads; it starts with all of them or not at all."""
FOLLOWED = frozenset({"httproutes", "gateways"})
"""Those that it has to watch before a weight may change."""
NAME = "gateway"
SPACE = "default"
CLASS: Json = {
    "apiVersion": f"{GROUP}/v1",
    "kind": "GatewayClass",
    "metadata": {"name": "traefik"},
    "spec": {"controllerName": "traefik.io/gateway-controller"},
}


def definitions() -> list[Json]:
    """The CustomResourceDefinitions of the standard channel; each names its version (`tools/write_gateway_api.py` makes the file)."""
    return json.loads(gzip.decompress(files("serinus.local").joinpath("gateway_api.json.gz").read_bytes()))


def gateway(port: int) -> Json:
    """The Gateway `default/gateway`: routes of all namespaces may attach to it."""
    listener = {"name": "web", "protocol": "HTTP", "port": port, "allowedRoutes": {"namespaces": {"from": "All"}}}
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "Gateway",
        "metadata": {"name": NAME, "namespace": SPACE},
        "spec": {"gatewayClassName": CLASS["metadata"]["name"], "listeners": [listener]},
    }


async def prepare(client: Client, port: int, *, install: bool) -> bool:
    """Whether the API server serves what Traefik reads. If so, a GatewayClass and a Gateway on the port are there.

    `install`: missing definitions are made. Those of a user stay, whatever their version.
    """
    if install:
        for definition in definitions():
            with suppress(AlreadyExists):
                await client.create(CRDS, definition)
    try:
        for plural in READ:
            await client.get(CRDS, f"{plural}.{GROUP}")
    except NotFound:
        return False
    with suppress(AlreadyExists):
        await client.create(CLASSES, CLASS)
    try:
        await client.create(GATEWAYS, gateway(port), SPACE)
    except AlreadyExists:
        await _move(client, port)
    return True


async def _move(client: Client, port: int) -> None:
    """Our listener follows the gateway's port; what the user made of the Gateway stays."""
    found: Json = await client.get(GATEWAYS, NAME, SPACE)
    listeners: list[Json] = found["spec"].get("listeners") or []
    wanted = [{**each, "port": port} if each.get("name") == "web" else each for each in listeners]
    if wanted != listeners:
        version = found["metadata"]["resourceVersion"]
        patch = {"metadata": {"resourceVersion": version}, "spec": {"listeners": wanted}}
        await client.patch(GATEWAYS, NAME, patch, SPACE)
