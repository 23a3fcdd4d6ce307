"""The AnalysisRuns of a Rollout as objects: how they are named, what stands in them, which is which.

Source: analysis, sections 1 ("Creating a run") and 5 ("Generated name").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from serinus.analysis.arguments import rollout_arguments
from serinus.analysis.phases import COMPLETED
from serinus.analysis.templates import found_templates, run_spec
from serinus.api.analysis import AnalysisRun, AnalysisRunSpec, AnalysisTemplate, RolloutAnalysis
from serinus.api.meta import Json
from serinus.api.names import HASH, INSTANCE_ID, REVISION
from serinus.engine.sight import Sight, hash_of, revision_of

TYPE_LABEL = "rollout-type"
STEP_LABEL = "step-index"


@dataclass(frozen=True, slots=True)
class Kind:
    """One of the four places where a Rollout has an analysis. `failed`: how an abort because of it begins."""

    label: str
    infix: str
    failed: str


BACKGROUND = Kind("Background", "", "Background analysis phase error/failed")
STEP = Kind("Step", "", "Step-based analysis phase error/failed")
PRE = Kind("PrePromotion", "pre", "Blue/green pre-promotion analysis phase error/failed")
POST = Kind("PostPromotion", "post", "Blue/green post-promotion analysis phase error/failed")


def typed(analysis: Json) -> RolloutAnalysis:
    return msgspec.convert(analysis, RolloutAnalysis)


def finished(run: AnalysisRun) -> bool:
    return run.status.phase in COMPLETED


def named(s: Sight, name: str) -> AnalysisRun | None:
    """The Rollout's own run of this name."""
    return next((r for r in s.analysis_runs if r.metadata.name == name), None)


def spec_of(s: Sight, analysis: RolloutAnalysis) -> AnalysisRunSpec:
    """The spec of a new run. AnalysisProblem names what is missing or does not fit."""
    rollout = msgspec.to_builtins(s.rollout)
    latest, stable = hash_of(s.new), s.rollout.status.stable_rs
    args = rollout_arguments(analysis.args, rollout, latest=latest, stable=stable)
    templates = found_templates(analysis.templates, *templates_of(s.snapshot.objects))
    return run_spec(templates, args, analysis.dry_run, analysis.measurement_retention)


def templates_of(objects: Mapping[str, Json]) -> tuple[dict[str, AnalysisTemplate], dict[str, AnalysisTemplate]]:
    """(templates of the namespace, templates of the cluster), by name."""
    found: tuple[dict[str, AnalysisTemplate], dict[str, AnalysisTemplate]] = ({}, {})
    for key, obj in objects.items():
        kind, _, name = key.partition("/")
        if kind in ("AnalysisTemplate", "ClusterAnalysisTemplate"):
            found[kind == "ClusterAnalysisTemplate"][name] = msgspec.convert(obj, AnalysisTemplate)
    return found


def free_name(s: Sight, kind: Kind, index: int | None, spec: AnalysisRunSpec) -> tuple[str, bool]:
    """(name, whether an unfinished run of ours with this spec has it already). A name that is taken gets `.1`, `.2` …"""
    assert s.new is not None
    infix = str(index) if index is not None else kind.infix
    base = f"{s.rollout.metadata.name}-{hash_of(s.new)}-{revision_of(s.new)}" + (f"-{infix}" if infix else "")
    name, n = base, 0
    taken = s.run_names()
    while name in taken:
        run = named(s, name)
        if run is not None and not finished(run) and not run.spec.terminate and _same(run.spec, spec):
            return name, True
        n += 1
        name = f"{base}.{n}"
    return name, False


def _same(have: AnalysisRunSpec, want: AnalysisRunSpec) -> bool:
    parts = ("metrics", "dry_run", "measurement_retention", "args")
    return all(getattr(have, part) == getattr(want, part) for part in parts)


def body(
    s: Sight, kind: Kind, index: int | None, analysis: RolloutAnalysis, spec: AnalysisRunSpec, owner: Json
) -> Json:
    """A new run, but for its name."""
    assert s.new is not None
    labels = {HASH: hash_of(s.new), TYPE_LABEL: kind.label}
    if index is not None:
        labels[STEP_LABEL] = str(index)
    instance = s.rollout.metadata.labels.get(INSTANCE_ID)
    if instance:
        labels[INSTANCE_ID] = instance
    extra = analysis.analysis_run_metadata
    labels |= extra.labels if extra else {}
    labels |= s.selector.get("matchLabels") or {}
    annotations = {REVISION: str(revision_of(s.new)), **(extra.annotations if extra else {})}
    metadata: Json = {
        "namespace": s.rollout.metadata.namespace,
        "labels": labels,
        "annotations": annotations,
        "ownerReferences": [owner],
    }
    return {"metadata": metadata, "spec": msgspec.to_builtins(spec)}
