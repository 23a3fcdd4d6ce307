"""States of Rollouts and Experiments as the recorded screens show them."""

from __future__ import annotations

from typing import Any

from serinus.api.values.times import format_time
from serinus.view.rollout_info import Surroundings

Json = dict[str, Any]
NOW = 1_767_225_600.0
BLUE, GREEN = "argoproj/rollouts-demo:blue", "argoproj/rollouts-demo:green"
STABLE, NEW = "web-68fb5766d6", "web-77f97bbcbf"


STEPS: list[Json] = [
    {"setWeight": 20},
    {"pause": {}},
    {"setWeight": 40},
    {"pause": {}},
    {"setWeight": 60},
    {"pause": {}},
]
ROUTED: Json = {"trafficRouting": {"nginx": {"stableIngress": "web"}}}


def meta(name: str, age: float, owner: str = "", **more: Any) -> Json:
    owners: list[Json] = [{"uid": owner, "controller": True}] if owner else []
    born = format_time(NOW - age)
    return {
        "name": name,
        "namespace": "play",
        "uid": name,
        "creationTimestamp": born,
        "ownerReferences": owners,
        **more,
    }


def notes(revision: int, delay: float | None = None, template: str = "") -> Json:
    found = {"rollout.argoproj.io/revision": str(revision)} if revision else {}
    if delay is not None:
        found["scale-down-deadline"] = format_time(NOW + delay)
    if template:
        found["experiment.argoproj.io/template-name"] = template
    return found


def replica_set(
    name: str, image: str, age: float, size: int, *, owner: str = "web", available: int | None = None, **about: Any
) -> Json:
    labels = {"rollouts-pod-template-hash": name.rpartition("-")[2]}
    return {
        "metadata": meta(name, age, owner, labels=labels, annotations=notes(about.pop("revision", 0), **about)),
        "spec": {"replicas": size, "template": {"spec": {"containers": [{"name": "web", "image": image}]}}},
        "status": {"replicas": size, "availableReplicas": size if available is None else available},
    }


def pod(owner: str, name: str, age: float, *, waiting: str = "", restarts: int = 0) -> Json:
    state: Json = {"waiting": {"reason": waiting}} if waiting else {"running": {}}
    container: Json = {"name": "web", "ready": not waiting, "restartCount": restarts, "state": state}
    ready = {"type": "Ready", "status": "False" if waiting else "True"}
    return {
        "metadata": meta(f"{owner}-{name}", age, owner),
        "spec": {"containers": [{"name": "web"}]},
        "status": {
            "phase": "Pending" if waiting else "Running",
            "conditions": [ready],
            "containerStatuses": [container],
        },
    }


def analysis(name: str, owner: str, age: float, phase: str, revision: int = 0, **result: Any) -> Json:
    measurements: list[Json] = []
    if job := result.pop("job", None):
        at = format_time(NOW - result.pop("at"))
        measurements = [{"phase": result.pop("job_phase"), "startedAt": at, "metadata": {"job-name": job}}]
    results: list[Json] = [{"name": "value", "measurements": measurements, **result}]
    return {
        "metadata": meta(name, age, owner, annotations=notes(revision)),
        "status": {"phase": phase, "metricResults": results},
    }


def canary(
    status: Json, *, age: float = 10, replicas: int = 2, routed: bool = True, steps: list[Json] | None = None
) -> Json:
    strategy: Json = {"canary": {"steps": steps or STEPS, **(ROUTED if routed else {})}}
    return {
        "metadata": meta("web", age, generation=1),
        "spec": {"replicas": replicas, "strategy": strategy},
        "status": {"observedGeneration": "1", "stableRS": "68fb5766d6", **status},
    }


def counts(current: int, updated: int, ready: int, available: int) -> Json:
    return {
        "replicas": current, "updatedReplicas": updated, "readyReplicas": ready, "availableReplicas": available
    }  # fmt: skip


def paused(index: int = 1, reason: str = "CanaryPauseStep") -> Json:
    pauses: list[Json] = [{"reason": reason}]
    return {"phase": "Paused", "message": reason, "pauseConditions": pauses, "controllerPause": True} | {
        "currentStepIndex": index
    }


def aborted(why: str) -> Json:
    return {"phase": "Degraded", "message": f"RolloutAborted: {why}", "abort": True, "currentStepIndex": 0}


def weights(canary: int) -> Json:
    return {"canary": {"weights": {"canary": {"weight": canary}, "stable": {"weight": 100 - canary}}}}


def pods(owner: str, count: int, age: float) -> list[Json]:
    return [pod(owner, f"#000{n}", age) for n in range(1, count + 1)]


def nginx_walk() -> tuple[Json, Surroundings]:
    status = {**paused(), **counts(3, 1, 3, 3), **weights(20), "currentPodHash": "77f97bbcbf"}
    sets = [replica_set(STABLE, BLUE, 10, 2, revision=1), replica_set(NEW, GREEN, 5, 1, revision=2)]
    return canary(status), Surroundings(sets, [*pods(STABLE, 2, 10), *pods(NEW, 1, 5)])


def nginx_third_revision() -> tuple[Json, Surroundings]:
    status = {**paused(), **counts(3, 1, 3, 3), **weights(20), "currentPodHash": "654847478"}
    third = replica_set("web-654847478", "argoproj/rollouts-demo:yellow", 5, 1, revision=3)
    sets = [replica_set(STABLE, BLUE, 15, 2, revision=1), replica_set(NEW, GREEN, 10, 0, revision=2), third]
    return canary(status, age=15), Surroundings(sets, [*pods(STABLE, 2, 15), *pods("web-654847478", 1, 5)])


def nginx_deadline_abort() -> tuple[Json, Surroundings]:
    why = 'Rollout aborted update to revision 2: ReplicaSet "web-b49567f65" has timed out progressing.'
    status = {**aborted(why), **counts(3, 1, 2, 2), **weights(0), "currentPodHash": "b49567f65"}
    new = "web-b49567f65"
    image = "argoproj/rollouts-demo:does-not-exist"
    sets = [
        replica_set(STABLE, BLUE, 15, 2, revision=1),
        replica_set(new, image, 10, 1, available=0, revision=2, delay=26),
    ]
    pending = pod(new, "#0001", 10, waiting="ImagePullBackOff")
    return canary(status, age=15), Surroundings(sets, [*pods(STABLE, 2, 15), pending])


def analysis_step_fails() -> tuple[Json, Surroundings]:
    why = 'Metric "value" assessed Failed due to failed (2) > failureLimit (1)'
    message = f"Rollout aborted update to revision 2: Step-based analysis phase error/failed: {why}"
    status = {**aborted(message), **counts(3, 1, 3, 3), **weights(0), "currentPodHash": "77f97bbcbf"}
    sets = [replica_set(STABLE, BLUE, 8, 2, revision=1), replica_set(NEW, GREEN, 3, 1, revision=2, delay=2)]
    runs = [analysis(f"{NEW}-2-1", "web", 1, "Failed", 2, failed=2)]
    around = Surroundings(sets, [*pods(STABLE, 2, 8), *pods(NEW, 1, 3)], analysis_runs=runs)
    return canary(status, age=8, steps=STEPS[:3]), around


def analysis_jobs() -> tuple[Json, Surroundings]:
    why = 'Metric "fail" assessed Failed due to failed (1) > failureLimit (0)'
    message = f"Rollout aborted update to revision 2: Step-based analysis phase error/failed: {why}"
    status = {**aborted(message), **counts(3, 1, 3, 3), **weights(0), "currentPodHash": "77f97bbcbf"}
    sets = [replica_set(STABLE, BLUE, 16, 2, revision=1), replica_set(NEW, GREEN, 11, 1, revision=2, delay=2)]
    passed = {"job": "a87f11ee-4f09-4940-a5fc-109d26af701f.pass.1", "job_phase": "Successful", "at": 10}
    failed = {"job": "c85061d3-fcd5-4698-a75a-6ac919bfa040.fail.1", "job_phase": "Failed", "at": 4}
    runs = [
        analysis(f"{NEW}-2-3", "web", 4, "Failed", 2, failed=1, **failed),
        analysis(f"{NEW}-2-1", "web", 10, "Successful", 2, successful=1, **passed),
    ]
    around = Surroundings(sets, [*pods(STABLE, 2, 16), *pods(NEW, 1, 11)], analysis_runs=runs)
    return canary(status, age=16, steps=STEPS[:4]), around


def bluegreen_manual() -> tuple[Json, Surroundings]:
    selectors = {"activeSelector": "68fb5766d6", "previewSelector": "77f97bbcbf"}
    status = {
        **paused(0, "BlueGreenPause"),
        **counts(4, 1, 3, 3),
        "blueGreen": selectors,
        "currentPodHash": "77f97bbcbf",
    }
    rollout = canary(status, replicas=3)
    rollout["spec"]["strategy"] = {"blueGreen": {"activeService": "web"}}
    sets = [replica_set(STABLE, BLUE, 10, 3, revision=1), replica_set(NEW, GREEN, 5, 1, revision=2)]
    return rollout, Surroundings(sets, [*pods(STABLE, 3, 10), *pods(NEW, 1, 5)])


def experiment_step() -> tuple[Json, Surroundings]:
    status = {**paused(2), **counts(3, 1, 3, 3), **weights(50), "currentPodHash": "77f97bbcbf"}
    exp = f"{NEW}-2-0"
    baseline, candidate = f"{exp}-baseline", f"{exp}-candidate"
    sets = [
        replica_set(STABLE, BLUE, 10, 2, revision=1),
        replica_set(NEW, GREEN, 5, 1, revision=2),
        replica_set(candidate, GREEN, 4, 1, owner=exp, delay=28, template="candidate"),
        replica_set(baseline, BLUE, 4, 1, owner=exp, delay=28, template="baseline"),
    ]
    experiment = {"metadata": meta(exp, 4, "web", annotations=notes(2)), "status": {"phase": "Successful"}}
    around = Surroundings(
        sets,
        [*pods(STABLE, 2, 9), *pods(NEW, 1, 1), *pods(baseline, 1, 4), *pods(candidate, 1, 4)],
        [experiment],
        [analysis(f"{exp}-compare", exp, 3, "Successful", successful=3)],
    )
    return canary(status, steps=[{"setWeight": 50}, {"experiment": {}}, {"pause": {}}]), around


def experiment_alone() -> tuple[Json, Surroundings]:
    sets = [
        replica_set("exp-a", BLUE, 2, 1, owner="exp", template="a"),
        replica_set("exp-b", GREEN, 2, 2, owner="exp", template="b"),
    ]
    runs = [analysis("exp-both", "exp", 1, "Running", successful=2)]
    around = Surroundings(sets, [*pods("exp-b", 2, 2), *pods("exp-a", 1, 2)], (), runs)
    return {"metadata": meta("exp", 2), "status": {"phase": "Running"}}, around
