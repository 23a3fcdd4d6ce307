"""Slack's Web API, with threads that survive a restart."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from serinus.analysis.providers.http.client import HttpResponse
from serinus.notifications.services.service import (
    Delayed,
    NotificationService,
    Refused,
    SendRequest,
    Tls,
    ask,
    host_of,
    parsed,
    verdict,
)

TEMPORARY = frozenset(
    {"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
)
"""Errors of Slack after which a retry may succeed."""

_EMOJI = re.compile(r"^:.+:$")


class SlackOptions(Tls, rename="camel"):
    token: str = ""
    api_url: str = msgspec.field(default="https://slack.com/api/", name="apiURL")
    username: str = ""
    icon: str = ""
    disable_unfurl: bool = False
    signing_secret: str = ""
    channels: list[str] = msgspec.field(default_factory=list[str])


class SlackSection(msgspec.Struct, rename="camel"):
    attachments: str = ""
    blocks: str = ""
    username: str = ""
    icon: str = ""
    grouping_key: str = ""
    notify_broadcast: bool = False
    delivery_policy: str = ""


class Slack(NotificationService[SlackOptions, SlackSection]):
    type = "slack"
    section = "slack"
    Options = SlackOptions
    Section = SlackSection

    def check(self, options: SlackOptions) -> str:
        if not host_of(options.api_url):
            return "apiURL must begin with http:// or https:// and a host"
        if not options.api_url.endswith("/"):
            return "apiURL must end in '/'"
        return "token is missing" if not options.token else ""

    def host(self, options: SlackOptions, recipient: str) -> str:
        return host_of(options.api_url)

    async def send(self, options: SlackOptions, job: SendRequest) -> Mapping[str, str] | None:
        section: SlackSection | None = job.section
        form = _form(options, job, section)
        key = section.grouping_key if section else ""
        thread = thread_of(job.recipient, key)
        ts, _, channel = job.threads.get(thread, "").partition("|") if key else ("", "", "")
        if ts:
            form["thread_ts"] = ts
        policy = section.delivery_policy if section else ""
        remembered: dict[str, str] | None = None
        if "post" in job.done:
            channel = job.done["post"]  # an earlier attempt failed after it
        elif not ts or policy not in ("Update",):
            post = {**form, **({"reply_broadcast": "true"} if section and section.notify_broadcast else {})}
            answer = await _call(options, job, "chat.postMessage", {"channel": job.recipient, **post})
            channel = job.done["post"] = str(answer.get("channel") or channel)
            if key and not ts:
                remembered = {thread: f"{answer.get('ts') or ''}|{channel}"}
        if ts and policy in ("Update", "PostAndUpdate"):
            update = {"channel": channel or job.recipient, "ts": ts, "as_user": "true", **form}
            await _call(options, job, "chat.update", update)
        return remembered


def thread_of(recipient: str, key: str) -> str:
    """The key of a recorded thread, shortened: recipients and keys may be long."""
    return hashlib.sha1(f"{recipient}\0{key}".encode(), usedforsecurity=False).hexdigest()[:16]


def _form(options: SlackOptions, job: SendRequest, section: SlackSection | None) -> dict[str, str]:
    form = {"text": job.message, "token": options.token}
    username = (section.username if section else "") or options.username
    icon = (section.icon if section else "") or options.icon
    if username:
        form["username"] = username
    if _EMOJI.match(icon):
        form["icon_emoji"] = icon
    elif icon and host_of(icon) and urlsplit(icon).scheme in ("http", "https"):
        form["icon_url"] = icon
    if section is not None:
        form["attachments"] = _list(section.attachments, "attachments")
        form["blocks"] = _list(section.blocks, "blocks")
    if options.disable_unfurl:
        form |= {"unfurl_links": "false", "unfurl_media": "false"}
    return form


def _list(text: str, what: str) -> str:
    return msgspec.json.encode(parsed(text, what)).decode() if text.strip() else "[]"


async def _call(options: SlackOptions, job: SendRequest, method: str, form: Mapping[str, str]) -> dict[str, Any]:
    answer = await ask(
        job,
        "POST",
        options.api_url + method,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        body=urlencode(sorted(form.items())).encode(),
        insecure=options.insecure_skip_verify,
    )
    return _understood(answer)


def _understood(answer: HttpResponse) -> dict[str, Any]:
    reply = verdict(answer, "Slack")
    if reply.get("ok") is True:
        return reply
    error = str(reply.get("error") or "unknown error")
    raise (Delayed if error in TEMPORARY else Refused)(f"Slack answered: {error}")
