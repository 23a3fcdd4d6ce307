"""`why`: the reasons why a Rollout waits, with their start, their deadline and the action that ends them.

The command runs the controller's planner on the objects that the API has now. The answer needs no controller and is
always current.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import msgspec
from msgspec.structs import replace

from serinus.api.decoding.reading import converted
from serinus.api.messages.visible import visible_json
from serinus.api.rollout import Rollout
from serinus.api.values.times import age_words, format_time
from serinus.cli.cluster.istio_cluster import Clients
from serinus.cli.cluster.session import Session, open_session
from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.errors import Problem
from serinus.cli.framework.flags import Flag
from serinus.cli.rollouts.get_rollout import rollout_named
from serinus.engine.core.plan import Snapshot
from serinus.engine.explain.metrics import BAD, words
from serinus.engine.explain.snapshot_reader import Read, answered, gather, resource_of
from serinus.engine.explain.why import Why, WhyReason, explain, glance, sentence
from serinus.kube.errors import ApiError

SHORT = "Say why a Rollout waits, and what would release it"

Json = dict[str, Any]


def run(call: Call) -> int:
    session, name = open_session(call), call.args[0]
    rollout = rollout_named(session.get, name)
    clients = Clients(session, time.time())
    try:
        answer = explain(current_snapshot(session, rollout, time.time(), clients))
        answer = replace(answer, asked=clients.mesh.asked if clients.mesh else "")
    except ApiError as refused:
        sys.stderr.write(f"This is what the status alone tells: {refused.message}\n")
        answer = glance(converted(rollout, Rollout))
    output = call.text("output")
    if output == "line":
        print(sentence(answer, time.time()))
    elif output == "json":
        sys.stdout.write(visible_json(f"{msgspec.json.format(msgspec.json.encode(answer), indent=2).decode()}\n"))
    else:
        sys.stdout.write(told(name, answer, time.time()))
    return 0


def told(name: str, why: Why, now: float) -> str:
    """The text output: the nearest reason first, then the other waits."""
    # The status of an aborted or invalid Rollout contains the reason's sentence, which is printed below.
    again = any(reason.message in why.message or why.message in reason.message for reason in why.reasons)
    lines = [f"{name} is {why.phase or 'new'}" + (f": {why.message}" if why.message and not again else "")]
    if not why.reasons:
        lines.append("Nothing is waited for.")
    for reason in why.reasons:
        lines += _lines(reason, now)
    if why.next:
        lines.append(f"Then:      {why.next}")
    word = "Decided:" if any(metric.phase in BAD for metric in why.metrics) else "Measured:"
    lines += [f"{word if i == 0 else '':10} {words(metric)}" for i, metric in enumerate(why.metrics)]
    lines += [f"{'Seen:' if i == 0 else '':10} {line}" for i, line in enumerate(why.observed)]
    lines += [f"Asked:     {why.asked}"] if why.asked else []
    lines += [f"{'Too short:' if i == 0 else '':10} {line}" for i, line in enumerate(why.short_steps)]
    if why.pending:
        lines.append("About to be done, if a controller works here:")
        lines += [f"  {line}" for line in why.pending]
    return "\n".join(lines) + "\n"


def _lines(reason: WhyReason, now: float) -> list[str]:
    lines = [f"Waits for: {reason.message}", f"Rule:      {reason.code}: {reason.meaning}"]
    if reason.since is not None:
        lines.append(f"Since:     {format_time(reason.since)} ({age_words(max(0, now - reason.since))} ago)")
    until = reason.until if reason.until is not None else reason.gives_up_at
    if until is not None and until > now:  # a time in the past is no deadline
        word = "Until:    " if reason.until is not None else "Gives up: "
        lines.append(f"{word} {format_time(until)} (in {age_words(until - now)})")
    lines.append(f"Released:  when {reason.ends}")
    return lines


def current_snapshot(session: Session, rollout: Json, now: float, clients: Clients | None = None) -> Snapshot:
    """The objects of this Rollout as a controller's cache would hold them. ApiError if they are not readable."""
    clients = clients or Clients(session, now)

    def answer(ask: Read) -> list[Json]:
        resource, space = resource_of(ask), ask.namespace or session.namespace
        if resource is None and not ask.path:
            return []
        group = ask.path.split("/")[2] if resource is None else resource.group
        client = clients.of(group)
        try:
            if ask.path or resource is None:
                return [client.call("GET", ask.path)]
            if ask.name:
                return [client.get(resource, space, ask.name)]
            return client.list(resource, space, labels=ask.labels, fields=ask.fields).get("items") or []
        except ApiError as error:
            what = f"{resource.kind} {ask.name}" if resource else f"API group {group}"
            if doubtful := clients.unknown(group, what, error):
                raise doubtful from error
            if error.code == 404 or (error.code == 403 and not ask.needed):
                return []
            if error.code == 403 or resource is None:
                raise
            raise session.problem(error, resource, ask.name) from error

    try:
        return answered(gather(rollout, now), answer)
    except msgspec.ValidationError as error:
        raise Problem(
            f"rollout '{rollout['metadata']['name']}' or what belongs to it cannot be read: {error}"
        ) from None


COMMAND = Command(
    run,
    "Say why a Rollout waits: what was seen, which rule holds it, since when, until when, and what would release it.",
    "ROLLOUT",
    ("serinus why guestbook", "serinus why guestbook -o line", "serinus why guestbook -o json"),
    flags=(
        Flag(
            "output",
            "json for programs, line for the nearest reason alone",
            short="o",
            metavar="FORMAT",
            choices=("json", "line"),
        ),
    ),
    least=1,
    most=1,
    completes="rollouts",
)
