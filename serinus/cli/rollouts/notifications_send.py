"""`notifications send`: the messages that a trigger would send for a Rollout now, to all its subscribers."""

from __future__ import annotations

import sys

from serinus.cli.framework.commandline import Call, Command
from serinus.cli.rollouts.notifications_configuration import FLAGS, configuration, missing, rollout
from serinus.cli.rollouts.notifications_template_notify import DRY_RUN, deliver

SHORT = "Send what a trigger says of a Rollout now"


def run(call: Call) -> int:
    from serinus.notifications.due import subscribed

    name, subject = call.args
    config, about = configuration(call), rollout(call, subject)
    trigger = config.triggers.get(name)
    if trigger is None:
        raise missing("trigger", name, config.triggers)
    metadata = about.get("metadata") or {}
    subscriptions, _ = subscribed(config, metadata.get("annotations") or {}, metadata.get("labels") or {})
    destinations = subscriptions.get(name, [])
    if not destinations:
        sys.stdout.write(f"Nobody subscribed to {name} for this Rollout.\n")
    for condition in trigger.conditions:
        for to in destinations:
            deliver(config, condition.send, about, str(to), dry=call.truth("dry-run"))
    return 0


COMMAND = Command(
    run,
    "Send what a trigger says of a Rollout as it is now to all who subscribed to it, whether its conditions hold or not.\n"
    "--dry-run prints the messages and sends nothing.",
    "TRIGGER ROLLOUT|FILE",
    ("serinus notifications send on-rollout-paused guestbook --dry-run",),
    flags=(*FLAGS, DRY_RUN),
    least=2,
    most=2,
)
