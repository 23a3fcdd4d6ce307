"""PagerDuty: incidents of a service, and events of an integration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from serinus.notifications.services.service import NotificationService, Refused, SendRequest, ask, chosen, host_of

NO_API = "https://api.pagerduty.com"
NO_EVENTS = "https://events.pagerduty.com"


class PagerDutyOptions(msgspec.Struct, rename="camel"):
    token: str = ""
    from_: str = msgspec.field(default="", name="from")
    service_id: str = ""
    api_url: str = msgspec.field(default=NO_API, name="apiURL")


class PagerDutySection(msgspec.Struct, rename="camel"):
    title: str = ""
    body: str = ""
    urgency: str = ""
    priority_id: str = ""


class PagerDuty(NotificationService[PagerDutyOptions, PagerDutySection]):
    """`apiURL` is our own option."""

    type = "pagerduty"
    section = "pagerduty"
    Options = PagerDutyOptions
    Section = PagerDutySection

    def host(self, options: PagerDutyOptions, recipient: str) -> str:
        return host_of(options.api_url)

    async def send(self, options: PagerDutyOptions, job: SendRequest) -> Mapping[str, str] | None:
        section: PagerDutySection = job.section or PagerDutySection(title=job.message)
        incident: dict[str, Any] = {
            "type": "incident",
            "title": section.title or job.message,
            "service": {"id": job.recipient or options.service_id, "type": "service_reference"},
        }
        if section.priority_id:
            incident["priority"] = {"id": section.priority_id, "type": "priority"}
        if section.urgency:
            incident["urgency"] = section.urgency
        if section.body:
            incident["body"] = {"type": "incident_details", "details": section.body}
        headers = {
            "Authorization": f"Token token={options.token}",
            "Accept": "application/vnd.pagerduty+json;version=2",
            "From": options.from_,
        }
        url = f"{options.api_url.rstrip('/')}/incidents"
        await ask(job, "POST", url, headers=headers, json={"incident": incident})
        return None


class PagerDutyV2Options(msgspec.Struct, rename="camel"):
    service_keys: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    api_url: str = msgspec.field(default=NO_EVENTS, name="apiURL")


class PagerDutyV2Section(msgspec.Struct, rename="camel"):
    summary: str = ""
    severity: str = ""
    source: str = ""
    component: str = ""
    group: str = ""
    class_: str = msgspec.field(default="", name="class")
    url: str = ""
    dedup_key: str = ""


class PagerDutyV2(NotificationService[PagerDutyV2Options, PagerDutyV2Section]):
    """`apiURL` is our own option."""

    type = "pagerdutyv2"
    section = "pagerdutyv2"
    Options = PagerDutyV2Options
    Section = PagerDutyV2Section

    def host(self, options: PagerDutyV2Options, recipient: str) -> str:
        return host_of(options.api_url)

    async def send(self, options: PagerDutyV2Options, job: SendRequest) -> Mapping[str, str] | None:
        key = chosen(options.service_keys, job.recipient, "API key")
        section: PagerDutyV2Section | None = job.section
        if section is None:
            raise Refused("no config found for pagerdutyv2")
        payload = {"summary": section.summary, "severity": section.severity, "source": section.source}
        more = {"component": section.component, "group": section.group, "class": section.class_}
        event: dict[str, Any] = {
            "routing_key": key,
            "event_action": "trigger",
            "client": "ArgoCD",
            "payload": payload | {name: value for name, value in more.items() if value},
        }
        if section.url:
            event["client_url"] = section.url
        if section.dedup_key:
            event["dedup_key"] = section.dedup_key
        url = f"{options.api_url.rstrip('/')}/v2/enqueue"
        await ask(job, "POST", url, json=event, accept=lambda answer: answer.status == 202)
        return None
