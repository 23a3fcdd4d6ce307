"""The view of a Rollout or an Experiment: one value, shared by the command line and the dashboard.

Built from the API server's plain JSON objects, by the rules of the Rollout's clients. Controller references decide
ownership, and pod template hashes decide roles. Times stay as the API writes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from serinus.api.messages.verdict_words import verdict_words
from serinus.api.pods.status import pod_ready, pod_restarts, pod_status
from serinus.api.records import field, record
from serinus.view.rollout_phase import calculated_phase

Json = dict[str, Any]

HASH = "rollouts-pod-template-hash"
REVISION = "rollout.argoproj.io/revision"
WORKLOAD_GENERATION = "rollout.argoproj.io/workload-generation"
DEADLINE = "scale-down-deadline"
EXPERIMENT_TEMPLATE = "experiment.argoproj.io/template-name"


@record()
class PodInfo:
    metadata: Json
    status: str
    ready: int
    containers: int
    restarts: int


@record()
class ReplicaSetInfo:
    """`replicas` and `available` are observed numbers, `desired` is the requested one."""

    metadata: Json
    status: str
    revision: int
    template: str
    """Template of the Experiment it belongs to; empty with a Rollout's own."""
    replicas: int
    available: int
    desired: int
    images: list[str]
    init_images: list[str]
    scale_down_deadline: str
    stable: bool = False
    canary: bool = False
    active: bool = False
    preview: bool = False
    ping: bool = False
    pong: bool = False
    pods: list[PodInfo] = field(default_factory=list[PodInfo])

    @property
    def roles(self) -> list[str]:
        names = ("canary", "stable", "active", "preview", "ping", "pong")
        return [name for name in names if getattr(self, name)]


@record()
class JobInfo:
    name: str
    metric: str
    status: str
    started_at: str


@record()
class AnalysisRunInfo:
    """The numbers count measurements of all metrics. `verdicts`: of its sequential metrics, in words."""

    metadata: Json
    status: str
    revision: int
    successful: int
    failed: int
    inconclusive: int
    error: int
    jobs: list[JobInfo]
    verdicts: list[str]


@record()
class ExperimentInfo:
    metadata: Json
    status: str
    message: str
    revision: int
    replica_sets: list[ReplicaSetInfo]
    analysis_runs: list[AnalysisRunInfo]


@record()
class RolloutInfo:
    """`strategy` is `Canary`, `BlueGreen` or `unknown`. `step`, weights: as shown; empty without a canary."""

    metadata: Json
    status: str
    message: str
    strategy: str
    step: str
    set_weight: str
    actual_weight: str
    desired: int
    current: int
    updated: int
    ready: int
    available: int
    restarted_at: str
    replica_sets: list[ReplicaSetInfo]
    experiments: list[ExperimentInfo]
    analysis_runs: list[AnalysisRunInfo]


@record()
class Surroundings:
    """Objects of a Rollout's namespace. Those with another owner are skipped."""

    replica_sets: Sequence[Json] = ()
    pods: Sequence[Json] = ()
    experiments: Sequence[Json] = ()
    analysis_runs: Sequence[Json] = ()
    workload: Json | None = None
    """The object of spec.workloadRef."""


def rollout_info(rollout: Json, around: Surroundings) -> RolloutInfo:
    spec, status = _map(rollout, "spec"), _map(rollout, "status")
    phase, message = phase_and_message(rollout, around.workload)
    sets = [_role(_replica_set(rs, around.pods), spec, status) for rs in _owned(around.replica_sets, rollout)]
    canary = _strategy(spec) == "Canary"
    return RolloutInfo(
        metadata=_map(rollout, "metadata"),
        status=phase,
        message=message,
        strategy=_strategy(spec),
        step=step(rollout),
        set_weight=str(set_weight(rollout)) if canary else "",
        actual_weight=str(_actual_weight(rollout, sets)) if canary else "",
        desired=_number(spec, "replicas", 1),
        current=_number(status, "replicas"),
        updated=_number(status, "updatedReplicas"),
        ready=_number(status, "readyReplicas"),
        available=_number(status, "availableReplicas"),
        restarted_at=str(status.get("restartedAt") or ""),
        replica_sets=sets,
        experiments=[experiment_info(e, around) for e in _owned(around.experiments, rollout)],
        analysis_runs=[analysis_run_info(run) for run in _owned(around.analysis_runs, rollout)],
    )


def experiment_info(experiment: Json, around: Surroundings) -> ExperimentInfo:
    status = _map(experiment, "status")
    return ExperimentInfo(
        metadata=_map(experiment, "metadata"),
        status=str(status.get("phase") or ""),
        message=str(status.get("message") or ""),
        revision=_revision(experiment),
        replica_sets=[_replica_set(rs, around.pods) for rs in _owned(around.replica_sets, experiment)],
        analysis_runs=[analysis_run_info(run) for run in _owned(around.analysis_runs, experiment)],
    )


def analysis_run_info(run: Json) -> AnalysisRunInfo:
    status = _map(run, "status")
    results: list[Json] = status.get("metricResults") or []
    return AnalysisRunInfo(
        metadata=_map(run, "metadata"),
        status=str(status.get("phase") or ""),
        revision=_revision(run),
        successful=sum(_number(r, "successful") for r in results),
        failed=sum(_number(r, "failed") for r in results),
        inconclusive=sum(_number(r, "inconclusive") for r in results),
        error=sum(_number(r, "error") for r in results),
        jobs=[
            JobInfo(job, str(r.get("name")), str(m.get("phase") or ""), str(m.get("startedAt") or ""))
            for r in results
            for m in r.get("measurements") or []
            if (job := str((m.get("metadata") or {}).get("job-name") or ""))
        ],
        verdicts=[
            f"{r.get('name')} {words}"
            for r in results
            for m in (r.get("measurements") or [])[-1:]
            if (words := verdict_words(m))
        ],
    )


def phase_and_message(rollout: Json, workload: Json | None = None) -> tuple[str, str]:
    """The phase and its reason, as every client shows them: those of the status, unless it is of an older spec.

    Source: the Rollout resource, section 3, "Clients". `workload` is the object of spec.workloadRef.
    """
    meta, status = _map(rollout, "metadata"), _map(rollout, "status")
    observed = str(status.get("observedGeneration") or "")
    if observed.isdigit() and int(observed) < _number(meta, "generation"):
        return "Progressing", "waiting for rollout spec update to be observed"
    if status.get("controllerPause") and not status.get("pauseConditions"):
        return "Progressing", "waiting for rollout to unpause"
    noted = (meta.get("annotations") or {}).get(WORKLOAD_GENERATION)
    # The annotation is the controller's own; the workload itself may be ahead of it.
    generation = noted if workload is None else str(_number(_map(workload, "metadata"), "generation"))
    looked_at = str(status.get("workloadObservedGeneration") or "")
    if _map(rollout, "spec").get("workloadRef") and generation and looked_at.isdigit() and generation != looked_at:
        return "Progressing", "waiting for rollout spec update to be observed for the reference workload"
    if phase := str(status.get("phase") or ""):
        return phase, str(status.get("message") or "")
    phase, message = calculated_phase(_map(rollout, "spec"), status)
    return (phase, message) if status or phase != "Progressing" else (phase, "waiting for a controller to see it")


def step(rollout: Json) -> str:
    """`1/4`; empty without steps, and before a controller starts them."""
    steps, index = _steps(rollout), _map(rollout, "status").get("currentStepIndex")
    return f"{index}/{len(steps)}" if steps and index is not None else ""


def set_weight(rollout: Json) -> int:
    """The weight that the current steps set."""
    status, steps = _map(rollout, "status"), _steps(rollout)
    index = _number(status, "currentStepIndex")
    if status.get("abort"):
        return 0
    if index >= len(steps):
        return _whole(rollout)
    asked = (s["setWeight"] for s in reversed(steps[: index + 1]) if s.get("setWeight") is not None)
    return int(next(asked, 0))


def strategy(rollout: Json) -> str:
    return _strategy(_map(rollout, "spec"))


def _strategy(spec: Json) -> str:
    given = _map(spec, "strategy")
    return (
        "BlueGreen"
        if given.get("blueGreen") is not None
        else "Canary"
        if given.get("canary") is not None
        else "unknown"
    )


def _actual_weight(rollout: Json, sets: Iterable[ReplicaSetInfo]) -> int:
    status, available = _map(rollout, "status"), _number(_map(rollout, "status"), "availableReplicas")
    if _number(status, "currentStepIndex") >= len(_steps(rollout)):
        return _whole(rollout)
    if not available:
        return 0
    if not _routing(rollout):
        return next((rs.available * _whole(rollout) // available for rs in sets if rs.canary), 0)
    weights = _map(status, "canary").get("weights")
    return _number(_map(weights, "canary"), "weight") if weights else set_weight(rollout)


def _steps(rollout: Json) -> list[Json]:
    return _canary(rollout).get("steps") or []


def _canary(rollout: Json) -> Json:
    return _map(_map(_map(rollout, "spec"), "strategy"), "canary")


def _routing(rollout: Json) -> Json:
    return _map(_canary(rollout), "trafficRouting")


def _whole(rollout: Json) -> int:
    return _number(_routing(rollout), "maxTrafficWeight", 100)


def _replica_set(rs: Json, pods: Iterable[Json]) -> ReplicaSetInfo:
    meta, spec, status = _map(rs, "metadata"), _map(rs, "spec"), _map(rs, "status")
    template = _map(_map(spec, "template"), "spec")
    notes: Json = meta.get("annotations") or {}
    return ReplicaSetInfo(
        metadata=meta,
        status=_replica_set_word(meta, spec, status),
        revision=_revision(rs),
        template=str(notes.get(EXPERIMENT_TEMPLATE) or ""),
        replicas=_number(status, "replicas"),
        available=_number(status, "availableReplicas"),
        desired=_number(spec, "replicas", 1),
        images=[str(c.get("image") or "") for c in template.get("containers") or []],
        init_images=[str(c.get("image") or "") for c in template.get("initContainers") or []],
        scale_down_deadline=str(notes.get(DEADLINE) or ""),
        pods=[_pod(pod) for pod in _owned(pods, rs)],
    )


def _replica_set_word(meta: Json, spec: Json, status: Json) -> str:
    conditions: list[Json] = status.get("conditions") or []
    if _number(status, "observedGeneration") < _number(meta, "generation"):
        return "Progressing"
    if any(c.get("type") == "ReplicaFailure" and c.get("status") == "True" for c in conditions):
        return "ReplicaFailure"
    if _number(status, "availableReplicas") < _number(spec, "replicas", 1):
        return "Progressing"
    return "Healthy" if _number(spec, "replicas", 1) else "ScaledDown"


def _role(rs: ReplicaSetInfo, spec: Json, status: Json) -> ReplicaSetInfo:
    own = (rs.metadata.get("labels") or {}).get(HASH)
    if not own:
        return rs
    rs.stable = own == status.get("stableRS")
    if _strategy(spec) == "Canary":
        rs.canary = own == status.get("currentPodHash") and not rs.stable
        _ping_pong(rs, spec, status)
    else:
        selectors = _map(status, "blueGreen")
        rs.active = own == selectors.get("activeSelector")
        rs.preview = own == selectors.get("previewSelector") and not rs.active
    return rs


def _ping_pong(rs: ReplicaSetInfo, spec: Json, status: Json) -> None:
    stable = _map(status, "canary").get("stablePingPong")
    if not _map(_map(spec, "strategy"), "canary").get("pingPong") or stable not in ("ping", "pong"):
        return
    rs.ping = rs.stable if stable == "ping" else rs.canary
    rs.pong = rs.canary if stable == "ping" else rs.stable


def _pod(pod: Json) -> PodInfo:
    ready, containers = pod_ready(pod)
    return PodInfo(_map(pod, "metadata"), pod_status(pod), ready, containers, pod_restarts(pod))


def _owned(objects: Iterable[Json], owner: Json) -> list[Json]:
    uid = _map(owner, "metadata").get("uid")
    return [o for o in objects if any(r.get("controller") and r.get("uid") == uid for r in _owners(o))]


def _owners(obj: Json) -> list[Json]:
    return _map(obj, "metadata").get("ownerReferences") or []


def _revision(obj: Json) -> int:
    noted = str((_map(obj, "metadata").get("annotations") or {}).get(REVISION) or "")
    return int(noted) if noted.isdigit() else 0


def _map(obj: Json | None, key: str) -> Json:
    value = (obj or {}).get(key)
    return value if isinstance(value, dict) else {}


def _number(obj: Json, key: str, default: int = 0) -> int:
    value = obj.get(key)
    return default if value is None else int(value)
