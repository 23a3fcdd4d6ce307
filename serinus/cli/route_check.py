"""Sends the same requests to an Ingress controller and a Gateway, for `serinus migrate-routes --check`."""

from __future__ import annotations

import hashlib
import http.client
import ssl
from collections.abc import Sequence
from typing import Any
from urllib.parse import SplitResult, urlsplit

from serinus.cli.framework.errors import Problem
from serinus.routing.route_probes import Probe, ProbeAnswer, difference, probes

Json = dict[str, Any]
TIMES = 30
"""Requests of each kind to each side."""
SECONDS = 10.0
"""For one answer."""
READ = 64 * 1024
"""Bytes of a body that are compared."""


def check(routes: Sequence[Json], before: str, after: str) -> tuple[int, tuple[str, ...]]:
    """(number of kinds of requests, a sentence for each kind with different responses of the two URLs). Problem."""
    sides = [_address(url) for url in (before, after)]
    kinds = probes(routes)
    differences: list[str] = []
    for probe in kinds:
        answers = [[_ask(side, probe) for _ in range(TIMES)] for side in sides]
        for url, side in zip((before, after), answers, strict=True):
            if all(each.error for each in side):
                raise Problem(f"{url} does not answer {probe}: {side[0].error}")
        if sentence := difference(probe, *answers):
            differences.append(sentence)
    return len(kinds), tuple(differences)


def _address(url: str) -> SplitResult:
    address = urlsplit(url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise Problem(f"--check {url}: not a URL like http://127.0.0.1:8080")
    return address


def _ask(address: SplitResult, probe: Probe) -> ProbeAnswer:
    """One request on its own connection, as many separate clients send it."""
    name, port = address.hostname or "", address.port
    connection = http.client.HTTPConnection(name, port or 80, timeout=SECONDS)
    if address.scheme == "https":
        connection = _Named(name, port or 443, probe.host)
    headers = {"Host": probe.host} if probe.host else {}
    headers |= dict([probe.header]) if probe.header else {}
    try:
        connection.request("GET", probe.path, headers=headers)
        answer = connection.getresponse()
        digest = hashlib.sha256(answer.read(READ)).hexdigest()[:8]
        return ProbeAnswer(answer.status, answer.getheader("Location") or "", digest)
    except (OSError, http.client.HTTPException) as error:
        return ProbeAnswer(error=f"{type(error).__name__}: {error}")
    finally:
        connection.close()


class _Named(http.client.HTTPSConnection):
    """TLS for the requested host, at the address of a gateway."""

    def __init__(self, address: str, port: int, host: str) -> None:
        self._secured = ssl.create_default_context()
        self._name = host or address
        super().__init__(address, port, timeout=SECONDS, context=self._secured)

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self._secured.wrap_socket(self.sock, server_hostname=self._name)
