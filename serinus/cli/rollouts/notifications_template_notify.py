"""`notifications template notify`: renders a template for a Rollout, and sends or prints the message."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.errors import Problem
from serinus.cli.framework.flags import Flag
from serinus.cli.rollouts.notifications_configuration import FLAGS, configuration, missing, rollout

if TYPE_CHECKING:
    from serinus.notifications.configuration import Configuration

SHORT = "Make a template's message of a Rollout, and send or print it"

CONSOLE = "console"
RECIPIENT = Flag(
    "recipient", "Where to: SERVICE:RECIPIENT; may be repeated. console:stdout prints", default=(), metavar="TO"
)
DRY_RUN = Flag("dry-run", "Print the messages, send nothing", default=False)


def run(call: Call) -> int:
    name, subject = call.args
    config = configuration(call)
    if name not in config.templates:
        broken = next((str(p) for p in config.problems if p.key == f"template.{name}"), "")
        raise Problem(broken) if broken else missing("template", name, config.templates)
    recipients = call.texts("recipient") or [f"{CONSOLE}:stdout"]
    for to in recipients:
        deliver(config, (name,), rollout(call, subject), to, dry=call.truth("dry-run"))
    return 0


def deliver(config: Configuration, names: tuple[str, ...], about: dict[str, Any], to: str, *, dry: bool) -> None:
    """Send one message to one recipient. Problem if it cannot be rendered, or is not accepted."""
    import asyncio
    import time

    from serinus.analysis.hiding import Hidden
    from serinus.notifications.services.service import Delayed, Refused
    from serinus.notifications.subscriptions import recipient_of
    from serinus.notifications.templates.errors import TemplateError
    from serinus.notifications.texts import render
    from serinus.notifications.variables import for_templates, variables

    service_name, recipient = recipient_of(to)
    service = config.services.get(service_name)
    if service is None and service_name != CONSOLE:
        raise missing("service", service_name, config.services)
    now = time.time()
    values = for_templates(variables(about, config.secrets), service_name, recipient, now)
    definitions = [config.templates[name] for name in names]
    try:
        notification = render(definitions, service_name, service.type if service else "", values, now)
    except TemplateError as error:
        raise Problem(f"failed to notify '{to}': {error}") from None
    if service is None or dry:
        sys.stdout.write(_printed(definitions, values, now, notification.message if dry else None, to))
        return
    try:
        asyncio.run(_sent(service, names, notification, recipient))
    except (Delayed, Refused) as error:
        raise Problem(f"failed to notify '{to}': {Hidden(service.secrets).foreign(str(error), 300)}") from None
    sys.stdout.write(f"sent to {to}\n")


async def _sent(service: Any, names: tuple[str, ...], notification: Any, recipient: str) -> None:
    import asyncio
    import os
    import time

    from serinus.analysis.providers.http.client import Http
    from serinus.notifications.services.registry import SERVICES
    from serinus.notifications.services.service import SECONDS, Delayed, SendRequest, ServiceContext

    async with Http() as http:
        job = SendRequest(
            service.name,
            recipient,
            notification.message,
            notification.section,
            ServiceContext(http, time.time, os.environ),
            names,
        )
        try:
            async with asyncio.timeout(SECONDS):
                await SERVICES[service.type].send(service.options, job)
        except TimeoutError:
            raise Delayed(f"no answer within {SECONDS:g} s") from None


def _printed(definitions: Any, values: Any, now: float, message: str | None, to: str) -> str:
    """The rendered notification, as YAML."""
    import msgspec

    from serinus.api.yaml.writer import dump_all
    from serinus.notifications.services.registry import SERVICES
    from serinus.notifications.texts import render

    whole: dict[str, Any] = {}
    for kind, service in sorted(SERVICES.items()):
        names = {
            part.partition(".")[2]
            for one in definitions
            for part in one.parts
            if part.startswith(f"{service.section}.")
        }
        for name in sorted(names) if service.section == "webhook" else [kind]:
            notification = render(definitions, name, kind, values, now)
            whole["message"] = notification.message
            if notification.section is not None and service.section:
                section = {key: value for key, value in msgspec.to_builtins(notification.section).items() if value}
                whole[service.section] = (
                    {**whole.get(service.section, {}), name: section} if service.section == "webhook" else section
                )
    if not whole.get("message"):
        whole.pop("message", None)
    return (f"# to {to}\n" if message is not None else "") + dump_all([dict(sorted(whole.items()))])


COMMAND = Command(
    run,
    "Make a template's message of a Rollout as it is now, and send it to the recipients, or print it.",
    "TEMPLATE ROLLOUT|FILE",
    (
        "serinus notifications template notify rollout-paused guestbook",
        "serinus notifications template notify t guestbook --recipient slack:ops",
    ),
    flags=(*FLAGS, RECIPIENT, DRY_RUN),
    least=2,
    most=2,
)
