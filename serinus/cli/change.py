"""How commands change a Rollout: only the revision that the user saw, if one is named; told in an Event; or only tried.

A status and a spec are two requests, as scripts know them. With `--revision` both carry the version that was looked at, so
that nothing slips in between; what the controller writes meanwhile is looked at again.
"""

from __future__ import annotations

import getpass
import socket
from collections.abc import Callable
from typing import Any

from serinus.api.resources import EVENTS, ROLLOUTS
from serinus.cli.commandline import Call, Flag
from serinus.cli.problems import Problem
from serinus.cli.session import Session

Json = dict[str, Any]
Patches = tuple[Json | None, Json | None]
"""(merge patch of the status, merge patch of the spec), None where nothing is to be sent."""

FLAGS = (
    Flag("revision", "Act only while this is the current revision", default=0, metavar="N"),
    Flag("dry-run", "Say what would be done, and do nothing", default=False),
)
TRIES = 5
REVISION = "rollout.argoproj.io/revision"


def change(session: Session, call: Call, name: str, reason: str, patches: Patches) -> bool:
    """Make a change that does not depend on what is there. False where it was only tried (`--dry-run`).

    `reason`: of the Event that tells of it, in one word.
    """
    if call.number("revision") or call.truth("dry-run"):
        return change_seen(session, call, name, reason, lambda _: patches)
    return _sent(session, name, reason, patches)


def change_seen(session: Session, call: Call, name: str, reason: str, decide: Callable[[Json], Patches]) -> bool:
    """Make a change that follows from what is there."""
    from serinus.kube.errors import Conflict

    revision = call.number("revision")
    for _ in range(TRIES):
        rollout = session.get(ROLLOUTS, name)
        if revision:
            _check(rollout, name, revision)
        patches = decide(rollout)
        if call.truth("dry-run"):
            print(f"rollout '{name}' would be changed (revision {_revision(rollout) or 'new'}): {_words(patches)}")
            return False
        try:
            return _sent(
                session, name, reason, patches, str(rollout["metadata"]["resourceVersion"]) if revision else ""
            )
        except Conflict:
            continue
    raise Problem(f"rollout '{name}' keeps changing: nothing was done", "Try again.")


def _check(rollout: Json, name: str, revision: int) -> None:
    have = _revision(rollout)
    if have != revision:
        raise Problem(
            f"rollout '{name}' is at revision {have or 'none'} now, not at {revision}: nothing was done",
            f"Look again: kubectl argo rollouts get rollout {name}",
        )


def _revision(rollout: Json) -> int:
    text = str((rollout["metadata"].get("annotations") or {}).get(REVISION) or "")
    return int(text) if text.isdigit() else 0


def _sent(session: Session, name: str, reason: str, patches: Patches, version: str = "") -> bool:
    """`version`: the one that was looked at, as a precondition. Conflict where it is not the current one."""
    status, spec = patches
    made: Json | None = None
    if status is not None:
        made = session.patch_status(ROLLOUTS, name, _holding(status, version), raises_conflict=bool(version))
        version = str(made["metadata"]["resourceVersion"]) if version else ""
    if spec is not None:
        made = session.patch(ROLLOUTS, name, _holding(spec, version), raises_conflict=bool(version))
    if made is not None:
        record(session, made, reason)
    return True


def _holding(patch: Json, version: str) -> Json:
    return {"metadata": {"resourceVersion": version}, **patch} if version else patch


def _words(patches: Patches) -> str:
    parts = [f"{path} = {value!r}" for patch in patches for path, value in _leaves(patch or {}, "")]
    return ", ".join(parts) if parts else "nothing"


def _leaves(value: Any, path: str) -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        return [(path, value)]
    return [leaf for key, inner in value.items() for leaf in _leaves(inner, f"{path}.{key}" if path else key)]


def record(session: Session, rollout: Json, reason: str) -> None:
    """Tell in an Event who did it. Whoever may not write Events leaves none: the change itself is done."""
    from datetime import UTC, datetime

    from serinus.kube.errors import ApiError

    meta, now = rollout["metadata"], datetime.now(UTC)
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    event: Json = {
        "metadata": {"name": f"{meta['name']}.{int(now.timestamp() * 1e9):x}", "namespace": meta.get("namespace")},
        "involvedObject": {
            "apiVersion": ROLLOUTS.api_version,
            "kind": ROLLOUTS.kind,
            "name": meta["name"],
            "namespace": meta.get("namespace"),
            "uid": meta.get("uid"),
        },
        "reason": reason,
        "message": f"{reason} of revision {_revision(rollout) or 'none'} by {_who()}",
        "type": "Normal",
        "source": {"component": "kubectl-argo-rollouts"},
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
    }
    try:
        session.client.create(EVENTS, str(meta.get("namespace") or session.namespace), event)
    except ApiError:
        return


def _who() -> str:
    """The user of this machine: the API server's audit knows whom the credentials belong to."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "somebody"
    return f"{user} on {socket.gethostname()}"
