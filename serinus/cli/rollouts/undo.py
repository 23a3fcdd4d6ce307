"""`undo`: the pod template of an earlier revision becomes the current one."""

from __future__ import annotations

import sys

from serinus.api.resources import DEPLOYMENTS, POD_TEMPLATES, REPLICA_SETS, ROLLOUTS, Resource
from serinus.api.rollback import NoRevision, choose, derives, revisions, selector_text, without_hash
from serinus.api.rollout_info import Json
from serinus.cli.commandline import Call, Command, Flag
from serinus.cli.problems import Problem
from serinus.cli.session import Session, open_session

_WORKLOADS = {"Deployment": DEPLOYMENTS, "ReplicaSet": REPLICA_SETS, "PodTemplate": POD_TEMPLATES}


def run(call: Call) -> int:
    from serinus.kube.errors import ApiError
    from serinus.kube.wire import JSON_PATCH

    name, asked = call.args[0], call.number("to-revision")
    session = open_session(call)
    rollout = session.get(ROLLOUTS, name)
    history = revisions(rollout, _replica_sets(session, rollout))
    try:
        chosen = choose(history, asked, name)
    except NoRevision as error:
        known = ", ".join(map(str, error.known)) or "none"
        raise Problem(error.message, f"Revisions: {known}" if asked > 0 else "") from None
    resource, target, current, path = _template(session, rollout)
    wanted = without_hash(history[chosen])
    if derives(without_hash(current), wanted):
        sys.stdout.write(f"skipped rollback (current template already matches revision {asked})")
        return 0
    patch = [{"op": "replace", "path": path, "value": wanted}]
    try:
        session.client.patch(resource, session.namespace, target, patch, content_type=JSON_PATCH)
    except ApiError as error:
        problem = session.problem(error, resource, target)
        raise Problem(f"failed restoring revision {asked}: {problem.message}", problem.hint) from error
    print(f"rollout '{name}' undo")
    return 0


def _replica_sets(session: Session, rollout: Json) -> list[Json]:
    selector: Json = rollout["spec"].get("selector") or {}
    return session.list(REPLICA_SETS, labels=selector_text(selector)).get("items") or []


def _template(session: Session, rollout: Json) -> tuple[Resource, str, Json, str]:
    """(resource, name, template, path of it): where the pod template is written."""
    reference: Json = rollout["spec"].get("workloadRef") or {}
    if not reference:
        return ROLLOUTS, str(rollout["metadata"]["name"]), rollout["spec"].get("template") or {}, "/spec/template"
    kind, name = str(reference.get("kind")), str(reference.get("name"))
    if kind not in _WORKLOADS:
        raise Problem(f"workload of type {kind} is not supported")
    workload = session.get(_WORKLOADS[kind], name)
    if kind == "PodTemplate":
        return POD_TEMPLATES, name, workload.get("template") or {}, "/template"
    return _WORKLOADS[kind], name, workload["spec"].get("template") or {}, "/spec/template"


COMMAND = Command(
    run,
    "Go back to the pod template of an earlier revision. Only the template changes: it goes out like any new version.",
    "ROLLOUT",
    ("kubectl argo rollouts undo guestbook", "kubectl argo rollouts undo guestbook --to-revision=3"),
    flags=(Flag("to-revision", "The revision to go back to; 0 for the one before the current one", default=0),),
    least=1,
    most=1,
    completes="rollouts",
)
