"""A Deployment's status and conditions, with kube-controller-manager's messages: kubectl reads them."""

from __future__ import annotations

from serinus.api.meta import Condition
from serinus.api.values.times import parse_time
from serinus.kube.clock import rfc3339
from serinus.local.workloads.deployment_plan import Create, DeploymentPlan
from serinus.local.workloads.objects import Deployment, DeploymentStatus, ReplicaSet
from serinus.local.workloads.rolling import fences


def status_of(deployment: Deployment, plan: DeploymentPlan, now: float) -> tuple[DeploymentStatus, float | None]:
    """The status to write, and the end of the progress deadline (epoch seconds) if it applies."""
    spec, sets, new = deployment.spec, plan.sets, plan.new
    total = sum(r.status.replicas for r in sets)
    available = sum(r.status.available_replicas for r in sets)
    desired = sum(r.spec.replicas for r in sets)
    status = DeploymentStatus(
        observed_generation=deployment.metadata.generation,
        replicas=total,
        updated_replicas=new.status.replicas if new else 0,
        ready_replicas=sum(r.status.ready_replicas for r in sets),
        available_replicas=available,
        unavailable_replicas=max(0, desired - available),
        collision_count=deployment.status.collision_count,
        conditions=[c for c in deployment.status.conditions if c.type not in ("ReplicaFailure",)],
    )
    _available(deployment, status, now)
    if failure := next((c for r in sets for c in r.status.conditions if c.type == "ReplicaFailure"), None):
        put(status.conditions, failure.type, failure.status, failure.reason, failure.message, now)
    return status, _progress(deployment, plan, status, now) if spec.progress_deadline_seconds is not None else None


def complete(deployment: Deployment, status: DeploymentStatus) -> bool:
    replicas = deployment.spec.replicas
    return (
        status.updated_replicas == replicas == status.replicas == status.available_replicas
        and status.observed_generation >= deployment.metadata.generation
    )


def _available(deployment: Deployment, status: DeploymentStatus, now: float) -> None:
    spec, update = deployment.spec, deployment.spec.strategy.rolling_update
    missing = 0
    if spec.strategy.type != "Recreate" and spec.replicas:
        _, missing = fences(
            spec.replicas, update.max_surge if update else None, update.max_unavailable if update else None
        )
    if status.available_replicas >= spec.replicas - missing:
        put(
            status.conditions,
            "Available",
            "True",
            "MinimumReplicasAvailable",
            "Deployment has minimum availability.",
            now,
        )
    else:
        message = "Deployment does not have minimum availability."
        put(status.conditions, "Available", "False", "MinimumReplicasUnavailable", message, now)


def _progress(deployment: Deployment, plan: DeploymentPlan, status: DeploymentStatus, now: float) -> float | None:
    conditions, old = status.conditions, deployment.status
    current = find(conditions, "Progressing")
    if deployment.spec.paused:
        put(conditions, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused", now)
        return None
    if current is not None and current.reason == "DeploymentPaused":
        put(conditions, "Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed", now)
        current = find(conditions, "Progressing")
    name = next((a.name for a in plan.actions if isinstance(a, Create)), "")
    if name:
        put(
            conditions,
            "Progressing",
            "True",
            "NewReplicaSetCreated",
            f'Created new replica set "{name}"',
            now,
            touch=True,
        )
    elif complete(deployment, status):
        message = f"{_who(deployment, plan.new)} has successfully progressed."
        put(conditions, "Progressing", "True", "NewReplicaSetAvailable", message, now)
        return None
    elif _moved(old, status) or current is None or (plan.actions and current.reason == "NewReplicaSetAvailable"):
        message = f"{_who(deployment, plan.new)} is progressing."
        put(conditions, "Progressing", "True", "ReplicaSetUpdated", message, now, touch=True)
    elif current.reason == "NewReplicaSetAvailable":
        return None  # it was complete before: pods lost later are not a failed update
    current = find(conditions, "Progressing")
    if current is None or current.reason == "ProgressDeadlineExceeded":
        return None
    deadline = (parse_time(current.last_update_time) or now) + (deployment.spec.progress_deadline_seconds or 0)
    if now < deadline:
        return deadline
    message = f"{_who(deployment, plan.new)} has timed out progressing."
    put(conditions, "Progressing", "False", "ProgressDeadlineExceeded", message, now)
    return None


def _moved(old: DeploymentStatus, new: DeploymentStatus) -> bool:
    return (
        new.updated_replicas > old.updated_replicas
        or new.replicas - new.updated_replicas < old.replicas - old.updated_replicas
        or new.ready_replicas > old.ready_replicas
        or new.available_replicas > old.available_replicas
    )


def _who(deployment: Deployment, new: ReplicaSet | None) -> str:
    return f'ReplicaSet "{new.metadata.name}"' if new else f'Deployment "{deployment.metadata.name}"'


def find(conditions: list[Condition], kind: str) -> Condition | None:
    return next((c for c in conditions if c.type == kind), None)


def put(
    conditions: list[Condition],
    kind: str,
    status: str,
    reason: str,
    message: str,
    now: float,
    *,
    touch: bool = False,
    dated: bool = True,
) -> None:
    """Sets a condition in place. Its transition time changes only with `status`. `touch`: update in any case. `dated`:
    whether this kind's conditions have a `lastUpdateTime`."""
    old = find(conditions, kind)
    if old is not None and not touch and (old.status, old.reason, old.message) == (status, reason, message):
        return
    text = rfc3339(now)
    since = old.last_transition_time if old is not None and old.status == status else text
    fresh = Condition(
        kind, status, last_update_time=text if dated else "", last_transition_time=since, reason=reason, message=message
    )
    if old is None:
        conditions.append(fresh)
    else:
        conditions[conditions.index(old)] = fresh
