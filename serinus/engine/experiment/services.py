"""The Services of an Experiment's templates. Each exists while the template's pods are wanted.

Source: analysis, section 6 ("Service").
"""

from __future__ import annotations

from serinus.api.experiment import ExperimentTemplate, TemplateStatus, service_ports
from serinus.api.meta import Json
from serinus.api.names import EXPERIMENT_NAME, EXPERIMENT_TEMPLATE, HASH
from serinus.api.network import Service
from serinus.api.workloads import ReplicaSet
from serinus.engine.core.builder import difference
from serinus.engine.core.plan import Action
from serinus.engine.experiment.ownership import Held, Whose, adopt, ends_by_itself, owner_words, whose
from serinus.engine.experiment.trial import Planned, Trial


def run_service(
    trial: Trial, template: ExperimentTemplate, rs: ReplicaSet, desired: int, status: TemplateStatus
) -> Held:
    """Create the template's Service while its pods are wanted, then delete it. Returns the obstacle, if any."""
    if template.service is None:
        return Held()
    name = template.service.name or rs.metadata.name
    service = trial.snapshot.services.get(name)
    owner = whose(trial, service.metadata, template.name) if service is not None else Whose.OURS
    if desired == 0:
        if service is not None and owner is Whose.OURS and rs.status.available_replicas == 0:
            _delete(trial, service, status)
        return Held()
    ports = service_ports(template)
    if not ports:
        return Held()
    if service is not None and owner is not Whose.OURS:
        return _of_another(trial, template, service, owner)
    obstacle = _write(trial, template, name, service, {"selector": rs.metadata.labels, "ports": ports})
    if obstacle is not None:
        return obstacle
    status.service_name, status.pod_template_hash = name, rs.metadata.labels.get(HASH, "")
    return Held()


def _delete(trial: Trial, service: Service, status: TemplateStatus) -> None:
    because, meta = "the experiment is over and its pods are gone", service.metadata
    if trial.act(Action("delete", "Service", meta.name, because, uid=meta.uid)).planned:
        status.service_name = status.pod_template_hash = ""


def _of_another(trial: Trial, template: ExperimentTemplate, service: Service, owner: Whose) -> Held:
    """The obstacle of a Service with the template's name that the template does not own."""
    meta = service.metadata
    if owner is Whose.THEIRS:
        text = f"service {meta.name} already exists and is not owned by experiment template {template.name}"
        by = f" but by {owner_words(meta)}" if meta.controller() else ""
        return Held(refused=f"Failed to create Service {meta.name} for template '{template.name}': {text}{by}")
    if owner is Whose.LEAVING:
        return Held(_leaves(meta.name, owner_words(meta)), patient=ends_by_itself(trial, meta))
    adopt(trial, "Service", meta)
    return Held(f"Service {meta.name} had no owner")


def _write(trial: Trial, template: ExperimentTemplate, name: str, service: Service | None, spec: Json) -> Held | None:
    """Create the Service, or correct its selector. Returns the obstacle if the write is held."""
    because = f"template {template.name} of the experiment can get requests of its own"
    if service is None:
        notes = {EXPERIMENT_NAME: trial.name, EXPERIMENT_TEMPLATE: template.name}
        metadata: Json = {"name": name, "annotations": notes, "ownerReferences": [trial.owner]}
        verb, write = (
            "create",
            trial.act(Action("create", "Service", name, because, {"metadata": metadata, "spec": spec})),
        )
    elif service.spec.selector.get(HASH) != spec["selector"].get(HASH):
        patch: Json = {"spec": {**spec, "selector": difference(service.spec.selector, spec["selector"])}}
        verb, write = "update", trial.act(Action("patch", "Service", name, because, patch, uid=service.metadata.uid))
    else:
        return None
    return (
        None
        if write.planned
        else _not_written(f"Failed to {verb} Service {name} for template '{template.name}'", write)
    )


def _not_written(what: str, write: Planned) -> Held:
    return Held(refused=f"{what}: {write.refused}") if write.refused else Held(f"{what}: another client undoes it")


def _leaves(name: str, owner: str) -> str:
    return f"Service {name} still belongs to {owner}: it is made when that has let it go"
