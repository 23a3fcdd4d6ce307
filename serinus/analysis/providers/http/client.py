"""The HTTP client of all providers: bounded in time and size. The number of requests is bounded by lanes.py.

Connections are reused. Proxies come from the environment (HTTP_PROXY, HTTPS_PROXY, NO_PROXY), as in Go programs.
Credentials from ~/.netrc are not sent.
"""

from __future__ import annotations

import re
import ssl
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Any
from urllib.parse import quote, unquote

import aiohttp
import yarl

from serinus.analysis.hiding import ROW
from serinus.analysis.providers.current import hide
from serinus.analysis.providers.errors import ProviderError
from serinus.analysis.providers.http.bodies import ENCODINGS, body_of
from serinus.analysis.providers.http.decoding import BROKEN, NotJson, json_of
from serinus.analysis.providers.http.failures import is_lasting, reason
from serinus.analysis.providers.http.lookups import Lookups

LARGEST_ANSWER = 4 * 1024 * 1024
"""Most bytes of a decompressed response. A vector of 10,000 series takes about 2 MB."""

LONGEST_SECONDS = 300.0
"""The longest time of one request, for any metric."""

HOSTS = 1000
"""Most hosts whose proxy is cached."""
IDLE_SECONDS = 60
REDIRECTS = 10
_KEPT = "%/:=&?~#+!$,;'@()*[]-._"
"""Characters of a URL that stay unencoded. Others, such as blanks, are percent-encoded."""
_CREDENTIALS = re.compile(r"//([^/?#]*)@")
_OF_CREDENTIALS = re.compile(r"auth|key|token|secret|passw|cookie|credential|signature", re.IGNORECASE)
"""Names of headers whose values are credentials."""
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\0-\x08\n-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class HttpResponse:
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
        """The decoded body. ProviderError if it is no JSON, has too many values or too many levels."""
        try:
            return json_of(self.body)
        except NotJson as error:
            raise ProviderError(BROKEN, error) from error


def refused(answer: HttpResponse) -> ProviderError:
    """The error for a response without success, with the body."""
    if not answer.body.strip():
        return ProviderError(f"received non 2xx response code: {answer.status}")
    return ProviderError(f"received non 2xx response code: {answer.status} ", answer.text.rstrip())


class Http:
    """The caller closes it at the end (or uses `async with`)."""

    def __init__(self, largest: int = LARGEST_ANSWER, longest: float = LONGEST_SECONDS) -> None:
        self._largest, self._longest = largest, longest
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        """By whether their connections are kept."""
        self._proxies: dict[tuple[str, str], str | None] = {}

    async def __aenter__(self) -> Http:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()

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
        """The response, with any status. ProviderError if it takes more than `seconds`, or is too large.

        `insecure`: the server's certificate is not checked. `shown`: the URL for messages; None: `url` without query
        and credentials. `follow`: redirects are followed, not returned. With the header `Connection: close` the
        request has a connection of its own.
        """
        seconds = min(seconds, self._longest)
        name = bare(url if shown is None else shown) or "the request"
        _hide_credentials(url, headers or {})
        target = _checked(url)
        if target is None:
            raise _lasting(f"{name!r} is no URL: it begins with http:// or https:// and a host")
        _check_headers(f"{method} {name}", headers or {})
        status = 0
        kept = all(k.lower() != "connection" or v.lower() != "close" for k, v in (headers or {}).items())
        try:
            async with self._opened(kept).request(
                method,
                target,
                headers=headers,
                data=body,
                timeout=aiohttp.ClientTimeout(total=seconds),
                ssl=not insecure,
                proxy=self._proxy(target),
                max_redirects=REDIRECTS,
                allow_redirects=follow,
            ) as answer:
                status = answer.status
                return HttpResponse(
                    answer.status,
                    {k.lower(): v for k, v in answer.headers.items()},
                    await body_of(answer, self._largest),
                )
        except ProviderError as error:
            error.status = status
            raise
        except TimeoutError as error:
            failure = ProviderError(f"{method} {name}: no answer within {seconds:g} s")
            failure.status = status
            raise failure from error
        except (aiohttp.ClientError, ssl.SSLError, OSError, ValueError) as error:
            failure = ProviderError(f"{method} {name}: {reason(error)}")
            failure.status, failure.lasting = status, is_lasting(error)
            raise failure from error

    def _proxy(self, target: yarl.URL) -> str | None:
        """The proxy from the environment, read once for each host: it never changes while the controller runs."""
        key = (target.scheme, target.host or "")
        if key not in self._proxies:
            if len(self._proxies) >= HOSTS:
                self._proxies.clear()
            bypassed = urllib.request.proxy_bypass(key[1])
            self._proxies[key] = None if bypassed else urllib.request.getproxies().get(key[0])
        return self._proxies[key]

    def _opened(self, kept: bool) -> aiohttp.ClientSession:
        session = self._sessions.get(kept)
        if session is None or session.closed:
            # Lanes limit connections by namespace. With a total limit, or one by host, a namespace could block others.
            connector = (
                aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS, resolver=Lookups())
                if kept
                else aiohttp.TCPConnector(limit=0, force_close=True, resolver=Lookups())
            )
            session = self._sessions[kept] = aiohttp.ClientSession(
                connector=connector,
                headers={"User-Agent": "serinus", "Accept-Encoding": ENCODINGS},
                auto_decompress=False,
                skip_auto_headers=("Content-Type",),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return session


@lru_cache(maxsize=4096)
def _checked(url: str) -> yarl.URL | None:
    """The URL, encoded; None if it is invalid."""
    try:
        target = yarl.URL(quote(url, safe=_KEPT), encoded=True)
        host, _ = target.host, target.port
    except ValueError:
        return None
    return target if target.scheme in ("http", "https") and host else None


def bare(url: str) -> str:
    """A URL, or an invalid text for one, without query and credentials."""
    return _CREDENTIALS.sub("//", re.split(r"[?#]", url, maxsplit=1)[0])


def _hide_credentials(url: str, headers: Mapping[str, str]) -> None:
    """Hide the credentials of the request, including those that are written in the metric."""
    for userinfo in _CREDENTIALS.findall(url):
        hide(unquote(userinfo), *map(unquote, userinfo.split(":")))
    for name, value in headers.items():
        if _OF_CREDENTIALS.search(name) and len(value) >= ROW and not value.startswith("AWS4-HMAC"):
            hide(value, value.partition(" ")[2])  # without the scheme


def _check_headers(request: str, headers: Mapping[str, str]) -> None:
    """ProviderError for a header that cannot be sent. The client's own error would quote it."""
    for position, (name, value) in enumerate(headers.items(), 1):
        if not _TOKEN.fullmatch(name):
            raise _lasting(f"{request}: the name of header {position} has characters that HTTP does not allow")
        if _CONTROL.search(value):
            raise _lasting(f"{request}: the value of header {position} has a line break or a control character")


def _lasting(text: str) -> ProviderError:
    error = ProviderError(text)
    error.lasting = True
    return error
