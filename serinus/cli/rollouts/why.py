"""`why`: what a Rollout waits for, since when, until when, and what would release it.

The engine's own decision is made here once more, from what the API shows now: the answer needs no controller and is never
out of date.
"""

from __future__ import annotations

import sys
import time
from typing import Any, TypeVar

import msgspec

from serinus.api.network import Ingress, Service
from serinus.api.resources import BY_KIND, INGRESSES, PODS, REPLICA_SETS, SERVICES, Resource
from serinus.api.rollout import Rollout
from serinus.api.times import age_words, format_time
from serinus.api.workloads import Pod, ReplicaSet, Workload
from serinus.cli.commandline import Call, Command, Flag
from serinus.cli.rollouts.get_rollout import found
from serinus.cli.session import Session, open_session
from serinus.engine.plan import Snapshot
from serinus.engine.released import named_services
from serinus.engine.why import Reason, Why, explain
from serinus.kube.errors import ApiError
from serinus.routing.registry import routers_of

Json = dict[str, Any]
T = TypeVar("T")


def run(call: Call) -> int:
    session, name = open_session(call), call.args[0]
    answer = explain(seen(session, found(session.get, name), time.time()))
    if call.text("output") == "json":
        sys.stdout.write(f"{msgspec.json.format(msgspec.json.encode(answer), indent=2).decode()}\n")
    else:
        sys.stdout.write(told(name, answer, time.time()))
    return 0


def told(name: str, why: Why, now: float) -> str:
    """The answer for people: the nearest reason first, then what else is waited for."""
    lines = [f"{name} is {why.phase or 'new'}" + (f": {why.message}" if why.message else "")]
    if not why.reasons:
        lines.append("Nothing is waited for.")
    for reason in why.reasons:
        lines += _lines(reason, now)
    if why.next:
        lines.append(f"Then:      {why.next}")
    lines += [f"{'Seen:' if i == 0 else '':10} {line}" for i, line in enumerate(why.observed)]
    if why.pending:
        lines.append("About to be done, if a controller works here:")
        lines += [f"  {line}" for line in why.pending]
    return "\n".join(lines) + "\n"


def _lines(reason: Reason, now: float) -> list[str]:
    lines = [f"Waits for: {reason.message}", f"Rule:      {reason.code}: {reason.meaning}"]
    if reason.since is not None:
        lines.append(f"Since:     {format_time(reason.since)} ({age_words(max(0, now - reason.since))} ago)")
    until = reason.until if reason.until is not None else reason.gives_up_at
    if until is not None:
        word = "Until:    " if reason.until is not None else "Gives up: "
        lines.append(f"{word} {format_time(until)} (in {age_words(max(0, until - now))})")
    lines.append(f"Released:  when {reason.ends}")
    return lines


def seen(session: Session, rollout: Json, now: float) -> Snapshot:
    """What a controller's cache would hold of this Rollout. What the user may not see counts as absent."""
    typed = msgspec.convert(rollout, Rollout)
    sets = _list(session, REPLICA_SETS, ReplicaSet)
    own = {rs.metadata.uid for rs in sets if (c := rs.metadata.controller()) and c.uid == typed.metadata.uid}
    pods = [p for p in _list(session, PODS, Pod) if (c := p.metadata.controller()) and c.uid in own]
    services = _named(session, SERVICES, Service, named_services(typed))
    routing = typed.spec.strategy.canary.traffic_routing if typed.spec.strategy.canary else None
    wanted = (
        {o for router in routers_of(routing) for o in router.objects(typed.metadata.name, routing)}
        if routing
        else set()
    )
    ingresses = _named(session, INGRESSES, Ingress, {name for kind, name in wanted if kind == "Ingress"})
    others = {f"{kind}/{name}": _get(session, BY_KIND[kind], name) for kind, name in wanted if kind != "Ingress"}
    reference = typed.spec.workload_ref
    work = _get(session, BY_KIND[reference.kind], reference.name) if reference and reference.kind in BY_KIND else None
    return Snapshot(
        now,
        typed,
        tuple(sets),
        tuple(pods),
        services,
        ingresses,
        {key: obj for key, obj in others.items() if obj},
        workload=msgspec.convert(work, Workload) if work else None,
    )


def _list(session: Session, resource: Resource, kind: type[T]) -> list[T]:
    try:
        items = session.client.list(resource, session.namespace).get("items") or []
    except ApiError as error:
        if error.code not in (403, 404):
            raise session.problem(error, resource) from error
        return []
    return [msgspec.convert(item, kind) for item in items]


def _named(session: Session, resource: Resource, kind: type[T], names: set[str]) -> dict[str, T]:
    return {n: msgspec.convert(obj, kind) for n in sorted(names) if (obj := _get(session, resource, n))}


def _get(session: Session, resource: Resource, name: str) -> Json | None:
    try:
        return session.client.get(resource, session.namespace, name)
    except ApiError as error:
        if error.code not in (403, 404):
            raise session.problem(error, resource, name) from error
        return None


COMMAND = Command(
    run,
    "Say why a Rollout waits: what was seen, which rule holds it, since when, until when, and what would release it.",
    "ROLLOUT",
    ("serinus why guestbook", "serinus why guestbook -o json"),
    flags=(Flag("output", "json for programs", short="o", metavar="FORMAT"),),
    least=1,
    most=1,
    completes="rollouts",
)
