"""`notifications history`: sent, waiting and failed messages of a Rollout, and why none is sent now."""

from __future__ import annotations

import sys
import time
from typing import Any

from serinus.api.resources import EVENTS, ROLLOUTS
from serinus.api.values.times import age_words, parse_time
from serinus.cli.cluster.session import open_session
from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.errors import Problem
from serinus.cli.rollouts.notifications_configuration import FLAGS, configuration, table
from serinus.view.notification_events import REASONS, Sending, waiting

SHORT = "Show the notifications of a Rollout, and why triggers send none"

Json = dict[str, Any]


def run(call: Call) -> int:
    session, name = open_session(call), call.args[0]
    about = session.get(ROLLOUTS, name)
    uid = about["metadata"].get("uid")
    events = session.list(EVENTS, fields=f"involvedObject.uid={uid}").get("items") or []
    rows = [_row(event) for event in events if event.get("reason") in REASONS]
    rows += [_waiting(one) for one in waiting(about["metadata"].get("annotations"))]
    rows.sort(key=lambda row: row[0])
    sys.stdout.write(table(["AGE", "TIMES", "WHAT"], [[age, times, what] for _, age, times, what in rows]))
    _explain(call, about)
    return 0


def _row(event: Json) -> tuple[float, str, str, str]:
    at = parse_time(str(event.get("lastTimestamp") or event["metadata"].get("creationTimestamp") or ""))
    age = max(0.0, time.time() - at) if at is not None else 0.0
    return age, age_words(age), str(event.get("count") or 1), str(event.get("message") or "")


def _waiting(one: Sending) -> tuple[float, str, str, str]:
    age = max(0.0, time.time() - one.at)
    return age, age_words(age), str(one.count), f"{one.trigger} waits to be sent to {one.to}"


def _explain(call: Call, about: Json) -> None:
    """For each subscription: when it sends a message, or why it sends none."""
    from serinus.notifications.due import by_condition, subscribed
    from serinus.notifications.names import NOTIFIED
    from serinus.notifications.state import read_state
    from serinus.notifications.variables import variables

    try:
        config = configuration(call)
    except Problem as problem:
        sys.stdout.write(f"No configuration: {problem.message}\n")
        return
    metadata = about["metadata"]
    annotations = metadata.get("annotations") or {}
    subscriptions, problems = subscribed(config, annotations, metadata.get("labels") or {})
    state = read_state(annotations.get(NOTIFIED) or "{}")
    rows: list[list[str]] = []
    for trigger, destinations in sorted(subscriptions.items()):
        known = config.triggers.get(trigger)
        for to in destinations:
            if known is None:
                why = "there is no trigger of this name in the configuration"
            elif to.service not in config.services:
                why = f"there is no service {to.service} in the configuration"
            elif all(one.when is None for one in known.conditions):
                why = "sent at each Event of that name"
            else:
                judged = by_condition(config, {trigger: [to]}, variables(about, config.secrets), state, time.time())
                told = any(f"{trigger}:" in key and key.endswith(f":{to.service}:{to.recipient}") for key in state)
                why = (
                    "is due now"
                    if judged.due
                    else "sent; sent again once its condition was false in between"
                    if told
                    else "its condition is false"
                )
                why += "".join(f" ({problem.message})" for problem in judged.problems)
            rows.append([trigger, str(to), why])
    sys.stdout.write("\n" + table(["TRIGGER", "TO", "NOW"], rows))
    sys.stdout.write("".join(f"{problem}\n" for problem in problems))


COMMAND = Command(
    run,
    "Show the notifications about a Rollout that were sent, wait or failed (as long as the API server keeps Events, usually an hour).\n"
    "For each subscription, show why it sends no notification now.",
    "ROLLOUT",
    ("serinus notifications history guestbook",),
    flags=FLAGS,
    least=1,
    most=1,
    completes="rollouts",
)
