"""AnalysisRuns to create: names, labels, owners, and the reuse of existing runs (spec/analysis.md §5 and §6). Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from serinus.analysis.phases import COMPLETED
from serinus.api.analysis import AnalysisRun, AnalysisRunSpec
from serinus.api.decoding.reading import converted
from serinus.api.meta import Json
from serinus.api.names import HASH, INSTANCE_ID, REVISION
from serinus.api.resources import ANALYSIS_RUNS, EXPERIMENTS, ROLLOUTS
from serinus.api.rollout import PodMetadata

ROLLOUT_TYPE = "rollout-type"
STEP_INDEX = "step-index"

Use = Literal["Background", "Step", "PrePromotion", "PostPromotion"]
_INFIX = {"Background": "", "PrePromotion": "-pre", "PostPromotion": "-post"}


@dataclass(frozen=True, slots=True)
class Owner:
    """The owner of a run. `instance_id`: of the controller; "" without one."""

    name: str
    namespace: str
    uid: str
    instance_id: str = ""
    match_labels: Mapping[str, str] = field(default_factory=dict[str, str])


def rollout_run(
    rollout: Owner,
    spec: AnalysisRunSpec,
    use: Use,
    *,
    pod_hash: str,
    revision: int,
    step: int | None = None,
    metadata: PodMetadata | None = None,
) -> Json:
    """The run of a Rollout, with its first-choice name. `step`: index, for the use Step."""
    infix = f"-{step}" if use == "Step" else _INFIX[use]
    own = metadata or PodMetadata()
    labels = {HASH: pod_hash, ROLLOUT_TYPE: use} | ({STEP_INDEX: str(step)} if use == "Step" else {})
    return _object(
        rollout,
        ROLLOUTS.kind,
        f"{rollout.name}-{pod_hash}-{revision}{infix}",
        {**labels, **_instance(rollout), **own.labels, **rollout.match_labels},
        {REVISION: str(revision), **own.annotations},
        spec,
    )


def experiment_run(
    experiment: Owner, analysis: str, spec: AnalysisRunSpec, metadata: PodMetadata | None = None
) -> Json:
    """The run of an Experiment's analysis."""
    own = metadata or PodMetadata()
    labels = {**_instance(experiment), **own.labels}
    name = f"{experiment.name}-{analysis}"
    return _object(experiment, EXPERIMENTS.kind, name, labels, dict(own.annotations), spec)


def _instance(owner: Owner) -> dict[str, str]:
    return {INSTANCE_ID: owner.instance_id} if owner.instance_id else {}


def _object(
    owner: Owner, kind: str, name: str, labels: dict[str, str], annotations: dict[str, str], spec: AnalysisRunSpec
) -> Json:
    return {
        "apiVersion": ANALYSIS_RUNS.api_version,
        "kind": ANALYSIS_RUNS.kind,
        "metadata": {
            "name": name,
            "namespace": owner.namespace,
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [
                {
                    "apiVersion": ANALYSIS_RUNS.api_version,
                    "kind": kind,
                    "name": owner.name,
                    "uid": owner.uid,
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": msgspec.to_builtins(spec),
    }


def placed(desired: Json, existing: Callable[[str], AnalysisRun | None]) -> tuple[Json, AnalysisRun | None]:
    """(the run to create, None), or (…, the existing run to use). `existing`: by name.

    An unfinished run with the same owner and spec is used. Otherwise `<name>.1` and so on are tried. So a crash or a
    stale cache never creates a run twice. A terminating run is not used (the reference uses it): it takes no more
    measurements, and a retry would succeed without any.
    """
    name, number = str(desired["metadata"]["name"]), 0
    while True:
        tried = f"{name}.{number}" if number else name
        run = existing(tried)
        if run is None:
            return desired | {"metadata": desired["metadata"] | {"name": tried}}, None
        if _will_do(run, desired):
            return desired, run
        number += 1


def _will_do(run: AnalysisRun, desired: Json) -> bool:
    owner = run.metadata.controller()
    same_owner = owner is not None and owner.uid == desired["metadata"]["ownerReferences"][0]["uid"]
    asked = converted(desired["spec"], AnalysisRunSpec)
    plain = msgspec.structs.replace(run.spec, ttl_strategy=None)
    return same_owner and run.status.phase not in COMPLETED and plain == asked
