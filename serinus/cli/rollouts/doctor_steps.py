"""The part of `doctor` that reads the namespace's Rollouts with sequential verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import msgspec

from serinus.analysis.sequential.metric import PLUGIN
from serinus.api.analysis import AnalysisRun
from serinus.api.decoding.reading import converted
from serinus.api.meta import Json
from serinus.api.resources import ANALYSIS_RUNS, ANALYSIS_TEMPLATES, CLUSTER_ANALYSIS_TEMPLATES, ROLLOUTS, Resource
from serinus.api.rollout import Rollout
from serinus.cli.cluster.session import Session
from serinus.engine.judging.short_steps import ShortStep, short_steps
from serinus.kube.errors import ApiError


def short(session: Session) -> Iterator[tuple[str, ShortStep]]:
    """(the Rollout's name, the step). Nothing for objects that cannot be read: other checks report those."""
    templates = {
        f"{resource.kind}/{obj['metadata']['name']}": obj
        for resource in (ANALYSIS_TEMPLATES, CLUSTER_ANALYSIS_TEMPLATES)
        for obj in _listed(session, resource)
    }
    if not any(PLUGIN in str(obj.get("spec")) for obj in templates.values()):
        return
    runs = _listed(session, ANALYSIS_RUNS)
    for obj in _listed(session, ROLLOUTS):
        with suppress(msgspec.ValidationError):
            rollout = converted(obj, Rollout)
            own = [converted(run, AnalysisRun) for run in runs if _owned(run, rollout.metadata.uid)]
            for step in short_steps(rollout, templates, own):
                yield rollout.metadata.name, step


def _owned(run: Json, uid: str) -> bool:
    return any(owner.get("uid") == uid for owner in run["metadata"].get("ownerReferences") or [])


def _listed(session: Session, resource: Resource) -> list[Json]:
    try:
        return session.client.list(resource, session.namespace).get("items") or []
    except ApiError:
        return []
