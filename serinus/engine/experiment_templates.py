"""The versions that an Experiment compares: a ReplicaSet for each, a Service where one is wanted, and how it does.

Source: analysis, section 6 ("RS", "Service", "Scale-down", "Template status").
"""

from __future__ import annotations

import copy

import msgspec

from serinus.analysis.phases import COMPLETED, ERROR, FAILED, RUNNING, SUCCESSFUL
from serinus.api.experiment import ExperimentTemplate, TemplateStatus
from serinus.api.identity import pod_template_hash
from serinus.api.meta import Json
from serinus.api.names import HASH, SCALE_DOWN_DEADLINE
from serinus.api.plurals import count
from serinus.api.times import format_deadline, format_time, parse_time
from serinus.api.workloads import ReplicaSet
from serinus.engine.experiment_trial import PROGRESSING, Trial
from serinus.engine.plan import Action, Event
from serinus.engine.sight import DEFAULT_PROGRESS_DEADLINE, DEFAULT_SCALE_DOWN_DELAY

OF = "experiment.argoproj.io/name"
TEMPLATE = "experiment.argoproj.io/template-name"


def run_templates(trial: Trial) -> None:
    """Plan for each template, and bring its status up to date."""
    terminating = trial.terminating()
    before = {t.name: t for t in trial.stored.template_statuses}
    found = [_one(trial, template, before.get(template.name), terminating) for template in trial.spec.templates]
    trial.status.template_statuses = found


def _one(
    trial: Trial, template: ExperimentTemplate, before: TemplateStatus | None, terminating: bool
) -> TemplateStatus:
    completed = before is not None and before.status in COMPLETED
    wanted = 0 if terminating or completed else _replicas(template)
    name = f"{trial.name}-{template.name}"
    rs = next((r for r in trial.snapshot.replica_sets if r.metadata.name == name), None)
    status = _counted(template.name, rs, before)
    if rs is not None and not _ours(trial, rs):
        text = f"Failed to create ReplicaSet for template '{template.name}': {name} belongs to somebody else"
        return _told(trial, msgspec.structs.replace(status, status=ERROR, message=text), before)
    if rs is None:
        _create(trial, template, name, wanted)
    else:
        trouble = _service(trial, template, rs, wanted, status)
        if trouble:
            return _told(trial, msgspec.structs.replace(status, status=ERROR, message=trouble), before)
        if not rs.metadata.deletion_timestamp and _scale(trial, rs, wanted):
            status.last_transition_time = format_time(trial.now)
    return _told(trial, _judged(trial, template, status, rs, wanted, terminating), before)


def _replicas(template: ExperimentTemplate) -> int:
    return 1 if template.replicas is None else template.replicas


def _ours(trial: Trial, rs: ReplicaSet) -> bool:
    owner = rs.metadata.controller()
    return owner is not None and owner.uid == trial.experiment.metadata.uid


def _counted(name: str, rs: ReplicaSet | None, before: TemplateStatus | None) -> TemplateStatus:
    """The numbers as they are now; a change of them counts as progress."""
    seen = rs.status if rs else None
    new = TemplateStatus(
        name=name,
        replicas=seen.replicas if seen else 0,
        updated_replicas=seen.replicas if seen else 0,
        ready_replicas=seen.ready_replicas if seen else 0,
        available_replicas=seen.available_replicas if seen else 0,
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
    if moved or (before and before.status != status.status):
        status.last_transition_time = format_time(trial.now)
    was = before.status if before else ""
    if was != status.status:
        text = f"Template '{status.name}' transitioned from {was} -> {status.status}"
        bad = status.status in (FAILED, ERROR)
        trial.tell(f"Template{status.status}", text + (f": {status.message}" if status.message else ""), warning=bad)
    return status


def _judged(
    trial: Trial,
    template: ExperimentTemplate,
    status: TemplateStatus,
    rs: ReplicaSet | None,
    wanted: int,
    terminating: bool,
) -> TemplateStatus:
    if status.status in COMPLETED:
        return status
    if terminating:
        status.status = SUCCESSFUL
        return status
    if rs is not None and rs.spec.replicas == status.available_replicas == wanted:
        end = trial.ends_at()
        over = end is not None and trial.now >= end
        if end is not None and not over:
            trial.look_again(end)
        status.status = SUCCESSFUL if over else RUNNING
        return status
    given = trial.spec.progress_deadline_seconds
    seconds = DEFAULT_PROGRESS_DEADLINE if given is None else given
    since = parse_time(status.last_transition_time)
    if since is not None and trial.now >= since + seconds + 1:  # stored in whole seconds, cut off: never short
        status.status = FAILED
        status.message = f"Template '{template.name}' exceeded its progressDeadlineSeconds ({seconds})"
        return status
    trial.look_again((since if since is not None else trial.now) + seconds + 1)
    status.status = PROGRESSING
    return status


def _create(trial: Trial, template: ExperimentTemplate, name: str, wanted: int) -> None:
    pods: Json = copy.deepcopy(template.template)
    labels: dict[str, str] = pods.setdefault("metadata", {}).setdefault("labels", {})
    labels.pop(HASH, None)
    pod_hash = pod_template_hash(pods)
    labels[HASH] = pod_hash
    selector = msgspec.to_builtins(template.selector) if template.selector else {}
    selector = {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), HASH: pod_hash}}
    spec: Json = {"replicas": wanted, "selector": selector, "template": pods}
    if template.min_ready_seconds:
        spec["minReadySeconds"] = template.min_ready_seconds
    notes = {OF: trial.name, TEMPLATE: template.name}
    metadata: Json = {"name": name, "labels": labels, "annotations": notes, "ownerReferences": [trial.owner]}
    events = (Event("ScalingReplicaSet", f"Scaled up ReplicaSet {name} from 0 to {wanted}"),) if wanted else ()
    because = f"template {template.name} of the experiment needs pods of its own"
    trial.actions.append(
        Action("create", "ReplicaSet", name, because, {"metadata": metadata, "spec": spec}, events=events)
    )


def _scale(trial: Trial, rs: ReplicaSet, wanted: int) -> bool:
    """Plan the size; at the end only after the delay. True when it changes now."""
    have, meta = rs.spec.replicas, rs.metadata
    if have == wanted:
        return False
    notes: Json = {}
    if wanted == 0:
        at = parse_time(meta.annotations.get(SCALE_DOWN_DEADLINE))
        given = trial.spec.scale_down_delay_seconds
        delay = DEFAULT_SCALE_DOWN_DELAY if given is None else given
        if at is None and delay > 0:
            deadline = format_deadline(trial.now + delay)
            patch: Json = {"metadata": {"annotations": {SCALE_DOWN_DEADLINE: deadline}}}
            trial.actions.append(
                Action(
                    "patch",
                    "ReplicaSet",
                    meta.name,
                    f"the experiment is over: pods go at {deadline}",
                    patch,
                    uid=meta.uid,
                )
            )
            trial.look_again(parse_time(deadline) or trial.now)
            return False
        if at is not None and trial.now < at:
            trial.look_again(at)
            return False
    way = "up" if wanted > have else "down"
    told = Event("ScalingReplicaSet", f"Scaled {way} ReplicaSet {meta.name} from {have} to {wanted}")
    patch = {"spec": {"replicas": wanted}, **({"metadata": {"annotations": notes}} if notes else {})}
    because = f"the template has {count(wanted, 'pod')}" if wanted else "the experiment is over"
    trial.actions.append(
        Action(
            "patch", "ReplicaSet", meta.name, because, patch,
            uid=meta.uid, resource_version=meta.resource_version, events=(told,),
        )
    )  # fmt: skip
    return True


def _service(trial: Trial, template: ExperimentTemplate, rs: ReplicaSet, wanted: int, status: TemplateStatus) -> str:
    """Make the template's Service while its pods are wanted, take it away when they are gone. What keeps it from that."""
    if template.service is None:
        return ""
    name = template.service.name or rs.metadata.name
    found = trial.snapshot.services.get(name)
    owner = found.metadata.controller() if found else None
    mine = found is not None and owner is not None and owner.uid == trial.experiment.metadata.uid
    if wanted == 0:
        if found is not None and mine and rs.status.available_replicas == 0 and not found.metadata.deletion_timestamp:
            because = "the experiment is over and its pods are gone"
            trial.actions.append(Action("delete", "Service", name, because, uid=found.metadata.uid))
            status.service_name = status.pod_template_hash = ""
        return ""
    ports = _ports(template)
    if not ports:
        return ""
    if found is not None and not mine:
        owned = f"service {name} already exists and is not owned by experiment template {template.name}"
        return f"Failed to create Service {name} for template '{template.name}': {owned}"
    if found is None:
        notes = {OF: trial.name, TEMPLATE: template.name}
        metadata: Json = {"name": name, "annotations": notes, "ownerReferences": [trial.owner]}
        body: Json = {"metadata": metadata, "spec": {"selector": rs.metadata.labels, "ports": ports}}
        because = f"template {template.name} of the experiment can get requests of its own"
        trial.actions.append(Action("create", "Service", name, because, body))
    status.service_name, status.pod_template_hash = name, rs.metadata.labels.get(HASH, "")
    return ""


def _ports(template: ExperimentTemplate) -> list[Json]:
    """All ports of its containers, as a Service has them."""
    found: list[Json] = []
    for container in (template.template.get("spec") or {}).get("containers") or []:
        for port in container.get("ports") or []:
            number, protocol = port["containerPort"], port.get("protocol", "TCP")
            name = f"{protocol.lower()}-{number}"
            found.append({"name": name, "port": number, "targetPort": number, "protocol": protocol})
    return found
