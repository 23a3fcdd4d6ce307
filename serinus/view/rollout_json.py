"""RolloutInfo as JSON, in the form that existing clients of the dashboard's HTTP API read.

Source: the command line, section 3. Empty text, zero and false are left out.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from serinus.api.values.times import parse_time
from serinus.view.rollout_info import (
    AnalysisRunInfo,
    ExperimentInfo,
    PodInfo,
    ReplicaSetInfo,
    RolloutInfo,
    Surroundings,
)
from serinus.view.status_icons import icon

Json = dict[str, Any]

_META = ("name", "namespace", "labels", "annotations", "uid", "generation", "creationTimestamp", "resourceVersion")


def rollout_json(rollout: Json, info: RolloutInfo, around: Surroundings, *, short: bool = False) -> Json:
    """`short`: without experiments and analysis runs, as in lists."""
    spec: Json = rollout.get("spec") or {}
    pod: Json = ((spec.get("template") or {}).get("spec")) or {}
    runs = {str(run["metadata"].get("uid")): run for run in around.analysis_runs}
    return _full(
        objectMeta=_meta(info.metadata),
        status=info.status,
        message=info.message,
        icon=icon("Rollout", info.status),
        strategy=info.strategy,
        step=info.step,
        setWeight=info.set_weight,
        actualWeight=info.actual_weight,
        ready=info.ready,
        current=info.current,
        desired=info.desired,
        updated=info.updated,
        available=info.available,
        restartedAt=_go_time(info.restarted_at) or "Never",
        generation=str(info.metadata.get("generation") or ""),
        replicaSets=[_replica_set(rs) for rs in info.replica_sets],
        experiments=[] if short else [_experiment(e, runs) for e in info.experiments],
        analysisRuns=[] if short else [_analysis_run(run, runs) for run in info.analysis_runs],
        containers=[_container(c) for c in pod.get("containers") or []],
        initContainers=[_container(c) for c in pod.get("initContainers") or []],
        steps=((spec.get("strategy") or {}).get("canary") or {}).get("steps") or [],
    )


def _replica_set(rs: ReplicaSetInfo) -> Json:
    return _full(
        objectMeta=_meta(rs.metadata),
        status=rs.status,
        icon=icon("ReplicaSet", rs.status),
        revision=rs.revision,
        **dict.fromkeys(rs.roles, True),
        replicas=rs.replicas,
        available=rs.available,
        template=rs.template,
        scaleDownDeadline=rs.scale_down_deadline,
        images=rs.images,
        initContainerImages=rs.init_images,
        pods=[_pod(pod) for pod in rs.pods],
    )


def _pod(pod: PodInfo) -> Json:
    return _full(
        objectMeta=_meta(pod.metadata),
        status=pod.status,
        icon=icon("Pod", pod.status).strip(),
        ready=f"{pod.ready}/{pod.containers}",
        restarts=pod.restarts,
    )


def experiment_json(experiment: ExperimentInfo, around: Surroundings) -> Json:
    """One Experiment, in the same form."""
    return _experiment(experiment, {str(run["metadata"].get("uid")): run for run in around.analysis_runs})


def _experiment(experiment: ExperimentInfo, runs: dict[str, Json]) -> Json:
    return _full(
        objectMeta=_meta(experiment.metadata),
        icon=icon("Analysis", experiment.status).strip(),
        revision=experiment.revision,
        status=experiment.status,
        message=experiment.message,
        replicaSets=[_replica_set(rs) for rs in experiment.replica_sets],
        analysisRuns=[_analysis_run(run, runs) for run in experiment.analysis_runs],
    )


def _analysis_run(info: AnalysisRunInfo, runs: dict[str, Json]) -> Json:
    run = runs.get(str(info.metadata.get("uid")), {})
    spec, status = run.get("spec") or {}, run.get("status") or {}
    results: list[Json] = status.get("metricResults") or []
    return _full(
        objectMeta=_meta(info.metadata),
        icon=icon("Analysis", info.status).strip(),
        revision=info.revision,
        status=info.status,
        successful=info.successful,
        failed=info.failed,
        inconclusive=info.inconclusive,
        error=info.error,
        specAndStatus=_full(spec=spec, status=status),
        jobs=[
            _full(
                objectMeta={"name": job.name},
                status=job.status,
                icon=icon("Analysis", job.status).strip(),
                metricName=job.metric,
                startedAt=job.started_at,
            )
            for job in info.jobs
        ],
        nonJobInfo=[
            _full(
                value=str(m.get("value") or ""),
                status=str(m.get("phase") or ""),
                metricName=str(result.get("name") or ""),
                startedAt=str(m.get("startedAt") or ""),
            )
            for result in results
            for m in result.get("measurements") or []
            if not (m.get("metadata") or {}).get("job-name")
        ],
        metrics=[
            _full(
                name=str(metric.get("name") or ""),
                successCondition=str(metric.get("successCondition") or ""),
                count=_number(metric.get("count")),
                inconclusiveLimit=_number(metric.get("inconclusiveLimit")),
                failureLimit=_number(metric.get("failureLimit")),
            )
            for metric in spec.get("metrics") or []
        ],
    )


def _number(value: Any) -> int:
    """A count from YAML: a number or text that holds one; 0 otherwise."""
    return int(value) if str(value or "").isdigit() else 0


def _container(container: Json) -> Json:
    return _full(name=str(container.get("name") or ""), image=str(container.get("image") or ""))


def _meta(metadata: Json) -> Json:
    return _full(**{field: metadata.get(field) for field in _META})


def _full(**fields: Any) -> Json:
    """The object without empty values."""
    return {name: value for name, value in fields.items() if value not in (None, "", 0, False, [], {})}


def _go_time(text: str) -> str:
    """`2006-01-02 15:04:05 +0000 UTC`"""
    at = parse_time(text)
    return "" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S +0000 UTC")
