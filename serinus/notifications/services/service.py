"""The protocol of services: their options, their section of templates, and the sending of one message.

A service does not retry: its error states whether a retry may help (`Delayed`) or not (`Refused`), and the delivery
decides when. Neither error contains a secret: they name addresses only by host.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, Generic, Protocol, TypeVar
from urllib.parse import urlsplit

import msgspec

from serinus.analysis.providers.errors import ProviderError
from serinus.analysis.providers.http.client import HttpResponse

SECONDS = 10.0
"""Time limit of one attempt at one message, with all its requests."""


class Delayed(Exception):
    """The receiver did not accept the message now. `after`: seconds to wait, as the receiver requests."""

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class Refused(Exception):
    """The receiver refused the message, and will refuse it again."""


class HttpSender(Protocol):
    """The HTTP client that all services share."""

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
    ) -> HttpResponse: ...


@dataclass(frozen=True, slots=True)
class ServiceContext:
    """The context of services. `ambient`: whether the controller pod's identity counts. `clock`: epoch seconds."""

    http: HttpSender
    clock: Callable[[], float]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    ambient: bool = True


@dataclass(frozen=True, slots=True)
class SendRequest:
    """One message for one recipient. `section`: the template's part for this type of service, rendered; None without
    one.

    `names`: of the templates. `threads`: earlier results of `send` for the same object and recipient. `done`: results
    of requests that earlier attempts at the same message have made; a retry does not repeat them. `until`: when the
    attempt ends, in seconds of the loop's clock.
    """

    service: str
    recipient: str
    message: str
    section: Any
    reach: ServiceContext
    names: tuple[str, ...] = ()
    threads: Mapping[str, str] = field(default_factory=dict[str, str])
    done: dict[str, str] = field(default_factory=dict[str, str])
    until: float = math.inf


class Tls(msgspec.Struct, rename="camel", kw_only=True):
    """Options of the HTTP client. The connection limits have no effect: all services share one pool."""

    insecure_skip_verify: bool = False
    max_idle_conns: int = 0
    max_idle_conns_per_host: int = 0
    max_conns_per_host: int = 0
    idle_conn_timeout: str = ""


class NoSection(msgspec.Struct):
    """The section of services that send only the message."""


class BasicAuth(msgspec.Struct):
    username: str = ""
    password: str = ""


O = TypeVar("O", bound=msgspec.Struct)  # noqa: E741
T = TypeVar("T", bound=msgspec.Struct)


class NotificationService(Generic[O, T]):
    """`type`: as in `service.<type>`. `section`: field of templates. `merges`: later templates replace set fields."""

    type: ClassVar[str]
    section: ClassVar[str] = ""
    merges: ClassVar[bool] = False
    Options: type[O]
    Section: type[T]

    def check(self, options: O) -> str:
        """An error in the options beyond their types; "" for none."""
        return ""

    def quick_retries(self, options: O) -> tuple[float, ...]:
        """Seconds before the first retries. The delivery sets the later ones."""
        return (1.0, 2.0, 4.0)

    def host(self, options: O, recipient: str) -> str:
        """The host of a message; "" if it is not known in advance."""
        return ""

    async def send(self, options: O, job: SendRequest) -> Mapping[str, str] | None:
        """Send the message. Returns the data to record for its thread. Raises Delayed or Refused."""
        raise NotImplementedError


def host_of(url: str) -> str:
    """`example.com:8080` of a URL; "" if it is none."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return ""


def chosen(values: Mapping[str, str], recipient: str, what: str) -> str:
    """The value that the options have for a recipient. Refused without one."""
    value = values.get(recipient)
    if not value:
        raise Refused(f"no {what} configured for recipient {recipient}")
    return value


def parsed(text: str, what: str, kind: type[Any] = list) -> Any:
    """JSON from a template. Refused if it is invalid."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise Refused(f"failed to unmarshal {what}: it is no JSON: {error}") from None
    if not isinstance(value, kind):
        raise Refused(f"failed to unmarshal {what}: expected a JSON {'list' if kind is list else 'object'}")
    return value


async def ask(
    job: SendRequest,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    json: Any = None,
    insecure: bool = False,
    seconds: float = SECONDS,
    accept: Callable[[HttpResponse], bool] = lambda answer: answer.ok,
) -> HttpResponse:
    """A response that `accept` accepts. Delayed without a response, for 429 and 5xx except 501; otherwise Refused.

    Its body is empty if the rest of the response did not come.
    """
    sent = dict(headers or {})
    if json is not None:
        body = msgspec.json.encode(json)
        sent.setdefault("Content-Type", "application/json")
    where = host_of(url) or "the address"
    seconds = round(max(0.1, min(seconds, job.until - asyncio.get_running_loop().time())), 1)
    try:
        answer = await job.reach.http.request(
            method, url, headers=sent, body=body, seconds=seconds, insecure=insecure, shown=where
        )
    except ProviderError as error:
        if "is no URL" in str(error):
            raise Refused(
                "the address of the service is no URL: it begins with http:// or https:// and a host"
            ) from None
        # The receiver has the message: sending it again because of the body of its answer would repeat it.
        answer = HttpResponse(error.status, {}, b"")
        if not answer.ok:
            text = str(error).removeprefix(f"{method} ")
            raise Refused(text) if error.lasting else Delayed(text) from None
    if accept(answer):
        return answer
    excerpt = " ".join(answer.text.split())[:200]
    message = f"{where} answered {answer.status}{f': {excerpt}' if excerpt else ''}"
    if answer.status == 429 or (answer.status >= 500 and answer.status != 501):
        raise Delayed(message, retry_after(answer, job.reach.clock()))
    raise Refused(message)


def retry_after(answer: HttpResponse, now: float) -> float | None:
    """The wait that the response requests, in seconds or until a date (RFC 9110, section 10.2.3)."""
    value = answer.headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(value) if len(value) < 6 else None
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def verdict(answer: HttpResponse, name: str) -> dict[str, Any]:
    """The JSON object with which the service says whether it took the message.

    Delayed for a page of HTML: a proxy or a page for maintenance has answered, not the service. Refused for any other
    text, and for a response that broke off: the service may have taken the message, and a retry would repeat it.
    """
    with suppress(ProviderError):
        if isinstance(reply := answer.json(), dict):
            return reply
    if answer.body.lstrip()[:1] == b"<":
        raise Delayed(f"{name} did not answer: a page of HTML came with status {answer.status}")
    raise Refused(f"{name} answered {answer.status} without a JSON object: it may have taken the message")
