"""`undo`: the pod template of an earlier revision becomes the current one."""

from __future__ import annotations

import sys
from typing import Any

from serinus.api.resources import DEPLOYMENTS, POD_TEMPLATES, REPLICA_SETS, ROLLOUTS, Resource
from serinus.api.rollout_info import HASH, REVISION, Json
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
    chosen = choose(history, asked, name)
    resource, target, current, path = _template(session, rollout)
    wanted = _without_hash(history[chosen])
    if derives(_without_hash(current), wanted):
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


def revisions(rollout: Json, replica_sets: list[Json]) -> dict[int, Json]:
    """Revision -> pod template, of the ReplicaSets that the Rollout controls."""
    uid, found = rollout["metadata"].get("uid"), dict[int, Json]()
    for rs in replica_sets:
        owners: list[Json] = rs["metadata"].get("ownerReferences") or []
        if any(o.get("controller") and o.get("uid") == uid for o in owners):
            noted = str((rs["metadata"].get("annotations") or {}).get(REVISION) or "0")
            found[int(noted) if noted.isdigit() else 0] = rs["spec"]["template"]
    return found


def choose(history: dict[int, Json], asked: int, name: str) -> int:
    """The revision to go back to; 0 asks for the one before the newest. Problem if there is none."""
    if asked > 0:
        if asked not in history:
            known = ", ".join(map(str, sorted(history))) or "none"
            raise Problem(f"unable to find specified revision {asked} in history", f"Revisions: {known}")
        return asked
    if len(history) < 2:
        raise Problem(f'no revision found for rollout "{name}"')
    return sorted(history)[-2]


def derives(current: Any, wanted: Any) -> bool:
    """Whether every value set in `current` is the same in `wanted`; what `current` leaves out may be anything."""
    if isinstance(current, dict):
        if not current:
            return True
        return isinstance(wanted, dict) and all(derives(value, wanted.get(key)) for key, value in current.items())
    if isinstance(current, list):
        if not current:
            return True
        if not isinstance(wanted, list) or len(current) > len(wanted):
            return False
        return all(derives(ours, theirs) for ours, theirs in zip(current, wanted, strict=False))
    return current in (None, "", 0, False) or current == wanted


def _replica_sets(session: Session, rollout: Json) -> list[Json]:
    selector: Json = rollout["spec"].get("selector") or {}
    return session.list(REPLICA_SETS, labels=selector_text(selector)).get("items") or []


def selector_text(selector: Json) -> str:
    """A label selector as a query; empty for one that selects everything."""
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for need in selector.get("matchExpressions") or []:
        key, operator, values = str(need.get("key")), need.get("operator"), ",".join(need.get("values") or [])
        words = {"Exists": key, "DoesNotExist": f"!{key}", "In": f"{key} in ({values})"}
        parts.append(words.get(str(operator), f"{key} notin ({values})"))
    return ",".join(parts)


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


def _without_hash(template: Json) -> Json:
    meta: Json = template.get("metadata") or {}
    labels = {key: value for key, value in (meta.get("labels") or {}).items() if key != HASH}
    return {**template, "metadata": {**meta, "labels": labels}}


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
