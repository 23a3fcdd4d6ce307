"""`undo`: restores the pod template of an earlier revision."""

from __future__ import annotations

import sys

from serinus.api.resources import DEPLOYMENTS, POD_TEMPLATES, REPLICA_SETS, ROLLOUTS, Resource
from serinus.cli.cluster.mutate import FLAGS, Write, check_numbered, write_seen
from serinus.cli.cluster.session import Session, open_session
from serinus.cli.framework.commandline import Call, Command, Flag
from serinus.cli.framework.errors import Problem
from serinus.commands.rollback import NoRevision, choose, derives, revisions, selector_text, without_hash
from serinus.view.rollout_info import Json

SHORT = "Go back to an earlier revision"

_WORKLOADS = {"Deployment": DEPLOYMENTS, "ReplicaSet": REPLICA_SETS, "PodTemplate": POD_TEMPLATES}


def run(call: Call) -> int:
    name, asked = call.args[0], call.number("to-revision")
    session = open_session(call)
    skipped = False

    def decide(rollout: Json) -> Write:
        nonlocal skipped
        history = revisions(rollout, _replica_sets(session, rollout))
        try:
            chosen = choose(history, asked, name)
        except NoRevision as error:
            known = ", ".join(map(str, error.known)) or "none"
            raise Problem(error.message, f"Revisions: {known}" if asked > 0 else "") from None
        resource, target, path = _place(session, rollout)
        check_numbered(call, rollout, None if resource is ROLLOUTS else target)
        wanted = history[chosen]
        skipped = derives(without_hash(_template(target)), wanted)
        if skipped:
            return Write("", lambda: None)
        patch: list[Json] = [{"op": "replace", "path": path, "value": wanted}]
        if call.number("revision"):
            version = target["metadata"]["resourceVersion"]
            patch.append({"op": "add", "path": "/metadata/resourceVersion", "value": version})
        return Write(
            f"{path} of {resource.singular} '{target['metadata']['name']}' = that of revision {chosen}",
            lambda: rollout if _restored(session, resource, target, patch, asked) else None,
        )

    if write_seen(session, call, name, "Undo", decide):
        skip = f"skipped rollback (current template already matches revision {asked})"
        sys.stdout.write(skip if skipped else f"rollout '{name}' undo\n")
    return 0


def _restored(session: Session, resource: Resource, target: Json, patch: list[Json], asked: int) -> Json:
    from serinus.kube.errors import ApiError, Conflict
    from serinus.kube.http.media_types import JSON_PATCH

    name = str(target["metadata"]["name"])
    try:
        return session.client.patch(resource, session.namespace, name, patch, content_type=JSON_PATCH)
    except Conflict:
        raise
    except ApiError as error:
        problem = session.problem(error, resource, name)
        raise Problem(
            f"failed restoring revision {asked}: {problem.message}", problem.hint, code=problem.code
        ) from error


def _replica_sets(session: Session, rollout: Json) -> list[Json]:
    selector: Json = rollout["spec"].get("selector") or {}
    return session.list(REPLICA_SETS, labels=selector_text(selector)).get("items") or []


def _place(session: Session, rollout: Json) -> tuple[Resource, Json, str]:
    """(resource, object, path in it) that holds the pod template."""
    reference: Json = rollout["spec"].get("workloadRef") or {}
    if not reference:
        return ROLLOUTS, rollout, "/spec/template"
    kind, name = str(reference.get("kind")), str(reference.get("name"))
    if kind not in _WORKLOADS:
        raise Problem(f"workload of type {kind} is not supported")
    path = "/template" if kind == "PodTemplate" else "/spec/template"
    return _WORKLOADS[kind], session.get(_WORKLOADS[kind], name), path


def _template(obj: Json) -> Json:
    """The pod template of a Rollout, a workload or a PodTemplate."""
    return (obj.get("spec") or obj).get("template") or {}


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
