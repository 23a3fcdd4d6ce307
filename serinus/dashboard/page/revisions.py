"""The revisions of a Rollout: their ReplicaSets, pods and analyses, their changes, and the way back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from msgspec import ValidationError, to_builtins

from serinus.api.analysis import AnalysisRun
from serinus.api.decoding.reading import converted
from serinus.api.values.times import parse_time
from serinus.dashboard.actions import Refusals, rollback
from serinus.dashboard.rows import newest_first
from serinus.engine.explain.metrics import measured
from serinus.view.event_history import RevisionHistory
from serinus.view.numeric_fields import numeric_fields
from serinus.view.rollout_info import (
    HASH,
    AnalysisRunInfo,
    ExperimentInfo,
    ReplicaSetInfo,
    RolloutInfo,
    Surroundings,
)
from serinus.view.status_icons import icon
from serinus.view.template_changes import CHANGES, template_changes

Json = dict[str, Any]


def revisions(
    rollout: Json,
    info: RolloutInfo,
    around: Surroundings,
    refusals: Refusals,
    templates: Mapping[str, Json],
    known: Mapping[int, RevisionHistory],
) -> list[Json]:
    """The newest first. `templates`: pod templates by the name of their ReplicaSet. `known`: the Events by revision."""
    runs = {str(run["metadata"].get("uid")): run for run in around.analysis_runs}
    current = (rollout.get("status") or {}).get("currentPodHash")
    referenced = bool(rollout["spec"].get("workloadRef"))
    of: dict[int, Json] = {}
    for rs in newest_first(info.replica_sets):
        entry = of.setdefault(rs.revision, _revision(rs.revision))
        entry["sets"].append(_set(rs))
        if (rs.metadata.get("labels") or {}).get(HASH) != current and entry["rollback"] is None:
            entry["rollback"] = asdict(rollback(info, rs, refusals, referenced))
    for experiment in info.experiments:
        of.setdefault(experiment.revision, _revision(experiment.revision))["experiments"].append(
            _experiment(experiment, runs)
        )
    for run in info.analysis_runs:
        of.setdefault(run.revision, _revision(run.revision))["analyses"].append(_analysis(run, _whole_run(run, runs)))
    _add_changes(of, templates)
    for number, history in known.items():
        if number in of:
            of[number] |= {"person": history.person, "command": history.command}
    return [of[revision] for revision in sorted(of, reverse=True)]


def _add_changes(of: dict[int, Json], templates: Mapping[str, Json]) -> None:
    """The difference of each revision's template to that of the one before, if both are known."""
    named = {
        number: next((templates[rs["name"]] for rs in of[number]["sets"] if rs["name"] in templates), None)
        for number in sorted(of)
    }
    before: tuple[int, Json] | None = None
    for number, template in named.items():
        if template is None:
            continue
        if before is not None:
            changes = template_changes(before[1], template)
            of[number]["changes"] = {
                "since": before[0],
                "fields": [vars(one) for one in changes[:CHANGES]],
                "more": max(0, len(changes) - CHANGES),
            }
        before = number, template


def _revision(revision: int) -> Json:
    return {
        "revision": revision,
        "sets": [],
        "experiments": [],
        "analyses": [],
        "rollback": None,
        "changes": None,
        "person": "",
        "command": "",
    }


def _set(rs: ReplicaSetInfo) -> Json:
    return {
        "name": str(rs.metadata.get("name") or ""),
        "status": rs.status,
        "icon": icon("ReplicaSet", rs.status),
        "roles": rs.roles,
        "images": [*rs.init_images, *rs.images],
        "desired": rs.desired,
        "replicas": rs.replicas,
        "available": rs.available,
        "deadline": parse_time(rs.scale_down_deadline) if rs.desired else None,
        "created": parse_time(str(rs.metadata.get("creationTimestamp") or "")),
        "pods": [
            {
                "name": str(pod.metadata.get("name") or ""),
                "status": pod.status,
                "icon": icon("Pod", pod.status),
                "ready": f"{pod.ready}/{pod.containers}",
                "restarts": pod.restarts,
                "created": parse_time(str(pod.metadata.get("creationTimestamp") or "")),
            }
            for pod in sorted(rs.pods, key=lambda pod: str(pod.metadata.get("name")))
        ],
    }


def _analysis(run: AnalysisRunInfo, whole: Json) -> Json:
    """`whole`: the complete AnalysisRun."""
    return {
        "name": str(run.metadata.get("name") or ""),
        "status": run.status,
        "icon": icon("Analysis", run.status),
        **{f: getattr(run, f) for f in ("successful", "failed", "inconclusive", "error")},
        "message": str((whole.get("status") or {}).get("message") or ""),
        "jobs": [{**vars(job), "icon": icon("Analysis", job.status)} for job in run.jobs],
        "metrics": metrics(whole),
    }


def metrics(run: Json) -> list[Json]:
    """Each metric of an AnalysisRun: its measurements and its conditions."""
    try:
        explained = measured(converted(run, AnalysisRun))
    except ValidationError:
        return []  # unreadable data of another controller: its verdict and message are shown all the same
    return [_with_icons(to_builtins(metric)) for metric in explained]


def _with_icons(metric: Json) -> Json:
    points = [{**point, "icon": icon("Analysis", point["phase"])} for point in metric["points"]]
    fields = [] if metric["curve"] else numeric_fields([point["value"] for point in points])
    return {**metric, "icon": icon("Analysis", metric["phase"]), "points": points, "fields": fields}


def _experiment(experiment: ExperimentInfo, runs: dict[str, Json]) -> Json:
    return {
        "name": str(experiment.metadata.get("name") or ""),
        "status": experiment.status,
        "icon": icon("Analysis", experiment.status),
        "message": experiment.message,
        "sets": [_set(rs) for rs in experiment.replica_sets],
        "analyses": [_analysis(run, _whole_run(run, runs)) for run in experiment.analysis_runs],
    }


def _whole_run(run: AnalysisRunInfo, runs: dict[str, Json]) -> Json:
    return runs.get(str(run.metadata.get("uid")), {})
