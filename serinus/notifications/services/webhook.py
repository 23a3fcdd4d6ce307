"""Any HTTP endpoint."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping

import msgspec

from serinus.api.values.durations import go_duration
from serinus.notifications.services.service import BasicAuth, NotificationService, SendRequest, Tls, ask, host_of

NANOSECONDS = 1e9


class Header(msgspec.Struct):
    name: str = ""
    value: str = ""


class WebhookOptions(Tls, rename="camel"):
    url: str = ""
    headers: list[Header] = msgspec.field(default_factory=list[Header])
    basic_auth: BasicAuth | None = None
    retry_wait_min: str = ""
    retry_wait_max: str = ""
    retry_max: int = 0


class WebhookSection(msgspec.Struct):
    method: str = ""
    path: str = ""
    body: str = ""


class Webhook(NotificationService[WebhookOptions, WebhookSection]):
    """Without a section in the template, `method` is GET and the body is the message."""

    type = "webhook"
    section = "webhook"
    Options = WebhookOptions
    Section = WebhookSection

    def check(self, options: WebhookOptions) -> str:
        if not host_of(options.url):
            return "url must begin with http:// or https:// and a host"
        for name, text in (("retryWaitMin", options.retry_wait_min), ("retryWaitMax", options.retry_wait_max)):
            try:
                _seconds(text, 0.0)
            except ValueError:
                return f"{name}: {text!r} is neither nanoseconds nor a duration such as 2s"
        return ""

    def quick_retries(self, options: WebhookOptions) -> tuple[float, ...]:
        least, most = _seconds(options.retry_wait_min, 1.0), _seconds(options.retry_wait_max, 5.0)
        return tuple(min(most, least * 2**i) for i in range(min(options.retry_max or 3, 20)))

    def host(self, options: WebhookOptions, recipient: str) -> str:
        return host_of(options.url)

    async def send(self, options: WebhookOptions, job: SendRequest) -> Mapping[str, str] | None:
        section: WebhookSection | None = job.section
        url, method, body = options.url, "GET", job.message
        if section is not None:
            method, body = section.method or method, section.body
            if section.path:
                url = f"{url.rstrip('/')}/{section.path.lstrip('/')}"
        headers = {header.name: header.value for header in options.headers}
        if options.basic_auth is not None:
            pair = f"{options.basic_auth.username}:{options.basic_auth.password}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        await ask(
            job, method, url, headers=headers, body=body.encode() or None, insecure=options.insecure_skip_verify
        )  # fmt: skip
        return None


def _seconds(text: str, default: float) -> float:
    """Seconds from whole nanoseconds, as in Go, or from a duration."""
    if not text or text == "0":
        return default
    return int(text) / NANOSECONDS if text.isdecimal() else go_duration(text)
