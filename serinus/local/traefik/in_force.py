"""Asks Traefik which weights and which pods it uses now, for the Services of each namespace.

Source: Traefik's API, `/api/http/services`. The metadata of a load balancer names its Kubernetes Service.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from serinus.kube.http.http1 import Http1

PATH = "/api/http/services"
TOKEN_HEADER = "X-Serinus-Gateway-Token"
SECONDS = 2.0
"""Time limit of one request."""
MOST = 1_000_000
"""Services in one answer. Traefik's default is 100."""


class InForce(NamedTuple):
    """Of the Services of one namespace: Service -> weight, for each group that shares requests; Service -> addresses."""

    splits: tuple[dict[str, int], ...]
    servers: dict[str, tuple[str, ...]]


class _KubernetesService(msgspec.Struct, frozen=True):
    namespace: str = ""
    name: str = ""


class _Metadata(msgspec.Struct, frozen=True):
    kubernetes: _KubernetesService = _KubernetesService()


class _Observability(msgspec.Struct, frozen=True):
    metadata: _Metadata = _Metadata()


class _Server(msgspec.Struct, frozen=True):
    url: str = ""


class _LoadBalancer(msgspec.Struct, frozen=True):
    servers: list[_Server] = []


class _Part(msgspec.Struct, frozen=True):
    name: str = ""
    weight: int = 0


class _Weighted(msgspec.Struct, frozen=True):
    services: list[_Part] = []


class _Service(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    load_balancer: _LoadBalancer | None = None
    weighted: _Weighted | None = None
    observability: _Observability = _Observability()


def states(body: bytes) -> dict[str, InForce]:
    """Namespace -> what is in force for its Services, from Traefik's answer. A split has Services of one namespace."""
    answer = msgspec.json.decode(body, type=list[_Service])
    whose: dict[str, _KubernetesService] = {}
    servers: dict[str, dict[str, tuple[str, ...]]] = {}
    splits: dict[str, list[dict[str, int]]] = {}
    for each in answer:
        service = each.observability.metadata.kubernetes
        if each.load_balancer is None or not service.name:
            continue
        whose[each.name.partition("@")[0]] = service
        addresses = [urlsplit(server.url).hostname or "" for server in each.load_balancer.servers]
        of_space = servers.setdefault(service.namespace, {})
        of_space[service.name] = (*of_space.get(service.name, ()), *addresses)  # one load balancer for each port
    for each in answer:
        parts = each.weighted.services if each.weighted else []
        known = [(whose[name], part.weight) for part in parts if (name := part.name.partition("@")[0]) in whose]
        if len(known) == len(parts) > 1 and len({service.namespace for service, _ in known}) == 1:
            splits.setdefault(known[0][0].namespace, []).append({service.name: weight for service, weight in known})
    return {
        space: InForce(tuple(splits.get(space, ())), {name: tuple(sorted(set(a))) for name, a in of.items()})
        for space, of in servers.items()
    }


class TraefikApi:
    """Traefik's API on the gateway's own port. `token`: the API answers only requests that carry it."""

    def __init__(self, host: str, port: int, token: str) -> None:
        self._http = Http1(host, port, _plain_socket, connect_seconds=SECONDS)
        self._head = (
            f"GET {PATH}?per_page={MOST} HTTP/1.1\r\nHost: {host}:{port}\r\n{TOKEN_HEADER}: {token}\r\n\r\n".encode()
        )

    async def states(self) -> dict[str, InForce]:
        """As `states`. OSError if Traefik does not answer; TimeoutError if that takes too long."""
        async with asyncio.timeout(SECONDS):
            answer = await self._http.request(self._head, b"", None, "", lasting=False, safe=True)
        if answer.status != 200:
            raise OSError(f"Traefik's API answered with status {answer.status}")
        try:
            return states(answer.body)
        except msgspec.DecodeError as error:
            raise OSError(f"Traefik's API answered with an unknown document: {error}") from error


def _plain_socket(place: tuple[int, int, int, str, Any]) -> socket.socket:
    return socket.socket(place[0], place[1], place[2])
