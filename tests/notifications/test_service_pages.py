"""The samples of docs/notifications: each one is read without a problem, and sends the requests that its page names."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from serinus.analysis.providers.http.client import HttpResponse
from serinus.notifications.configuration import Configuration, read_configuration
from serinus.notifications.due import subscribed
from serinus.notifications.services.registry import SERVICES
from serinus.notifications.services.service import SendRequest, ServiceContext
from serinus.notifications.texts import render
from serinus.notifications.variables import for_templates, variables

PAGES = Path(__file__).parents[2] / "docs" / "notifications"
NOW = 1_700_000_000.0
SOCKETS = {"email": "SMTP", "nats": "NATS"}
"""Services that do not speak HTTP: their pages name the host."""
ROLLOUT: dict[str, Any] = {
    "metadata": {
        "name": "guestbook",
        "namespace": "default",
        "uid": "uid-1",
        "annotations": {"example.com/repository": "https://github.com/example/app", "example.com/commit": "abc"},
    },
    "status": {"phase": "Paused", "message": "CanaryPauseStep", "currentPodHash": "h1"},
}
URLS = {
    "teams": "https://example.webhook.office.com/t",
    "teams-workflows": "https://example.api.powerautomate.com/t",
    "googlechat": "https://chat.googleapis.com/v1/spaces/s/messages",
}


def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def secrets(kind: str, text: str) -> dict[str, bytes]:
    found = {name: f"{name}-value" for name in re.findall(r"\$([\w-]+)", text)}
    if kind in URLS:
        found = dict.fromkeys(found, URLS[kind])
    if kind == "pushover":
        found = dict.fromkeys(found, "a" * 30)
    if kind == "github":
        found = dict.fromkeys(found, private_key())
    if kind == "gcppubsub":
        found = dict.fromkeys(found, json.dumps({"client_email": "a@b.c", "private_key": private_key()}))
    return {name: value.encode() for name, value in found.items()}


class Recorder:
    """Answers as any of the vendors does."""

    def __init__(self, kind: str) -> None:
        self.asked: list[str] = []
        self._status = 202 if kind == "pagerdutyv2" else 200
        said: Any = {"ok": True, "success": True, "status": "success", "data": {"authToken": "a", "userId": "u"}}
        said |= {"token": "t", "access_token": "t", "QueueUrl": "u", "id": 5}
        self._body = b"1" if kind == "teams" else json.dumps(said).encode()

    async def request(self, method: str, url: str, **_: Any) -> HttpResponse:
        self.asked.append(f"{method} {url}")
        return HttpResponse(self._status, {}, self._body)


class Page:
    def __init__(self, kind: str) -> None:
        text = (PAGES / f"{kind}.md").read_text()
        blocks = dict(re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
        data: dict[str, str] = yaml.safe_load(blocks["yaml"])["data"]
        self.secrets = secrets(kind, data[f"service.{kind}"])
        self.configuration: Configuration = read_configuration("", data, self.secrets)
        (note,) = re.findall(r"'(notifications\.argoproj\.io/[^']*)'", blocks["sh"])
        name, _, value = note.partition("=")
        ((self.trigger, (self.to,)),) = subscribed(self.configuration, {name: value}, {})[0].items()
        self.requests = blocks["text"].splitlines()
        for key, found in self.secrets.items():
            self.requests = [line.replace(f"${key}", found.decode()) for line in self.requests]


def test_each_service_has_a_page() -> None:
    assert {page.stem for page in PAGES.glob("*.md")} == set(SERVICES)


@pytest.mark.parametrize("kind", sorted(SERVICES))
async def test_the_sample_of_a_page_sends_what_the_page_says(kind: str) -> None:
    page = Page(kind)
    found = page.configuration
    assert found.problems == ()
    service, http = found.services[page.to.service], Recorder(kind)
    (condition,) = found.triggers[page.trigger].conditions
    values = for_templates(variables(ROLLOUT, page.secrets), page.to.service, page.to.recipient, NOW)
    made = render([found.templates[name] for name in condition.send], service.name, service.type, values, NOW)
    assert made.message == "Rollout guestbook is paused."
    if kind in SOCKETS:
        host = SERVICES[kind].host(service.options, page.to.recipient)
        assert page.requests == [f"{SOCKETS[kind]} {host}"]
        return
    reach = ServiceContext(http, lambda: NOW)
    await SERVICES[kind].send(
        service.options, SendRequest(service.name, page.to.recipient, made.message, made.section, reach, condition.send)
    )
    assert http.asked == page.requests
    assert all(urlsplit(line.partition(" ")[2]).netloc for line in http.asked)
