"""The versions that an Experiment compares: a ReplicaSet and a status for each.

Source: analysis, section 6 ("RS", "Scale-down", "Template status").
"""

from __future__ import annotations

import copy

import msgspec

from serinus.analysis.phases import COMPLETED, ERROR, FAILED, RUNNING, SUCCESSFUL
from serinus.api.experiment import ExperimentTemplate, TemplateStatus
from serinus.api.messages.counted import counted
from serinus.api.meta import Json, ObjectMeta
from serinus.api.names import EXPERIMENT_NAME, EXPERIMENT_TEMPLATE, HASH, SCALE_DOWN_DEADLINE
from serinus.api.pods.identity import pod_template_hash, same_template
from serinus.api.pods.trouble import Trouble, trouble
from serinus.api.values.times import format_deadline, format_time, parse_time
from serinus.api.workloads import ReplicaSet
from serinus.engine.core.context import DEFAULT_PROGRESS_DEADLINE, DEFAULT_SCALE_DOWN_DELAY
from serinus.engine.core.plan import Action, Event
from serinus.engine.experiment.ownership import Held, Whose, adopt, owner_words, whose
from serinus.engine.experiment.services import run_service
from serinus.engine.experiment.trial import PROGRESSING, Trial

WAITS_FOR_TRAFFIC = 2
"""Seconds between the status that removes the traffic and the end of the pods that received it."""


def run_templates(trial: Trial) -> None:
    """Plan for each template, and bring its status up to date."""
    terminating = trial.terminating()
    before = {t.name: t for t in trial.stored.template_statuses}
    results = [_one(trial, template, before.get(template.name), terminating) for template in trial.spec.templates]
    trial.status.template_statuses = results


def _one(
    trial: Trial, template: ExperimentTemplate, before: TemplateStatus | None, terminating: bool
) -> TemplateStatus:
    completed = before is not None and before.status in COMPLETED
    size = 0 if terminating or completed else _replicas(template)
    name = f"{trial.name}-{template.name}"
    rs = trial.sets.get(name)
    owned = whose(trial, rs.metadata, template.name) if rs is not None else Whose.OURS
    status = _counted(template.name, rs if owned is Whose.OURS else None, before)
    held = Held()
    if rs is None:
        held = Held() if completed else _create(trial, template, name, size)
    elif owned is Whose.THEIRS:
        held = Held(
            refused=f"Failed to create ReplicaSet for template '{template.name}': {name} belongs to {owner_words(rs.metadata)}"
        )
    elif owned is Whose.LEAVING:
        held = Held(f"ReplicaSet {name} is being deleted: it is made anew when it is gone")
    elif owned is Whose.ORPHAN:
        adopt(trial, "ReplicaSet", rs.metadata)
        held = Held(f"ReplicaSet {name} had no owner")
    elif size and _edited(template, rs):
        held = _replace(trial, rs, before)
    else:
        held = run_service(trial, template, rs, size, status)
        if not held.refused and (refused := _scale(trial, template, rs, size, status)):
            held = Held(refused=refused)
    if held.refused and not completed:
        return _told(trial, msgspec.structs.replace(status, status=ERROR, message=held.refused), before)
    return _told(trial, _judged(trial, template, status, rs, size, terminating, held), before)


def _edited(template: ExperimentTemplate, rs: ReplicaSet) -> bool:
    """Whether the ReplicaSet has another pod template. Its label decides first: a webhook may add to the template."""
    pod_hash = rs.metadata.labels.get(HASH)
    return pod_hash != pod_template_hash(_without_hash(template)) and not same_template(
        rs.spec.template, template.template
    )


def _replace(trial: Trial, rs: ReplicaSet, before: TemplateStatus | None) -> Held:
    """Delete the ReplicaSet of the old template once its pods no longer receive requests."""
    meta = rs.metadata
    held = Held(f"the template has changed: ReplicaSet {meta.name} is replaced")
    trial.status.available_at = None
    if before is not None and before.status == RUNNING:
        trial.requeue(trial.now + WAITS_FOR_TRAFFIC)
        return held
    since = parse_time(before.last_transition_time) if before is not None and before.message == held.until else None
    if since is not None and trial.now < since + WAITS_FOR_TRAFFIC:
        trial.requeue(since + WAITS_FOR_TRAFFIC)
        return held
    trial.act(Action("delete", "ReplicaSet", meta.name, held.until, uid=meta.uid))
    return held


def _replicas(template: ExperimentTemplate) -> int:
    return 1 if template.replicas is None else template.replicas


def _counted(name: str, rs: ReplicaSet | None, before: TemplateStatus | None) -> TemplateStatus:
    """The numbers as they are now; a change of them counts as progress."""
    observed = rs.status if rs else None
    new = TemplateStatus(
        name=name,
        replicas=observed.replicas if observed else 0,
        updated_replicas=observed.replicas if observed else 0,
        ready_replicas=observed.ready_replicas if observed else 0,
        available_replicas=observed.available_replicas if observed else 0,
    )
    if before is not None:
        for part in (
            "status",
            "message",
            "last_transition_time",
            "service_name",
            "pod_template_hash",
            "collision_count",
        ):
            setattr(new, part, getattr(before, part))
    return new


def _told(trial: Trial, status: TemplateStatus, before: TemplateStatus | None) -> TemplateStatus:
    numbers = ("replicas", "ready_replicas", "available_replicas")
    moved = before is None or any(getattr(before, n) != getattr(status, n) for n in numbers)
    freed = before is not None and bool(before.message) and not status.message
    if moved or freed or (before and before.status != status.status):
        status.last_transition_time = format_time(trial.now)
    was = before.status if before else ""
    if was != status.status:
        text = f"Template '{status.name}' transitioned from {was} -> {status.status}"
        bad = status.status in (FAILED, ERROR)
        trial.record_event(
            f"Template{status.status}", text + (f": {status.message}" if status.message else ""), warning=bad
        )
    return status


def _judged(
    trial: Trial,
    template: ExperimentTemplate,
    status: TemplateStatus,
    rs: ReplicaSet | None,
    desired: int,
    terminating: bool,
    held: Held,
) -> TemplateStatus:
    if status.status in COMPLETED:
        return status
    status.message = "" if terminating else held.until
    if terminating:
        status.status = SUCCESSFUL
        return status
    if held.patient:
        status.status = PROGRESSING
        return status
    if not held.until and rs is not None and rs.spec.replicas == status.available_replicas == desired:
        end = trial.ends_at()
        over = end is not None and trial.now >= end
        if end is not None and not over:
            trial.requeue(end)
        status.status = SUCCESSFUL if over else RUNNING
        return status
    given = trial.spec.progress_deadline_seconds
    seconds = DEFAULT_PROGRESS_DEADLINE if given is None else given
    since = parse_time(status.last_transition_time)
    if since is not None and trial.now >= since + seconds + 1:  # stored times are whole seconds, truncated: never short
        status.status = FAILED
        late = f"Template '{template.name}' exceeded its progressDeadlineSeconds ({seconds})"
        pod_trouble = _trouble(trial, rs, desired)
        why = held.until or (pod_trouble.lasting or pod_trouble.sentence if pod_trouble else "")
        status.message = f"{late}: {why}" if why else late
        return status
    trial.requeue((since if since is not None else trial.now) + seconds + 1)
    status.status = PROGRESSING
    if not held.until and (pod_trouble := _trouble(trial, rs, desired)) is not None:
        status.message = pod_trouble.lasting
    return status


def _trouble(trial: Trial, rs: ReplicaSet | None, desired: int) -> Trouble | None:
    """Why the template's pods are not ready."""
    if rs is None:
        return None
    uid = rs.metadata.uid
    own = [pod for pod in trial.snapshot.pods if (owner := pod.metadata.controller()) and owner.uid == uid]
    return trouble(own, trial.now, desired=desired, existing=rs.status.replicas, conditions=rs.status.conditions)


def _without_hash(template: ExperimentTemplate) -> Json:
    pods: Json = copy.deepcopy(template.template)
    pods.setdefault("metadata", {}).setdefault("labels", {}).pop(HASH, None)
    return pods


def _create(trial: Trial, template: ExperimentTemplate, name: str, desired: int) -> Held:
    pods = _without_hash(template)
    labels: dict[str, str] = pods["metadata"]["labels"]
    pod_hash = pod_template_hash(pods)
    labels[HASH] = pod_hash
    selector = msgspec.to_builtins(template.selector) if template.selector else {}
    selector = {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), HASH: pod_hash}}
    spec: Json = {"replicas": desired, "selector": selector, "template": pods}
    if template.min_ready_seconds:
        spec["minReadySeconds"] = template.min_ready_seconds
    notes = {EXPERIMENT_NAME: trial.name, EXPERIMENT_TEMPLATE: template.name}
    metadata: Json = {"name": name, "labels": labels, "annotations": notes, "ownerReferences": [trial.owner]}
    events = (Event("ScalingReplicaSet", f"Scaled up ReplicaSet {name} from 0 to {desired}"),) if desired else ()
    because = f"template {template.name} of the experiment needs pods of its own"
    body: Json = {"metadata": metadata, "spec": spec}
    refused = trial.act(Action("create", "ReplicaSet", name, because, body, events=events)).refused
    return Held(refused=f"Failed to create ReplicaSet for template '{template.name}': {refused}" if refused else "")


def _keep(trial: Trial, meta: ObjectMeta, at: float | None) -> str:
    """Holds the pods of a Service while the Rollout's router still leads requests to it, such as after refused writes."""
    trial.requeue(trial.now + WAITS_FOR_TRAFFIC)
    if at is None or at < trial.now + 2 * WAITS_FOR_TRAFFIC:
        deadline = format_deadline(trial.now + 4 * WAITS_FOR_TRAFFIC)
        patch: Json = {"metadata": {"annotations": {SCALE_DOWN_DEADLINE: deadline}}}
        because = "the experiment is over, and its Service still has a weight"
        trial.act(Action("patch", "ReplicaSet", meta.name, because, patch, uid=meta.uid))
    return ""


def _scale(trial: Trial, template: ExperimentTemplate, rs: ReplicaSet, desired: int, status: TemplateStatus) -> str:
    """Plan the size; at the end only after the delay. Returns the API server's refusal; "" without one."""
    have, meta = rs.spec.replicas, rs.metadata
    # A deadline of an earlier end (the Experiment was begun again) would cut the next delay short.
    notes: Json = {SCALE_DOWN_DEADLINE: None} if desired and SCALE_DOWN_DEADLINE in meta.annotations else {}
    if have == desired:
        if notes:
            because = "its pods are needed again"
            patch: Json = {"metadata": {"annotations": notes}}
            trial.act(Action("patch", "ReplicaSet", meta.name, because, patch, uid=meta.uid))
        return ""
    if desired == 0:
        at = parse_time(meta.annotations.get(SCALE_DOWN_DEADLINE))
        given = trial.spec.scale_down_delay_seconds
        delay = DEFAULT_SCALE_DOWN_DELAY if given is None else given
        if at is None and delay > 0:
            deadline = format_deadline(trial.now + delay)
            patch = {"metadata": {"annotations": {SCALE_DOWN_DEADLINE: deadline}}}
            because = f"the experiment is over: pods go at {deadline}"
            if trial.act(Action("patch", "ReplicaSet", meta.name, because, patch, uid=meta.uid)).planned:
                trial.requeue(parse_time(deadline) or trial.now)
            return ""
        if status.service_name in trial.snapshot.with_weight:
            return _keep(trial, meta, at)
        if at is not None and trial.now < at:
            trial.requeue(at)
            return ""
    way = "up" if desired > have else "down"
    event = Event("ScalingReplicaSet", f"Scaled {way} ReplicaSet {meta.name} from {have} to {desired}")
    patch = {"spec": {"replicas": desired}, **({"metadata": {"annotations": notes}} if notes else {})}
    because = f"the template has {counted(desired, 'pod')}" if desired else "the experiment is over"
    write = trial.act(
        Action(
            "patch", "ReplicaSet", meta.name, because, patch,
            uid=meta.uid, resource_version=meta.resource_version, events=(event,),
        )
    )  # fmt: skip
    if write.planned:
        status.last_transition_time = format_time(trial.now)
    where = f"template '{template.name}' to desired replica count '{desired}'"
    return f"Unable to scale ReplicaSet for {where}: {write.refused}" if write.refused else ""
