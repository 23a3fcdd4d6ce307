"""Definitions of the kinds that the gateway reads beside Ingresses: those of the Gateway API, and Traefik's own.

`serinus up` installs the missing ones at each start. Definitions that a user applied stay as they are. Traefik's provider of a group fails
as a whole when the API server does not serve one of the kinds, so it is off then.
"""

from __future__ import annotations

import gzip
import json
from contextlib import suppress
from importlib.resources import files
from typing import Any, NamedTuple

from serinus.api.resources import CRDS
from serinus.kube.client import Client
from serinus.kube.errors import AlreadyExists

Json = dict[str, Any]


class Kinds(NamedTuple):
    """The kinds of one group. `file`: their definitions (`tools/write_gateway_kinds.py` makes it)."""

    group: str
    file: str
    read: dict[str, str]
    """Plural: version, of the kinds that Traefik's provider needs at its start."""
    provider: str
    """Of Traefik, as `followed.provider` names it."""
    weighted: tuple[str, ...]
    """Plurals of the kinds that have weights."""


GATEWAY_API = Kinds(
    group="gateway.networking.k8s.io",
    file="gateway_api.json.gz",
    read={
        **dict.fromkeys(
            ("backendtlspolicies", "gatewayclasses", "gateways", "grpcroutes", "httproutes", "listenersets"), "v1"
        ),
        "referencegrants": "v1beta1",
    },
    provider="gateway",
    weighted=("grpcroutes", "httproutes"),
)
TRAEFIK = Kinds(
    group="traefik.io",
    file="traefik_kinds.json.gz",
    read=dict.fromkeys(
        (
            "ingressroutes", "ingressroutetcps", "ingressrouteudps", "middlewares", "middlewaretcps", "serverstransports",
            "serverstransporttcps", "tlsoptions", "tlsstores", "traefikservices",
        ),
        "v1alpha1",
    ),
    provider="crd",
    weighted=("traefikservices",),
)  # fmt: skip


def definitions(kinds: Kinds) -> list[Json]:
    """The CustomResourceDefinitions of a group."""
    return json.loads(gzip.decompress(files("serinus.local").joinpath(kinds.file).read_bytes()))


async def install(client: Client, *groups: Kinds) -> frozenset[str]:
    """Creates missing definitions; the groups of which the API server then serves all kinds that Traefik reads."""
    there = await _served(client)
    for kinds in groups:
        if any(f"{plural}.{kinds.group}" not in there for plural in kinds.read):
            for definition in definitions(kinds):
                with suppress(AlreadyExists):
                    await client.create(CRDS, definition)
    there = await _served(client)
    return frozenset(
        kinds.group
        for kinds in groups
        if all(version in there.get(f"{plural}.{kinds.group}", ()) for plural, version in kinds.read.items())
    )


async def in_use(client: Client, *groups: Kinds) -> frozenset[tuple[str, str]]:
    """(provider, plural) of the kinds with weights of which there are objects.

    Traefik has to watch them before a weight may change. After several breaks of its connection each of its watches rests for up to a
    minute, so the controllers wait for no other kind.
    """
    found: set[tuple[str, str]] = set()
    for kinds in groups:
        for plural in kinds.weighted:
            path = f"/apis/{kinds.group}/{kinds.read[plural]}/{plural}"
            answer = await client.raw("GET", path, query={"limit": "1"})
            if json.loads(answer.body)["items"]:
                found.add((kinds.provider, plural))
    return frozenset(found)


async def _served(client: Client) -> dict[str, frozenset[str]]:
    """Name of each definition: the versions that are served."""
    listed = await client.list(CRDS)
    return {
        each["metadata"]["name"]: frozenset(v["name"] for v in each["spec"]["versions"] if v["served"])
        for each in listed.items
    }
