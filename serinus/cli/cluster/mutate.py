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
from serinus.cli.framework.commandline import Call
from serinus.cli.framework.errors import NOT_ALLOWED, Problem, told
from serinus.cli.framework.flags import Flag
from serinus.commands.actions import UNREAD, WithoutEffect, action_patches
from serinus.commands.decision import Json, Patches, Refusal
from serinus.commands.event_reasons import EVENT_REASONS

DRY_RUN = Flag("dry-run", "Say what would be done, and do nothing", default=False)
FLAGS = (Flag("revision", "Act only while this is the current revision", default=0, metavar="N"), DRY_RUN)
TRIES = 5
REVISION = "rollout.argoproj.io/revision"


@record()
class PendingWrite:
    """A change that was decided from the object as read, and is not sent yet.

    `words`: its description for `--dry-run`; empty if there is nothing to do. `send` makes the change. It may raise
    Conflict, and returns the changed object, or None if it changed none.
    """

    words: str
    send: Callable[[], Json | None]


def change(
    session: Session, call: Call, name: str, command: str, patches: Patches, resource: Resource = ROLLOUTS
) -> bool:
    """Make a change that does not depend on the current object. False for a dry run (`--dry-run`).

    `command`: a key of EVENT_REASONS.
    """
    if call.number("revision") or call.truth("dry-run"):
        return _change_seen(session, call, name, command, lambda _: patches, resource)
    return _told(session, resource, command, _sent(session, call, resource, name, patches))


class NotChanged(Problem):
    """The action would have no effect now. Nothing was sent."""


def act(session: Session, call: Call, name: str, action: str, *, restart_at: str = "") -> bool:
    """Carry out one of `effects.ACTIONS` on a Rollout. False, with a line on stderr, if the Rollout is already so.

    NotChanged if the action would have no effect.
    """
    try:
        return _change_seen(
            session, call, name, action, lambda rollout: action_patches(action, rollout, restart_at=restart_at)
        )
    except WithoutEffect as refusal:
        sentence = f"rollout '{name}' was not changed: {refusal.sentence}"
        if not refusal.holds:
            raise NotChanged(sentence, refusal.hint) from None
        sys.stderr.write(f"{sentence}\n")
        return False


def _act_unread(session: Session, call: Call, name: str, action: str) -> bool:
    """As `act`, for an action of UNREAD. A user who may not read the Rollout (403) still sends the patches."""
    try:
        return act(session, call, name, action)
    except Problem as problem:
        guarded = call.number("revision") or call.truth("dry-run")
        if problem.code != NOT_ALLOWED or guarded:
            raise
        return change(session, call, name, action, UNREAD[action])


def act_on_all(call: Call, action: str, done: str) -> int:
    """Carry out an action of UNREAD on each named Rollout, and print `done` for each.

    A Rollout on which the action has no effect does not stop the others. Any other failure ends the command.
    """
    session, failed = open_session(call), list[NotChanged]()
    for name in call.args:
        try:
            if _act_unread(session, call, name, action):
                print(f"rollout '{name}' {done}", flush=True)
        except NotChanged as problem:
            failed.append(problem)
    for problem in failed[:-1]:
        sys.stderr.write(told(problem))
    if failed:
        raise failed[-1]
    return 0


def _change_seen(
    session: Session,
    call: Call,
    name: str,
    command: str,
    decide: Callable[[Json], Patches],
    resource: Resource = ROLLOUTS,
) -> bool:
    """Make a change that depends on the current object."""

    def write(current: Json) -> PendingWrite:
        patches = decide(current)
        revision = call.number("revision")
        version = str(current["metadata"]["resourceVersion"]) if revision else ""
        return PendingWrite(_words(patches), lambda: _sent(session, call, resource, name, patches, version, revision))

    return write_seen(session, call, name, command, write, resource)


def write_seen(
    session: Session,
    call: Call,
    name: str,
    command: str,
    decide: Callable[[Json], PendingWrite],
    resource: Resource = ROLLOUTS,
) -> bool:
    """Make a change of any kind that depends on the current object. WithoutEffect and Problem come from `decide`."""
    from serinus.kube.errors import Conflict

    revision = call.number("revision")
    for _ in range(TRIES):
        current = session.get(resource, name)
        if revision:
            _check(call, current, resource, revision)
        write = _decided(decide, current)
        if call.truth("dry-run"):
            now = _revision(current) or "new"
            print(f"{_called(resource)} '{name}' would be changed (revision {now}): {write.words or 'nothing'}")
            return False
        try:
            return _told(session, resource, command, write.send())
        except Conflict:
            continue
    raise Problem(f"{_called(resource)} '{name}' keeps changing: nothing was done", "Try again.")


def _decided(decide: Callable[[Json], PendingWrite], current: Json) -> PendingWrite:
    try:
        return decide(current)
    except WithoutEffect:
        raise
    except Refusal as refusal:
        raise Problem(refusal.sentence, refusal.hint) from None


def _check(call: Call, current: Json, resource: Resource, revision: int) -> None:
    have, name = _revision(current), str(current["metadata"]["name"])
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
        observed = str(looked_at or "")
        if obj is not None and observed.isdigit() and int(observed) < int(obj["metadata"].get("generation") or 0):
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
    written: Json | None = None
    if status is not None:
        written = session.patch_status(resource, name, _holding(status, version), raises_conflict=bool(version))
        version = str(written["metadata"]["resourceVersion"]) if version else ""
    if spec is None:
        return written
    for _ in range(TRIES):
        try:
            return session.patch(resource, name, _holding(spec, version), raises_conflict=bool(version))
        except Conflict:
            if written is None:
                raise
            # The status is written: deciding again would repeat it and skip a step.
            current = session.get(resource, name)
            _check(call, current, resource, revision)
            version = str(current["metadata"]["resourceVersion"])
    raise Problem(f"{_called(resource)} '{name}' keeps changing: its status was changed, its spec not", "Try again.")


def _told(session: Session, resource: Resource, command: str, written: Json | None) -> bool:
    if written is not None:
        tell(session, resource, written, EVENT_REASONS[command])
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
