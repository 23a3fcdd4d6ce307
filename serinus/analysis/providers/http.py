"""The HTTP client of all providers: bounded in time, size and number of connections to one host.

Connections are kept and used again. Proxies are those of the environment (HTTP_PROXY, HTTPS_PROXY, NO_PROXY), as for every
Go program; credentials from ~/.netrc are not sent.
"""

from __future__ import annotations

import ssl
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import msgspec
import yarl

from serinus.analysis.providers.trouble import ProviderError
from serinus.api.nesting import TOO_DEEP, too_deep

LARGEST_ANSWER = 8 * 1024 * 1024
"""Bytes. A vector of 10,000 series takes about 2 MB."""

CONNECTIONS_PER_HOST = 30
"""More measurements of the same monitoring system wait: a thousand runs must not overwhelm it. With 10, a system that takes
100 ms for an answer would hold 500 runs of 3 metrics every 5 s back."""

CONNECTIONS = 100
HOSTS = 1000
"""Hosts whose proxy is remembered."""
IDLE_SECONDS = 60
REDIRECTS = 10
_KEPT = "%/:=&?~#+!$,;'@()*[]-._"
"""What of a URL is sent as it is; blanks and the like are encoded."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The decoded body. ProviderError if it is no JSON, or nests too deeply."""
        if too_deep(self.body):
            raise ProviderError(f"Could not parse JSON body: {TOO_DEEP}")
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ProviderError(f"Could not parse JSON body: {error}") from error


class Http:
    """To be closed at the end (or used in `async with`)."""

    def __init__(self, largest: int = LARGEST_ANSWER) -> None:
        self._largest = largest
        self._session: aiohttp.ClientSession | None = None
        self._proxies: dict[tuple[str, str], str | None] = {}

    async def __aenter__(self) -> Http:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        seconds: float = 30.0,
        insecure: bool = False,
    ) -> Answer:
        """The answer, whatever its status. ProviderError when there is none within `seconds`, or too large a one.

        `insecure`: the server's certificate is not checked.
        """
        target = _checked(url)
        try:
            async with self._opened().request(
                method,
                target,
                headers=headers,
                data=body,
                timeout=aiohttp.ClientTimeout(total=seconds),
                ssl=not insecure,
                proxy=self._proxy(target),
                max_redirects=REDIRECTS,
            ) as answer:
                return Answer(
                    answer.status, {k.lower(): v for k, v in answer.headers.items()}, await self._read(answer)
                )
        except TimeoutError as error:
            raise ProviderError(f"{method} {_shown(url)}: no answer within {seconds:g} s") from error
        except (aiohttp.ClientError, ssl.SSLError, OSError, ValueError) as error:
            raise ProviderError(f"{method} {_shown(url)}: {_reason(error)}") from error

    async def _read(self, answer: aiohttp.ClientResponse) -> bytes:
        pieces: list[bytes] = []
        size = 0
        async for piece in answer.content.iter_chunked(64 * 1024):
            size += len(piece)
            if size > self._largest:
                answer.close()
                raise ProviderError(f"the answer is larger than {self._largest} bytes: ask for less")
            pieces.append(piece)
        return b"".join(pieces)

    def _proxy(self, target: yarl.URL) -> str | None:
        """The environment is read once for each host: it is long, and never changes while the controller runs."""
        key = (target.scheme, target.host or "")
        if key not in self._proxies:
            if len(self._proxies) >= HOSTS:
                self._proxies.clear()
            bypassed = urllib.request.proxy_bypass(key[1])
            self._proxies[key] = None if bypassed else urllib.request.getproxies().get(key[0])
        return self._proxies[key]

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            connector = aiohttp.TCPConnector(
                limit=CONNECTIONS, limit_per_host=CONNECTIONS_PER_HOST, keepalive_timeout=IDLE_SECONDS
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                headers={"User-Agent": "serinus"},
                skip_auto_headers=("Content-Type",),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


@lru_cache(maxsize=4096)
def _checked(url: str) -> yarl.URL:
    try:
        target = yarl.URL(quote(url, safe=_KEPT), encoded=True)
        host, _ = target.host, target.port
    except ValueError as error:
        raise ProviderError(f"{_shown(url)!r} is no URL: {error}") from error
    if target.scheme not in ("http", "https") or not host:
        raise ProviderError(f"{_shown(url)!r} is no URL: it begins with http:// or https:// and a host")
    return target


def _shown(url: str) -> str:
    """The URL for people: without query and credentials, which may hold secrets."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"[:300] if parts.netloc else url[:300]
    except ValueError:
        return url[:300]


def _reason(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorError) and error.os_error.strerror:
        return error.os_error.strerror.lower() if error.os_error.errno else str(error.os_error)
    return str(error) or type(error).__name__
