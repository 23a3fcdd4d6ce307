"""Opsgenie and Alertmanager."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import msgspec

from serinus.analysis.providers.http.client import HttpResponse
from serinus.api.values.times import format_time
from serinus.notifications.services.service import (
    BasicAuth,
    Delayed,
    NotificationService,
    Refused,
    SendRequest,
    Tls,
    ask,
    chosen,
    host_of,
)


class OpsgenieOptions(Tls, rename="camel"):
    api_url: str = ""
    api_keys: dict[str, str] = msgspec.field(default_factory=dict[str, str])


class Responder(msgspec.Struct):
    id: str = ""
    type: str = ""
    name: str = ""
    username: str = ""


class OpsgenieSection(msgspec.Struct, rename="camel"):
    description: str = ""
    priority: str = ""
    alias: str = ""
    note: str = ""
    entity: str = ""
    user: str = ""
    actions: list[str] = []
    tags: list[str] = []
    details: dict[str, str] = {}
    visible_to: list[Responder] = []


class Opsgenie(NotificationService[OpsgenieOptions, OpsgenieSection]):
    type = "opsgenie"
    section = "opsgenie"
    Options = OpsgenieOptions
    Section = OpsgenieSection

    def host(self, options: OpsgenieOptions, recipient: str) -> str:
        return host_of(_address(options.api_url))

    async def send(self, options: OpsgenieOptions, job: SendRequest) -> Mapping[str, str] | None:
        key = chosen(options.api_keys, job.recipient, "API key")
        section: OpsgenieSection | None = job.section
        if section is not None and not section.description:
            raise Refused("opsgenie notification description is missing")
        if not job.message:
            raise Refused("the message is empty")
        more: dict[str, Any] = msgspec.to_builtins(section) if section is not None else {}
        more["visibleTo"] = [{k: v for k, v in one.items() if v} for one in more.get("visibleTo") or []]
        body = {
            "message": job.message,
            **{name: value for name, value in more.items() if value},
            "responders": [{"type": "team", "id": job.recipient}],
            "source": "Argo CD",
        }
        headers = {"Authorization": f"GenieKey {key}"}
        url = f"{_address(options.api_url)}/v2/alerts"
        await ask(job, "POST", url, headers=headers, json=body, insecure=options.insecure_skip_verify)
        return None


def _address(text: str) -> str:
    """The address of a host. The vendor's client uses http if the host has no `api` in it."""
    if text.startswith(("http://", "https://")):
        return text.rstrip("/")
    host = text or "api.opsgenie.com"
    return f"{'https' if 'api' in host else 'http'}://{host}".rstrip("/")


class AlertmanagerOptions(Tls, rename="camel"):
    targets: list[str] = msgspec.field(default_factory=list[str])
    scheme: str = "http"
    api_path: str = msgspec.field(default="/api/v2/alerts", name="apiPath")
    basic_auth: BasicAuth | None = None
    bearer_token: str = ""
    timeout: int = 3


class AlertmanagerSection(msgspec.Struct, rename="camel"):
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    generator_url: str = msgspec.field(default="", name="generatorURL")


class Alertmanager(NotificationService[AlertmanagerOptions, AlertmanagerSection]):
    """All targets get the alert. It is delivered when one of them has accepted it."""

    type = "alertmanager"
    section = "alertmanager"
    Options = AlertmanagerOptions
    Section = AlertmanagerSection

    def check(self, options: AlertmanagerOptions) -> str:
        return "" if options.scheme in ("http", "https") else "scheme must be http or https"

    def host(self, options: AlertmanagerOptions, recipient: str) -> str:
        return (options.targets or ["127.0.0.1:9093"])[0]

    async def send(self, options: AlertmanagerOptions, job: SendRequest) -> Mapping[str, str] | None:
        section: AlertmanagerSection | None = job.section
        if section is None or not section.labels:
            raise Refused("alertmanager at least one label pair required")
        labels = {"alertname": job.names[0] if job.names else "", **section.labels}
        address = section.generator_url
        if address.startswith("git@"):
            address = "https://" + address.removeprefix("git@").replace(":", "/", 1)
        alert = {
            "labels": labels,
            "annotations": section.annotations,
            "generatorURL": address,
            "startsAt": format_time(job.reach.clock()),
        }
        targets = options.targets or ["127.0.0.1:9093"]
        ends = await asyncio.gather(
            *(_post(options, job, target, [alert]) for target in targets), return_exceptions=True
        )
        failures = [end for end in ends if isinstance(end, BaseException)]
        if len(failures) == len(ends):
            later = [end for end in failures if isinstance(end, Delayed)]
            raise later[0] if later else failures[0]
        return None


async def _post(options: AlertmanagerOptions, job: SendRequest, target: str, alerts: list[Any]) -> HttpResponse:
    headers: dict[str, str] = {}
    if options.basic_auth is not None:
        pair = f"{options.basic_auth.username}:{options.basic_auth.password}"
        headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    elif options.bearer_token:
        headers["Authorization"] = f"Bearer {options.bearer_token}"
    return await ask(
        job,
        "POST",
        f"{options.scheme}://{target}{options.api_path}",
        headers=headers,
        json=alerts,
        insecure=options.insecure_skip_verify,
        seconds=float(options.timeout or 3),
        accept=lambda answer: answer.status == 200,
    )
