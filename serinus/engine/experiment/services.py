"""The Services of an Experiment's templates. Each exists while the template's pods are wanted.

Source: analysis, section 6 ("Service").
"""

from __future__ import annotations

from serinus.api.experiment import ExperimentTemplate, TemplateStatus, service_ports
from serinus.api.meta import Json
from serinus.api.names import EXPERIMENT_NAME, EXPERIMENT_TEMPLATE, HASH
from serinus.api.workloads import ReplicaSet
from serinus.engine.core.builder import difference
from serinus.engine.core.plan import Action
from serinus.engine.experiment.ownership import Held, Whose, adopt, ends_by_itself, owner_words, whose
from serinus.engine.experiment.trial import Planned, Trial


def run_service(
    trial: Trial, template: ExperimentTemplate, rs: ReplicaSet, wanted: int, status: TemplateStatus
) -> Held:
    """Create the template's Service while its pods are wanted, then delete it. Returns the obstacle, if any."""
    if template.service is None:
        return Held()
    name = template.service.name or rs.metadata.name
    found = trial.snapshot.services.get(name)
    owned = whose(trial, found.metadata, template.name) if found is not None else Whose.OURS
    if wanted == 0:
        if found is not None and owned is Whose.OURS and rs.status.available_replicas == 0:
            because = "the experiment is over and its pods are gone"
            if trial.act(Action("delete", "Service", name, because, uid=found.metadata.uid)).planned:
                status.service_name = status.pod_template_hash = ""
        return Held()
    ports = service_ports(template)
    if not ports:
        return Held()
    selector = rs.metadata.labels
    because = f"template {template.name} of the experiment can get requests of its own"
    if found is None:
        notes = {EXPERIMENT_NAME: trial.name, EXPERIMENT_TEMPLATE: template.name}
        metadata: Json = {"name": name, "annotations": notes, "ownerReferences": [trial.owner]}
        body: Json = {"metadata": metadata, "spec": {"selector": selector, "ports": ports}}
        write = trial.act(Action("create", "Service", name, because, body))
        if not write.planned:
            return _not_written(f"Failed to create Service {name} for template '{template.name}'", write)
    elif owned is Whose.THEIRS:
        text = f"service {name} already exists and is not owned by experiment template {template.name}"
        owner = f" but by {owner_words(found.metadata)}" if found.metadata.controller() else ""
        return Held(refused=f"Failed to create Service {name} for template '{template.name}': {text}{owner}")
    elif owned is Whose.LEAVING:
        return Held(
            _leaves(found.metadata.name, owner_words(found.metadata)), patient=ends_by_itself(trial, found.metadata)
        )
    elif owned is Whose.ORPHAN:
        adopt(trial, "Service", found.metadata)
        return Held(f"Service {name} had no owner")
    elif found.spec.selector.get(HASH) != selector.get(HASH):
        patch: Json = {"spec": {"selector": difference(found.spec.selector, selector), "ports": ports}}
        write = trial.act(Action("patch", "Service", name, because, patch, uid=found.metadata.uid))
        if not write.planned:
            return _not_written(f"Failed to update Service {name} for template '{template.name}'", write)
    status.service_name, status.pod_template_hash = name, selector.get(HASH, "")
    return Held()


def _not_written(what: str, write: Planned) -> Held:
    return Held(refused=f"{what}: {write.refused}") if write.refused else Held(f"{what}: another client undoes it")


def _leaves(name: str, owner: str) -> str:
    return f"Service {name} still belongs to {owner}: it is made when that has let it go"
