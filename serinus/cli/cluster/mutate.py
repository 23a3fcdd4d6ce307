"""How commands change an object: with a revision as precondition, with an Event, or as a dry run.

Status and spec are two requests, as in Argo Rollouts. With `--revision` each carries the resourceVersion that was
read, so that it conflicts with any other write. After a conflict the object is read and checked again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from serinus.api.records import record
from serinus.api.resources import EVENTS, ROLLOUTS, Resource
from serinus.cli.cluster.session import Session, open_session
from serinus.cli.framework.commandline import Call, Flag
from serinus.cli.framework.errors import NOT_ALLOWED, Problem, told
from serinus.commands.effects import no_effect

Json = dict[str, Any]
Patches = tuple[Json | None, Json | None]
"""(merge patch of the status, merge patch of the spec); None: no request."""

DRY_RUN = Flag("dry-run", "Say what would be done, and do nothing", default=False)
FLAGS = (Flag("revision", "Act only while this is the current revision", default=0, metavar="N"), DRY_RUN)
TRIES = 5
REVISION = "rollout.argoproj.io/revision"


@record()
class Write:
    """A change that was decided from the object as read, and is not sent yet.

    `words`: its description for `--dry-run`; empty if there is nothing to do. `send` makes the change. It may raise
    Conflict, and returns the changed object, or None if it changed none.
    """

    words: str
    send: Callable[[], Json | None]


def change(
    session: Session, call: Call, name: str, reason: str, patches: Patches, resource: Resource = ROLLOUTS
) -> bool:
    """Make a change that does not depend on the current object. False for a dry run (`--dry-run`).

    `reason`: of the Event that records the change, in one word.
    """
    if call.number("revision") or call.truth("dry-run"):
        return change_seen(session, call, name, reason, lambda _: patches, resource)
    return _told(session, resource, reason, _sent(session, call, resource, name, patches))


class WithoutEffect(Problem):
    """The action would have no effect now. Nothing was sent."""


def act(session: Session, call: Call, name: str, reason: str, action: str, decide: Callable[[Json], Patches]) -> bool:
    """Carry out one of `effects.ACTIONS` on a Rollout. False, with a line on stderr, if the Rollout is already so.

    WithoutEffect if the action would have no effect.
    """

    def effective(rollout: Json) -> Patches:
        found = no_effect(action, rollout)
        if found is None:
            return decide(rollout)
        if found.holds:
            raise _Holds(f"rollout '{name}' was not changed: {found.why}")
        raise WithoutEffect(f"rollout '{name}' was not changed: {found.why}", found.hint)

    try:
        return change_seen(session, call, name, reason, effective)
    except _Holds as found:
        sys.stderr.write(f"{found}\n")
        return False


def _act_unread(session: Session, call: Call, name: str, reason: str, action: str, patches: Patches) -> bool:
    """As `act`, with patches that do not depend on the Rollout. A user who may not read it (403) still sends them."""
    try:
        return act(session, call, name, reason, action, lambda _: patches)
    except Problem as problem:
        guarded = call.number("revision") or call.truth("dry-run")
        if problem.code != NOT_ALLOWED or guarded:
            raise
        return change(session, call, name, reason, patches)


def act_on_all(call: Call, reason: str, action: str, patches: Patches, done: str) -> int:
    """Carry out an action on each named Rollout, and print `done` for each.

    A Rollout on which the action has no effect does not stop the others. Any other failure ends the command.
    """
    session, failed = open_session(call), list[WithoutEffect]()
    for name in call.args:
        try:
            if _act_unread(session, call, name, reason, action, patches):
                print(f"rollout '{name}' {done}", flush=True)
        except WithoutEffect as problem:
            failed.append(problem)
    for problem in failed[:-1]:
        sys.stderr.write(told(problem))
    if failed:
        raise failed[-1]
    return 0


class _Holds(Exception):
    """The Rollout already has the requested state."""


def change_seen(
    session: Session,
    call: Call,
    name: str,
    reason: str,
    decide: Callable[[Json], Patches],
    resource: Resource = ROLLOUTS,
) -> bool:
    """Make a change that depends on the current object."""

    def write(seen: Json) -> Write:
        patches = decide(seen)
        revision = call.number("revision")
        version = str(seen["metadata"]["resourceVersion"]) if revision else ""
        return Write(_words(patches), lambda: _sent(session, call, resource, name, patches, version, revision))

    return write_seen(session, call, name, reason, write, resource)


def write_seen(
    session: Session,
    call: Call,
    name: str,
    reason: str,
    decide: Callable[[Json], Write],
    resource: Resource = ROLLOUTS,
) -> bool:
    """Make a change of any kind that depends on the current object."""
    from serinus.kube.errors import Conflict

    revision = call.number("revision")
    for _ in range(TRIES):
        seen = session.get(resource, name)
        if revision:
            _check(call, seen, resource, revision)
        write = decide(seen)
        if call.truth("dry-run"):
            now = _revision(seen) or "new"
            print(f"{_called(resource)} '{name}' would be changed (revision {now}): {write.words or 'nothing'}")
            return False
        try:
            return _told(session, resource, reason, write.send())
        except Conflict:
            continue
    raise Problem(f"{_called(resource)} '{name}' keeps changing: nothing was done", "Try again.")


def _check(call: Call, seen: Json, resource: Resource, revision: int) -> None:
    have, name = _revision(seen), str(seen["metadata"]["name"])
    if have != revision:
        raise Problem(
            f"{_called(resource)} '{name}' is at revision {have or 'none'} now, not at {revision}: nothing was done",
            f"Look again: {call.again('get', 'rollout', name)}" if resource is ROLLOUTS else "",
        )


def check_numbered(call: Call, rollout: Json, workload: Json | None = None) -> None:
    """With `--revision`: Problem if a newer spec has no revision number yet.

    For commands that replace the template: a spec that the controller has not observed may be a revision that the
    user did not see.
    """
    if not call.number("revision"):
        return
    status = rollout.get("status") or {}
    pairs = [(rollout, status.get("observedGeneration")), (workload, status.get("workloadObservedGeneration"))]
    for obj, looked_at in pairs:
        seen = str(looked_at or "")
        if obj is not None and seen.isdigit() and int(seen) < int(obj["metadata"].get("generation") or 0):
            kind, name = str(obj.get("kind") or "Rollout").lower(), obj["metadata"]["name"]
            raise Problem(
                f"{kind} '{name}' was written and may be a new revision: nothing was done",
                "The controller has not looked at it yet. Try again in a moment.",
            )


def _called(resource: Resource) -> str:
    """The kind, as these commands print it: rollout, experiment, analysisRun."""
    return resource.kind[0].lower() + resource.kind[1:]


def _revision(obj: Json) -> int:
    text = str((obj["metadata"].get("annotations") or {}).get(REVISION) or "")
    return int(text) if text.isdigit() else 0


def _sent(
    session: Session, call: Call, resource: Resource, name: str, patches: Patches, version: str = "", revision: int = 0
) -> Json | None:
    """`version`: the resourceVersion that was read, as a precondition. Conflict if it is not the current one."""
    from serinus.kube.errors import Conflict

    status, spec = patches
    made: Json | None = None
    if status is not None:
        made = session.patch_status(resource, name, _holding(status, version), raises_conflict=bool(version))
        version = str(made["metadata"]["resourceVersion"]) if version else ""
    if spec is None:
        return made
    for _ in range(TRIES):
        try:
            return session.patch(resource, name, _holding(spec, version), raises_conflict=bool(version))
        except Conflict:
            if made is None:
                raise
            # The status is written: deciding again would repeat it and skip a step.
            seen = session.get(resource, name)
            _check(call, seen, resource, revision)
            version = str(seen["metadata"]["resourceVersion"])
    raise Problem(f"{_called(resource)} '{name}' keeps changing: its status was changed, its spec not", "Try again.")


def _told(session: Session, resource: Resource, reason: str, made: Json | None) -> bool:
    if made is not None:
        tell(session, resource, made, reason)
    return True


def _holding(patch: Json, version: str) -> Json:
    return {"metadata": {"resourceVersion": version}, **patch} if version else patch


def _words(patches: Patches) -> str:
    return ", ".join(f"{path} = {value!r}" for patch in patches for path, value in _leaves(patch or {}, ""))


def _leaves(value: Any, path: str) -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        return [(path, value)]
    return [leaf for key, inner in value.items() for leaf in _leaves(inner, f"{path}.{key}" if path else key)]


def tell(session: Session, resource: Resource, obj: Json, reason: str) -> None:
    """Record the user of the change in an Event. A user who may not write Events leaves none: the change is done."""
    import time

    from serinus.kube.change_event import RETRY_SECONDS, change_event
    from serinus.kube.errors import ApiError, Unavailable

    event = change_event(resource, obj, reason, time.time(), component="kubectl-argo-rollouts")
    for pause in (*RETRY_SECONDS, None):
        try:
            session.client.create(EVENTS, str(obj["metadata"].get("namespace") or session.namespace), event)
        except Unavailable:
            if pause is not None:
                time.sleep(pause)
        except ApiError:
            return
        else:
            return
