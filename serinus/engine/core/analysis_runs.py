"""The AnalysisRuns of a Rollout as objects: their names, their specs, and their roles.

Source: analysis, sections 1 ("Creating a run") and 5 ("Generated name").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from serinus.analysis.arguments import rollout_arguments
from serinus.analysis.phases import COMPLETED
from serinus.analysis.run_objects import Owner, Use, rollout_run
from serinus.analysis.templates import found_templates, run_spec
from serinus.api.analysis import AnalysisRun, AnalysisRunSpec, AnalysisTemplate, RolloutAnalysis
from serinus.api.decoding.reading import converted
from serinus.api.meta import Json
from serinus.api.names import INSTANCE_ID
from serinus.engine.core.context import RolloutContext, hash_of, revision_of


@dataclass(frozen=True, slots=True)
class AnalysisKind:
    """One of the four kinds of analysis in a Rollout. `failed`: the start of the message for an abort by it."""

    label: Use
    failed: str


BACKGROUND = AnalysisKind("Background", "Background analysis phase error/failed")
STEP = AnalysisKind("Step", "Step-based analysis phase error/failed")
PRE = AnalysisKind("PrePromotion", "Blue/green pre-promotion analysis phase error/failed")
POST = AnalysisKind("PostPromotion", "Blue/green post-promotion analysis phase error/failed")


def typed(analysis: Json) -> RolloutAnalysis:
    return converted(analysis, RolloutAnalysis)


def finished(run: AnalysisRun) -> bool:
    return run.status.phase in COMPLETED


def named(s: RolloutContext, name: str) -> AnalysisRun | None:
    """The Rollout's own run of this name."""
    return next((r for r in s.analysis_runs if r.metadata.name == name), None)


def spec_of(s: RolloutContext, analysis: RolloutAnalysis) -> AnalysisRunSpec:
    """The spec of a new run. AnalysisProblem names a missing or invalid part."""
    rollout = msgspec.to_builtins(s.rollout)
    latest, stable = hash_of(s.new), s.rollout.status.stable_rs
    args = rollout_arguments(analysis.args, rollout, latest=latest, stable=stable)
    templates = found_templates(analysis.templates, *templates_of(s.snapshot.objects))
    return run_spec(templates, args, analysis.dry_run, analysis.measurement_retention)


def templates_of(objects: Mapping[str, Json]) -> tuple[dict[str, AnalysisTemplate], dict[str, AnalysisTemplate]]:
    """(templates of the namespace, templates of the cluster), by name."""
    templates: tuple[dict[str, AnalysisTemplate], dict[str, AnalysisTemplate]] = ({}, {})
    for key, obj in objects.items():
        kind, _, name = key.partition("/")
        if kind in ("AnalysisTemplate", "ClusterAnalysisTemplate"):
            templates[kind == "ClusterAnalysisTemplate"][name] = converted(obj, AnalysisTemplate)
    return templates


def wanted_run(
    s: RolloutContext, kind: AnalysisKind, index: int | None, analysis: RolloutAnalysis, spec: AnalysisRunSpec
) -> Json:
    """A new run as an object, under the name that it has if no other object uses that name."""
    meta = s.rollout.metadata
    owner = Owner(
        meta.name, meta.namespace, meta.uid, meta.labels.get(INSTANCE_ID, ""), s.selector.get("matchLabels") or {}
    )
    return rollout_run(
        owner,
        spec,
        kind.label,
        pod_hash=hash_of(s.new),
        revision=revision_of(s.new) if s.new else 0,
        step=index,
        metadata=analysis.analysis_run_metadata,
    )
