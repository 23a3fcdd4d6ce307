"""Google Chat, through incoming webhooks."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import msgspec

from serinus.api.yaml.reader import YamlError, load
from serinus.notifications.services.service import (
    Delayed,
    NotificationService,
    Refused,
    SendRequest,
    Tls,
    ask,
    chosen,
    host_of,
    verdict,
)

TEMPORARY = (429, 500, 502, 503, 504)


class GoogleChatOptions(Tls, rename="camel"):
    webhooks: dict[str, str] = msgspec.field(default_factory=dict[str, str])


class GoogleChatSection(msgspec.Struct, rename="camel"):
    cards: str = ""
    cards_v2: str = msgspec.field(default="", name="cardsV2")
    thread_key: str = ""


class GoogleChat(NotificationService[GoogleChatOptions, GoogleChatSection]):
    type = "googlechat"
    section = "googlechat"
    merges = True
    Options = GoogleChatOptions
    Section = GoogleChatSection

    def host(self, options: GoogleChatOptions, recipient: str) -> str:
        return host_of(options.webhooks.get(recipient, ""))

    async def send(self, options: GoogleChatOptions, job: SendRequest) -> Mapping[str, str] | None:
        url = chosen(options.webhooks, job.recipient, "Google chat webhook")
        section: GoogleChatSection = job.section or GoogleChatSection()
        if section.thread_key:
            url = _threaded(url, section.thread_key)
        answer = await ask(
            job,
            "POST",
            url,
            json=_message(section, job),
            insecure=options.insecure_skip_verify,
            accept=lambda answer: answer.status not in TEMPORARY,
        )
        if not answer.ok and not answer.text.lstrip().startswith("{"):
            raise Refused(f"Google Chat answered {answer.status} without JSON")
        error = verdict(answer, "Google Chat").get("error")
        if isinstance(error, dict):
            message = f"error with message: code={error.get('code')} status={error.get('status')} message={error.get('message')}"
            raise (Delayed if error.get("code") in TEMPORARY else Refused)(message[:300])
        return None


def _threaded(url: str, key: str) -> str:
    parts = urlsplit(url)
    more = urlencode({"threadKey": key, "messageReplyOption": "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"})
    return urlunsplit(parts._replace(query=f"{parts.query}&{more}" if parts.query else more))


def _message(section: GoogleChatSection, job: SendRequest) -> dict[str, Any]:
    if not section.cards and not section.cards_v2:
        return {"text": job.message}
    message: dict[str, Any] = {"text": ""}
    if section.cards:
        message["cards"] = _list(section.cards, "cards")
    if section.cards_v2:
        message["cardsV2"] = [
            {"cardId": str(uuid.uuid4()), "card": card} for card in _list(section.cards_v2, "cardsV2")
        ]
    return message


def _list(text: str, what: str) -> list[Any]:
    try:
        value = load(text)
    except YamlError as error:
        raise Refused(f"googlechat.{what} is no YAML: {error}") from None
    if not isinstance(value, list):
        raise Refused(f"googlechat.{what}: expected a list")
    return value
