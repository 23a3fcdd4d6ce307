"""Chats with one request per message: Mattermost, Rocket.Chat, Telegram, Webex, Pushover."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from serinus.analysis.providers.errors import ProviderError
from serinus.analysis.providers.http.client import HttpResponse
from serinus.notifications.services.service import (
    Delayed,
    NoSection,
    NotificationService,
    Refused,
    SendRequest,
    Tls,
    ask,
    host_of,
    parsed,
    verdict,
)

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Attachments(msgspec.Struct):
    attachments: str = ""


class MattermostOptions(Tls, rename="camel"):
    api_url: str = msgspec.field(default="", name="apiURL")
    token: str = ""


class Mattermost(NotificationService[MattermostOptions, Attachments]):
    type = "mattermost"
    section = "mattermost"
    Options = MattermostOptions
    Section = Attachments

    def check(self, options: MattermostOptions) -> str:
        return "" if host_of(options.api_url) else "apiURL must begin with http:// or https:// and a host"

    def host(self, options: MattermostOptions, recipient: str) -> str:
        return host_of(options.api_url)

    async def send(self, options: MattermostOptions, job: SendRequest) -> Mapping[str, str] | None:
        attachments = parsed(job.section.attachments, "attachments") if job.section and job.section.attachments else []
        body = {"channel_id": job.recipient, "message": job.message, "props": {"attachments": attachments}}
        headers = {"Authorization": f"Bearer {options.token}"}
        url = f"{options.api_url}/api/v4/posts"
        await ask(job, "POST", url, headers=headers, json=body, insecure=options.insecure_skip_verify)
        return None


class RocketChatOptions(msgspec.Struct, rename="camel"):
    server_url: str = ""
    email: str = ""
    password: str = ""
    alias: str = ""
    icon: str = ""
    avatar: str = ""


class RocketChat(NotificationService[RocketChatOptions, Attachments]):
    type = "rocketchat"
    section = "rocketchat"
    Options = RocketChatOptions
    Section = Attachments

    def check(self, options: RocketChatOptions) -> str:
        return "" if host_of(options.server_url) else "serverUrl must begin with http:// or https:// and a host"

    def host(self, options: RocketChatOptions, recipient: str) -> str:
        return host_of(options.server_url)

    async def send(self, options: RocketChatOptions, job: SendRequest) -> Mapping[str, str] | None:
        base = options.server_url.rstrip("/")
        login = urlencode({"user": options.email, "password": options.password}).encode()
        answer = _object(await ask(job, "POST", f"{base}/api/v1/login", headers=FORM, body=login))
        data = answer.get("data") or {}
        if answer.get("status") != "success" or not isinstance(data, dict):
            raise Refused(f"Rocket.Chat refused the login: {answer.get('message') or answer.get('error') or ''}"[:200])
        headers = {"X-Auth-Token": str(data.get("authToken")), "X-User-Id": str(data.get("userId"))}
        url = f"{base}/api/v1/chat.postMessage"
        reply = verdict(await ask(job, "POST", url, headers=headers, json=_post(options, job)), "Rocket.Chat")
        if not reply.get("success"):
            raise Refused(f"Rocket.Chat answered: {reply.get('error') or 'no success'}"[:200])
        return None


def _post(options: RocketChatOptions, job: SendRequest) -> dict[str, Any]:
    place = "channel" if job.recipient[:1] in ("#", "@") else "roomId"
    post: dict[str, Any] = {place: job.recipient, "text": job.message}
    if options.alias:
        post["alias"] = options.alias
    if re.match(r"^:.+:$", options.icon):
        post["emoji"] = options.icon
    if options.avatar and host_of(options.avatar):
        post["avatar"] = options.avatar
    if job.section is not None:
        post["attachments"] = parsed(job.section.attachments, "attachments") if job.section.attachments else []
    return post


def _object(answer: HttpResponse) -> dict[str, Any]:
    try:
        reply = answer.json()
    except ProviderError:
        raise Delayed("the answer is no JSON") from None
    return reply if isinstance(reply, dict) else {}


class TelegramOptions(msgspec.Struct):
    token: str = ""
    api_url: str = msgspec.field(default="https://api.telegram.org", name="apiURL")


class Telegram(NotificationService[TelegramOptions, NoSection]):
    """`apiURL` is our own option, for a self-hosted Bot API server."""

    type = "telegram"
    Options = TelegramOptions
    Section = NoSection

    def check(self, options: TelegramOptions) -> str:
        return "" if options.token else "token is missing"

    def host(self, options: TelegramOptions, recipient: str) -> str:
        return host_of(options.api_url)

    async def send(self, options: TelegramOptions, job: SendRequest) -> Mapping[str, str] | None:
        chat, _, thread = job.recipient.partition("|")
        form = {
            "chat_id": chat if chat.startswith("-") else f"@{job.recipient}",
            "text": job.message,
            "parse_mode": "Markdown",
        }
        if chat.startswith("-"):
            if not chat[1:].isdecimal() or (thread and not thread.isdecimal()):
                raise Refused(f"the recipient {job.recipient!r} is no chat: write -NUMBER or -NUMBER|THREAD")
            if thread:
                form["message_thread_id"] = thread
        base = f"{options.api_url.rstrip('/')}/bot{options.token}"
        # The first request reads the bot's name, as other clients do: the error then names a wrong token.
        await ask(job, "POST", f"{base}/getMe", headers=FORM)
        await ask(job, "POST", f"{base}/sendMessage", headers=FORM, body=urlencode(form).encode())
        return None


class WebexOptions(Tls, rename="camel"):
    token: str = ""
    api_url: str = msgspec.field(default="https://webexapis.com", name="apiURL")


class Webex(NotificationService[WebexOptions, NoSection]):
    type = "webex"
    Options = WebexOptions
    Section = NoSection

    def host(self, options: WebexOptions, recipient: str) -> str:
        return host_of(options.api_url)

    async def send(self, options: WebexOptions, job: SendRequest) -> Mapping[str, str] | None:
        place = "toPersonEmail" if _is_address(job.recipient) else "roomId"
        headers = {"Authorization": f"Bearer {options.token}"}
        body = {place: job.recipient, "markdown": job.message}
        url = f"{options.api_url.removesuffix('/')}/v1/messages"
        await ask(
            job, "POST", url, headers=headers, json=body, insecure=options.insecure_skip_verify, accept=_is_200
        )  # fmt: skip
        return None


def _is_200(answer: HttpResponse) -> bool:
    return answer.status == 200


class PushoverOptions(msgspec.Struct):
    token: str = ""
    api_url: str = msgspec.field(default="https://api.pushover.net", name="apiURL")


class Pushover(NotificationService[PushoverOptions, NoSection]):
    """`apiURL` is our own option."""

    type = "pushover"
    Options = PushoverOptions
    Section = NoSection

    def check(self, options: PushoverOptions) -> str:
        return "" if re.fullmatch(r"[A-Za-z0-9]{30}", options.token) else "token must be 30 letters and digits"

    def host(self, options: PushoverOptions, recipient: str) -> str:
        return host_of(options.api_url)

    async def send(self, options: PushoverOptions, job: SendRequest) -> Mapping[str, str] | None:
        if not job.message:
            raise Refused("the message is empty")
        form = {"token": options.token, "user": job.recipient, "message": job.message[:1024], "priority": "0"}
        url = f"{options.api_url.rstrip('/')}/1/messages.json"
        await ask(job, "POST", url, headers=FORM, body=urlencode(form).encode())
        return None


def _is_address(recipient: str) -> bool:
    """Whether the text is an e-mail address: no blank, one `@`, and a dot after it."""
    name, at, host = recipient.partition("@")
    return bool(name and at and "." in host.strip(".")) and not any(sign.isspace() for sign in recipient)
