"""The types of services and the hosts that configurations of other namespaces may use.

The controller's own ConfigMap sets them with `serinus.allowedServices` and `serinus.allowedHosts`: a list of patterns
for all namespaces, or a map from patterns of namespaces to such lists.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urljoin, urlsplit

from serinus.analysis.providers.http.client import REDIRECTS, HttpResponse
from serinus.notifications.problems import ConfigurationError
from serinus.notifications.services.service import HttpSender, Refused, host_of

SERVICES_KEY, HOSTS_KEY = "serinus.allowedServices", "serinus.allowedHosts"
KEYS = (SERVICES_KEY, HOSTS_KEY)
_NO_ADDRESS = re.compile(r"[\s/\\@?#%]")
"""In an address that clients could read in two ways, such as `allowed.test#.evil.test`."""

_MOVED = (301, 302, 303, 307, 308)
_KEEPS_METHOD = (307, 308)


@dataclass(frozen=True, slots=True)
class NamespaceLimit:
    """`entries`: (pattern of namespaces, their permitted patterns). All other values are refused."""

    entries: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def of(self, namespace: str) -> tuple[str, ...]:
        """The patterns of all entries for a namespace."""
        return tuple(one for pattern, allowed in self.entries if fnmatchcase(namespace, pattern) for one in allowed)


def read_limit(value: Any) -> NamespaceLimit:
    """The limit of a key's value. ConfigurationError names the field."""
    written = {"*": value} if isinstance(value, list | None) else value
    if not isinstance(written, dict):
        raise ConfigurationError("expected a list, or a map from namespaces to lists, found a text")
    entries: list[tuple[str, tuple[str, ...]]] = []
    for namespace, allowed in written.items():
        if not isinstance(allowed, list | None) or not all(isinstance(one, str) for one in allowed or []):
            raise ConfigurationError("expected a list of texts", "" if namespace == "*" else str(namespace))
        entries.append((str(namespace), tuple(one.lower() for one in allowed or [])))
    return NamespaceLimit(tuple(entries))


def matches(text: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(text.lower(), pattern) for pattern in patterns)


def is_host_allowed(address: str, patterns: Iterable[str]) -> bool:
    """`address`: a host with or without a port. A pattern with a port allows only that port."""
    if _NO_ADDRESS.search(address):
        return False
    try:
        name = urlsplit(f"//{address}").hostname or ""
    except ValueError:
        return False
    known = tuple(patterns)
    return bool(name) and (matches(address, known) or matches(name, known))


@dataclass(frozen=True, slots=True)
class LimitedHttp:
    """An HTTP client that reaches allowed hosts only. Redirects are checked as well."""

    http: HttpSender
    patterns: tuple[str, ...]
    namespace: str

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        seconds: float = 30.0,
        insecure: bool = False,
        shown: str | None = None,
        follow: bool = True,
    ) -> HttpResponse:
        """The client's request. Refused for a host that is not allowed."""
        clock = asyncio.get_running_loop().time
        until = clock() + seconds
        for _ in range(REDIRECTS + 1):
            self.check(host_of(url))
            answer = await self.http.request(
                method,
                url,
                headers=headers,
                body=body,
                seconds=max(0.1, until - clock()),
                insecure=insecure,
                shown=shown,
                follow=False,
            )
            place = answer.headers.get("location", "")
            if not follow or answer.status not in _MOVED or not place:
                return answer
            target = urljoin(url, place)
            if answer.status not in _KEEPS_METHOD and method not in ("GET", "HEAD"):
                method, body = "GET", None
            if host_of(target) != host_of(url):
                headers = {}  # credentials are for the first host
            url, shown = target, None if shown is None else host_of(target)
        raise Refused("it redirects too often")

    def check(self, address: str) -> None:
        """Raises Refused for a host that is not allowed."""
        if not is_host_allowed(address, self.patterns):
            raise Refused(not_allowed(address, self.namespace))


def not_allowed(address: str, namespace: str) -> str:
    return f"{HOSTS_KEY} does not allow the host {address!r} for namespace {namespace}"
