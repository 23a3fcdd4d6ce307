"""All types of services by name. A new one is one file and one line here."""

from __future__ import annotations

from typing import Any

from serinus.notifications.services.email import Email
from serinus.notifications.services.service import Service
from serinus.notifications.services.slack import Slack
from serinus.notifications.services.webhook import Webhook

SERVICES: dict[str, Service[Any, Any]] = {service.type: service for service in (Slack(), Webhook(), Email())}

SECTIONS: dict[str, Service[Any, Any]] = {service.section: service for service in SERVICES.values() if service.section}
"""By the name of their part of templates."""
