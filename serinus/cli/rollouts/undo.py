"""`undo`: restores the pod template of an earlier revision."""

from __future__ import annotations

import sys

from serinus.api.resources import REPLICA_SETS
from serinus.cli.cluster.mutate import FLAGS, PendingWrite, check_numbered, write_seen
from serinus.cli.cluster.session import Session, open_session
from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.errors import Problem
from serinus.cli.framework.flags import Flag
from serinus.commands import rollback
from serinus.commands.decision import Json, TemplateChange
from serinus.commands.holder import template_holder

SHORT = "Go back to an earlier revision"


def run(call: Call) -> int:
    name, asked = call.args[0], call.number("to-revision")
    session = open_session(call)
    skipped = False

    def decide(rollout: Json) -> PendingWrite:
        nonlocal skipped
        target = rollback.earlier(rollout, _replica_sets(session, rollout), asked)
        holder = template_holder(rollout)
        obj = rollout if holder.is_rollout else session.get(holder.resource, holder.name)
        check_numbered(call, rollout, None if holder.is_rollout else obj)
        try:
            changed = rollback.undo(holder, obj, target, asked)
        except rollback.SameTemplate:
            skipped = True
            return PendingWrite("", lambda: None)
        skipped = False
        guarded = bool(call.number("revision"))
        return PendingWrite(
            changed.words, lambda: rollout if _restored(session, changed, asked, guarded=guarded) else None
        )

    if write_seen(session, call, name, "undo", decide):
        skip = f"skipped rollback (current template already matches revision {asked})"
        sys.stdout.write(skip if skipped else f"rollout '{name}' undo\n")
    return 0


def _restored(session: Session, changed: TemplateChange, asked: int, *, guarded: bool) -> Json:
    """Send the change; `guarded`: Conflict if another client wrote the object since it was read."""
    from serinus.kube.errors import ApiError, Conflict
    from serinus.kube.http.media_types import JSON_PATCH

    version = changed.obj["metadata"]["resourceVersion"]
    precondition: Json = {"op": "add", "path": "/metadata/resourceVersion", "value": version}
    patch = [*changed.patch, *([precondition] if guarded else [])]
    try:
        return session.client.patch(changed.resource, session.namespace, changed.name, patch, content_type=JSON_PATCH)
    except Conflict:
        raise
    except ApiError as error:
        problem = session.problem(error, changed.resource, changed.name)
        raise Problem(
            f"failed restoring revision {asked}: {problem.message}", problem.hint, code=problem.code
        ) from error


def _replica_sets(session: Session, rollout: Json) -> list[Json]:
    selector: Json = rollout["spec"].get("selector") or {}
    return session.list(REPLICA_SETS, labels=rollback.selector_text(selector)).get("items") or []


COMMAND = Command(
    run,
    "Go back to the pod template of an earlier revision. Only the template changes: it goes out like any new version.",
    "ROLLOUT",
    (
        "kubectl argo rollouts undo guestbook",
        "kubectl argo rollouts undo guestbook --to-revision=3",
        "",
        "# Only if nobody released another version meanwhile",
        "kubectl argo rollouts undo guestbook --revision 4",
    ),
    flags=(
        Flag("to-revision", "The revision to go back to; 0 for the one before the current one", default=0, metavar="N"),
        *FLAGS,
    ),
    least=1,
    most=1,
    completes="rollouts",
)
