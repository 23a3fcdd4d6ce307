"""Microsoft Teams: connectors, which accept MessageCards, and workflows, which accept Adaptive Cards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from serinus.notifications.services.service import (
    NotificationService,
    Refused,
    SendRequest,
    Tls,
    ask,
    chosen,
    host_of,
    parsed,
)

Json = dict[str, Any]

WORKFLOW_ADDRESSES = (
    "api.powerautomate.com",
    "api.powerplatform.com",
    "flow.microsoft.com",
    "webhook.office.com/workflows",
    "/powerautomate/",
)


class TeamsOptions(Tls, rename="camel"):
    recipient_urls: dict[str, str] = msgspec.field(default_factory=dict[str, str])


class TeamsSection(msgspec.Struct, rename="camel"):
    template: str = ""
    title: str = ""
    summary: str = ""
    text: str = ""
    theme_color: str = ""
    facts: str = ""
    sections: str = ""
    potential_action: str = ""


class WorkflowsSection(TeamsSection, rename="camel"):
    adaptive_card: str = ""


class Teams(NotificationService[TeamsOptions, TeamsSection]):
    type = "teams"
    section = "teams"
    merges = True
    Options = TeamsOptions
    Section = TeamsSection

    def host(self, options: TeamsOptions, recipient: str) -> str:
        return host_of(options.recipient_urls.get(recipient, ""))

    async def send(self, options: TeamsOptions, job: SendRequest) -> Mapping[str, str] | None:
        url = chosen(options.recipient_urls, job.recipient, "teams webhook")
        section: TeamsSection = job.section or TeamsSection()
        body = section.template.encode() if section.template else msgspec.json.encode(_message_card(section, job))
        headers = {"Content-Type": "application/json"}
        answer = await ask(job, "POST", url, headers=headers, body=body, insecure=options.insecure_skip_verify)
        if answer.text != "1":
            raise Refused(f"teams webhook post error: {answer.text[:200]}")
        return None


def _message_card(section: TeamsSection, job: SendRequest) -> Json:
    sections: list[Any] = parsed(section.sections, "sections") if section.sections else []
    if section.facts:
        sections.append({"facts": parsed(section.facts, "facts")})
    card: Json = {
        "@type": "MessageCard",
        "context": "https://schema.org/extensions",
        "title": section.title,
        "summary": section.summary,
        "text": section.text or job.message,
    }
    if section.theme_color:
        card["themeColor"] = section.theme_color
    if section.potential_action:
        card["potentialAction"] = parsed(section.potential_action, "potentialAction")
    return {**card, "sections": sections} if sections else card


class TeamsWorkflows(NotificationService[TeamsOptions, WorkflowsSection]):
    type = "teams-workflows"
    section = "teams-workflows"
    merges = True
    Options = TeamsOptions
    Section = WorkflowsSection

    def host(self, options: TeamsOptions, recipient: str) -> str:
        return host_of(options.recipient_urls.get(recipient, ""))

    async def send(self, options: TeamsOptions, job: SendRequest) -> Mapping[str, str] | None:
        url = chosen(options.recipient_urls, job.recipient, "teams-workflows webhook")
        _check_address(url, job.recipient)
        section: WorkflowsSection = job.section or WorkflowsSection()
        card = (
            parsed(section.adaptive_card, "adaptiveCard", dict)
            if section.adaptive_card
            else _adaptive_card(section, job)
        )
        content = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
        await ask(
            job, "POST", url, json={"type": "message", "attachments": [content]}, insecure=options.insecure_skip_verify
        )  # fmt: skip
        return None


def _check_address(url: str, recipient: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    host = parts.hostname or ""
    is_local = host == "localhost" or host.startswith("127.")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_local):
        raise Refused(f"the webhook of {recipient} must begin with https://")
    if not any(known in url for known in WORKFLOW_ADDRESSES):
        raise Refused(
            f"the webhook of {recipient} is none of Teams Workflows: it contains one of {', '.join(WORKFLOW_ADDRESSES)}"
        )


def _adaptive_card(section: TeamsSection, job: SendRequest) -> Json:
    body: list[Json] = []
    if section.title:
        block: Json = {"type": "TextBlock", "text": section.title, "size": "Large", "weight": "Bolder", "wrap": True}
        body.append({**block, "color": section.theme_color} if section.theme_color else block)
    if text := section.text or job.message:
        body.append({"type": "TextBlock", "text": text, "wrap": True})
    groups: list[Any] = [parsed(section.facts, "facts")] if section.facts else []
    for one in parsed(section.sections, "sections") if section.sections else []:
        if isinstance(one, dict) and isinstance(one.get("facts"), list):
            groups.append(one["facts"])
    for facts in groups:
        rows = [{"title": str(f.get("name", f.get("title", ""))), "value": str(f.get("value", ""))} for f in facts]
        body.append({"type": "FactSet", "facts": rows})
    card: Json = {"type": "AdaptiveCard", "version": "1.4", "body": body}
    actions = [
        _action(one)
        for one in (parsed(section.potential_action, "potentialAction") if section.potential_action else [])
    ]
    usable = [action for action in actions if action is not None]
    return {**card, "actions": usable} if usable else card


def _action(action: Any) -> Json | None:
    """A link of a MessageCard as one of an Adaptive Card."""
    if not isinstance(action, dict) or action.get("@type") != "OpenUri":
        return None
    targets = action.get("targets") or []
    url = next((str(target["uri"]) for target in targets if isinstance(target, dict) and target.get("uri")), "")
    return {"type": "Action.OpenUrl", "title": str(action.get("name") or ""), "url": url} if url else None
