"""`undo`: the pod template of an earlier revision again, and thereby a new update."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from serinus.api.resources import DEPLOYMENTS, POD_TEMPLATES, REPLICA_SETS, ROLLOUTS, Resource
from serinus.api.rollout_info import HASH, REVISION
from serinus.cli.commandline import Call, Command, Flag
from serinus.cli.problems import Problem
from serinus.cli.session import open_session

Json = dict[str, Any]

WORKLOADS = {"Deployment": DEPLOYMENTS, "ReplicaSet": REPLICA_SETS, "PodTemplate": POD_TEMPLATES}


def run(call: Call) -> int:
    from serinus.kube.errors import ApiError
    from serinus.kube.wire import JSON_PATCH

    session, name, wanted = open_session(call), call.args[0], call.number("to-revision")
    rollout = session.get(ROLLOUTS, name)
    spec: Json = rollout.get("spec") or {}
    found = session.list(REPLICA_SETS, labels=selector_text(spec.get("selector") or {}))
    chosen = choose(rollout, found.get("items") or [], wanted)
    resource, target = _target(spec, name)
    now = rollout if resource is ROLLOUTS else session.get(resource, target)
    template = restored(chosen)
    if same(_template(now, resource), template):
        print(f"skipped rollback (current template already matches revision {wanted})", end="")
        return 0
    path = "/template" if resource is POD_TEMPLATES else "/spec/template"
    patch = [{"op": "replace", "path": path, "value": template}]
    try:
        session.client.patch(resource, session.namespace, target, patch, content_type=JSON_PATCH)
    except ApiError as error:
        problem = session.problem(error, resource, target)
        raise Problem(f"failed restoring revision {wanted}: {problem.message}", problem.hint) from error
    print(f"rollout '{name}' undo")
    return 0


def choose(rollout: Json, sets: Iterable[Json], wanted: int) -> Json:
    """The ReplicaSet of revision `wanted`, or of the one before the newest for 0. Problem if there is none."""
    meta: Json = rollout["metadata"]
    own = sorted((rs for rs in sets if _owned(rs, str(meta.get("uid")))), key=revision, reverse=True)
    if wanted:
        match = next((rs for rs in own if revision(rs) == wanted), None)
        known = ", ".join(str(revision(rs)) for rs in own)
        if match is None:
            raise Problem(
                f"unable to find specified revision {wanted} in history", f"There are: {known}." if known else ""
            )
        return match
    if len(own) < 2:
        raise Problem(f'no revision found for rollout "{meta["name"]}"', "It has had one version only.")
    return own[1]


def revision(rs: Json) -> int:
    noted = str((rs["metadata"].get("annotations") or {}).get(REVISION) or "")
    return int(noted) if noted.isdigit() else 0


def restored(rs: Json) -> Json:
    """The ReplicaSet's template as it stood in the Rollout."""
    template: Json = dict(rs["spec"]["template"])
    meta: Json = dict(template.get("metadata") or {})
    meta["labels"] = {key: value for key, value in (meta.get("labels") or {}).items() if key != HASH}
    return {**template, "metadata": meta}


def same(template: Any, past: Any) -> bool:
    """Whether all that `template` says, `past` says too: what an API server fills in by default is no difference."""
    if isinstance(template, dict):
        known: Json = past if isinstance(past, dict) else {}
        return all(value in (None, {}, []) or same(value, known.get(key)) for key, value in template.items())
    if isinstance(template, list):
        both = isinstance(past, list) and len(past) == len(template)
        return both and all(same(mine, other) for mine, other in zip(template, past, strict=True))
    return bool(template == past)


def selector_text(selector: Json) -> str:
    """A label selector as a query; empty for one that matches all."""
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for rule in selector.get("matchExpressions") or []:
        key, values = rule["key"], ",".join(rule.get("values") or [])
        parts.append(
            {
                "In": f"{key} in ({values})",
                "NotIn": f"{key} notin ({values})",
                "Exists": key,
                "DoesNotExist": f"!{key}",
            }[rule["operator"]]
        )
    return ",".join(parts)


def _target(spec: Json, name: str) -> tuple[Resource, str]:
    reference: Json = spec.get("workloadRef") or {}
    if not reference:
        return ROLLOUTS, name
    kind = str(reference.get("kind"))
    if kind not in WORKLOADS:
        raise Problem(f"workload of type {kind} is not supported", f"Supported are {', '.join(WORKLOADS)}.")
    return WORKLOADS[kind], str(reference.get("name"))


def _template(obj: Json, resource: Resource) -> Json:
    return (obj if resource is POD_TEMPLATES else obj.get("spec") or {}).get("template") or {}


def _owned(obj: Json, uid: str) -> bool:
    owners: list[Json] = obj["metadata"].get("ownerReferences") or []
    return any(owner.get("controller") and owner.get("uid") == uid for owner in owners)


COMMAND = Command(
    run,
    "Go back to an earlier revision: its pod template is applied again, as a new update with all its steps.",
    "ROLLOUT",
    ("kubectl argo rollouts undo guestbook", "kubectl argo rollouts undo guestbook --to-revision=3"),
    flags=(Flag("to-revision", "Revision to go back to; 0 for the one before the newest", default=0, metavar="N"),),
    least=1,
    most=1,
    completes="rollouts",
)
