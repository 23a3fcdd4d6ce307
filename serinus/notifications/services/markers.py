"""Markers in graphs: annotations of Grafana, deployments of New Relic."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from serinus.notifications.services.service import (
    NoSection,
    NotificationService,
    Refused,
    SendRequest,
    Tls,
    ask,
    host_of,
)


class GrafanaOptions(Tls, rename="camel"):
    api_url: str = ""
    api_key: str = ""


class Grafana(NotificationService[GrafanaOptions, NoSection]):
    type = "grafana"
    Options = GrafanaOptions
    Section = NoSection

    def check(self, options: GrafanaOptions) -> str:
        return "" if host_of(options.api_url) else "apiUrl must begin with http:// or https:// and a host"

    def host(self, options: GrafanaOptions, recipient: str) -> str:
        return host_of(options.api_url)

    async def send(self, options: GrafanaOptions, job: SendRequest) -> Mapping[str, str] | None:
        note = {
            "time": int(job.reach.clock()) * 1000,
            "isRegion": False,
            "tags": job.recipient.split("|"),
            "text": job.message,
        }
        headers = {"Authorization": f"Bearer {options.api_key}"}
        url = f"{options.api_url.rstrip('/')}/annotations"
        await ask(
            job, "POST", url, headers=headers, json=note, insecure=options.insecure_skip_verify,
            accept=lambda answer: answer.status == 200,
        )  # fmt: skip
        return None


class NewRelicOptions(Tls, rename="camel"):
    api_key: str = ""
    api_url: str = msgspec.field(default="https://api.newrelic.com", name="apiURL")


class NewRelicSection(msgspec.Struct):
    revision: str = ""
    changelog: str = ""
    description: str = ""
    user: str = ""


class NewRelic(NotificationService[NewRelicOptions, NewRelicSection]):
    type = "newrelic"
    section = "newrelic"
    Options = NewRelicOptions
    Section = NewRelicSection

    def check(self, options: NewRelicOptions) -> str:
        return "" if options.api_key else "apiKey is missing"

    def host(self, options: NewRelicOptions, recipient: str) -> str:
        return host_of(options.api_url)

    async def send(self, options: NewRelicOptions, job: SendRequest) -> Mapping[str, str] | None:
        section: NewRelicSection | None = job.section
        if section is None:
            raise Refused("the template has no part for newrelic")
        fields = {
            "revision": section.revision,
            "changelog": section.changelog,
            "description": section.description or job.message,
            "user": section.user,
        }
        marker = {name: value for name, value in fields.items() if value or name == "revision"}
        headers = {"X-Api-Key": options.api_key}
        url = f"{options.api_url.removesuffix('/')}/v2/applications/{job.recipient}/deployments.json"
        await ask(
            job, "POST", url, headers=headers, json={"deployment": marker}, insecure=options.insecure_skip_verify
        )  # fmt: skip
        return None
