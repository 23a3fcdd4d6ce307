"""The owner of a ReplicaSet or a Service that has a name which an Experiment needs.

An object of an earlier Experiment disappears automatically, so the template waits for its name. Earlier means deleted
and recreated, of the same Rollout, or ended. Any other owner ends the Experiment.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple

import msgspec

from serinus.analysis.phases import COMPLETED
from serinus.api.experiment import Experiment
from serinus.api.meta import ObjectMeta
from serinus.api.names import EXPERIMENT_NAME, EXPERIMENT_TEMPLATE
from serinus.engine.core.plan import Action
from serinus.engine.experiment.trial import Trial


class Whose(Enum):
    OURS = auto()
    ORPHAN = auto()
    """Made for this template, but without an owner, such as after `kubectl delete --cascade=orphan`."""
    LEAVING = auto()
    """Of an earlier Experiment, or being deleted."""
    THEIRS = auto()


class Held(NamedTuple):
    """The reason why a template does not run.

    `until`: the wait, in words; "" without one. `patient`: the wait ends automatically, and the progress deadline does
    not count it. `refused`: why the template ends in Error.
    """

    until: str = ""
    patient: bool = False
    refused: str = ""


def whose(trial: Trial, meta: ObjectMeta, template: str) -> Whose:
    """The owner of the object. `template`: the template that needs its name."""
    own, owner = trial.experiment.metadata, meta.controller()
    if meta.deletion_timestamp:
        return Whose.LEAVING
    if owner is None:
        notes = meta.annotations
        made_here = (notes.get(EXPERIMENT_NAME), notes.get(EXPERIMENT_TEMPLATE)) == (trial.name, template)
        return Whose.ORPHAN if made_here else Whose.THEIRS
    if owner.uid == own.uid:
        return Whose.OURS
    if owner.kind != "Experiment":
        return Whose.THEIRS
    # An owner that does not exist any more leaves its objects to the garbage collector.
    other = trial.snapshot.others.get(owner.uid)
    leaving = owner.name == own.name or other is None or _ended(other) or _of_one_rollout(other, trial.experiment)
    return Whose.LEAVING if leaving else Whose.THEIRS


def ends_by_itself(trial: Trial, meta: ObjectMeta) -> bool:
    """Whether the earlier Experiment that owns it still exists. It releases the object after its scale-down delay."""
    owner = meta.controller()
    return owner is not None and owner.uid in trial.snapshot.others


def owner_words(meta: ObjectMeta) -> str:
    owner = meta.controller()
    return f"{owner.kind} {owner.name}" if owner else "nobody"


def adopt(trial: Trial, kind: str, meta: ObjectMeta) -> None:
    """Adopt an object that an earlier Experiment of this name has left."""
    owners = [msgspec.to_builtins(owner) for owner in meta.owner_references] + [trial.owner]
    trial.act(
        Action(
            "patch",
            kind,
            meta.name,
            f"{kind} {meta.name} was made for an experiment of this name, and nobody controls it",
            {"metadata": {"ownerReferences": owners}},
            uid=meta.uid,
            resource_version=meta.resource_version,
        )
    )


def _ended(other: Experiment) -> bool:
    return other.spec.terminate or other.status.phase in COMPLETED or bool(other.metadata.deletion_timestamp)


def _of_one_rollout(one: Experiment, other: Experiment) -> bool:
    first, second = one.metadata.controller(), other.metadata.controller()
    return first is not None and second is not None and first.uid == second.uid
