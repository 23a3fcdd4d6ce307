"""All types of services by name. A new type needs one class and one entry here."""

from __future__ import annotations

from typing import Any

from serinus.notifications.services.alerts import Alertmanager, Opsgenie
from serinus.notifications.services.chats import Mattermost, Pushover, RocketChat, Telegram, Webex
from serinus.notifications.services.email import Email
from serinus.notifications.services.github import GitHub
from serinus.notifications.services.google_chat import GoogleChat
from serinus.notifications.services.markers import Grafana, NewRelic
from serinus.notifications.services.nats import Nats
from serinus.notifications.services.pagerduty import PagerDuty, PagerDutyV2
from serinus.notifications.services.queues import AwsSqs, GcpPubsub
from serinus.notifications.services.service import NotificationService
from serinus.notifications.services.slack import Slack
from serinus.notifications.services.teams import Teams, TeamsWorkflows
from serinus.notifications.services.webhook import Webhook

SERVICES: dict[str, NotificationService[Any, Any]] = {
    service.type: service
    for service in (
        Slack(), Webhook(), Email(), Teams(), TeamsWorkflows(), GoogleChat(), Telegram(), Mattermost(), RocketChat(), Opsgenie(),
        PagerDuty(), PagerDutyV2(), Grafana(), GitHub(), Alertmanager(), Pushover(), Webex(), NewRelic(), AwsSqs(), GcpPubsub(), Nats(),
    )
}  # fmt: skip

SECTIONS: dict[str, NotificationService[Any, Any]] = {
    service.section: service for service in SERVICES.values() if service.section
}
"""By the name of their section of templates."""
