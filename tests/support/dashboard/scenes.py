"""Objects as a controller leaves them: Rollouts in each state, with their ReplicaSets and pods."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from msgspec import convert

from serinus.analysis.sequential.looks import Look
from serinus.api.pods.identity import step_hash
from serinus.api.rollout import CanaryStep
from serinus.api.values.times import format_time
from tests.support.engine.kept_verdict import kept_verdict

Json = dict[str, Any]
Put = Callable[[Json], Json]

STEPS: list[Json] = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 50}, {"pause": {"duration": "30s"}}]
STEP_HASH = step_hash(convert(STEPS, list[CanaryStep]))

OLD, NEW = "5b8c6d7f9", "6d9c7b5f48"


def rollout(name: str = "web", *, namespace: str = "default", spec: Json | None = None, **status: Any) -> Json:
    """A canary in the pause of its second step, revision 2 with 20 %; `status` replaces fields."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "web:2"}]}}
    return {
        "kind": "Rollout",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": template,
            "strategy": {
                "canary": {
                    "stableService": name,
                    "canaryService": f"{name}-canary",
                    "trafficRouting": {"nginx": {"stableIngress": name}},
                    "steps": STEPS,
                }
            },
            **(spec or {}),
        },
        "status": {
            "phase": "Paused",
            "message": "CanaryPauseStep",
            "observedGeneration": "1",
            "stableRS": OLD,
            "currentPodHash": NEW,
            "currentStepIndex": 1,
            "currentStepHash": STEP_HASH,
            "pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "2026-01-01T00:00:00Z"}],
            "controllerPause": True,
            "replicas": 3,
            "updatedReplicas": 1,
            "readyReplicas": 3,
            "availableReplicas": 3,
            "canary": {"weights": {"canary": {"weight": 20}, "stable": {"weight": 80}}},
            **status,
        },
    }


def healthy(name: str = "web", **more: Any) -> Json:
    return rollout(
        name,
        phase="Healthy",
        message="",
        currentPodHash=OLD,
        currentStepIndex=len(STEPS),
        pauseConditions=None,
        controllerPause=False,
        **more,
    )


def aborted(name: str = "web") -> Json:
    return rollout(
        name,
        phase="Degraded",
        message="RolloutAborted: Rollout aborted update to revision 2",
        abort=True,
        currentStepIndex=0,
        pauseConditions=None,
        controllerPause=False,
        canary={"weights": {"canary": {"weight": 0}, "stable": {"weight": 100}}},
    )


def timed(name: str, since: float) -> Json:
    """In the pause of 30 s that began at `since`."""
    begun = [{"reason": "CanaryPauseStep", "startTime": format_time(since)}]
    return rollout(name, currentStepIndex=3, pauseConditions=begun)


def with_revisions(put: Put, made: Json) -> Json:
    """Store the Rollout, its referenced objects and its two revisions with their pods."""
    stored = put(made)
    around(put, stored)
    replica_set(put, stored, OLD, 1, 2)
    replica_set(put, stored, NEW, 2, 1)
    return stored


def around(put: Put, stored: Json) -> None:
    """The Services and the Ingress that the Rollout names, as its controller leaves them."""
    meta = stored["metadata"]
    name, space, route = str(meta["name"]), str(meta["namespace"]), f"{meta['name']}-canary"
    owner = {"argo-rollouts.argoproj.io/managed-by-rollouts": name}
    for service, hash_ in ((name, OLD), (route, NEW)):
        selector = {"app": name, "rollouts-pod-template-hash": hash_}
        about = {"name": service, "namespace": space, "annotations": owner}
        put({"kind": "Service", "metadata": about, "spec": {"selector": selector, "ports": [{"port": 80}]}})
    backend = {"service": {"name": name, "port": {"number": 80}}}
    rules = [{"host": name, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]
    put({"kind": "Ingress", "metadata": {"name": name, "namespace": space}, "spec": {"rules": rules}})


def replica_set(put: Put, owner: Json, hash_: str, revision: int, size: int, image: str = "") -> Json:
    meta = owner["metadata"]
    name, labels = f"{meta['name']}-{hash_}", {"app": meta["name"], "rollouts-pod-template-hash": hash_}
    image = image or f"web:{revision}"
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": image}]}}
    made = put(
        {
            "kind": "ReplicaSet",
            "metadata": {
                "name": name,
                "namespace": meta["namespace"],
                "labels": labels,
                "annotations": {"rollout.argoproj.io/revision": str(revision)},
                "ownerReferences": [owned_by("Rollout", "argoproj.io/v1alpha1", meta)],
            },
            "spec": {"replicas": size, "selector": {"matchLabels": labels}, "template": pod},
            "status": {"replicas": size, "readyReplicas": size, "availableReplicas": size, "observedGeneration": 1},
        }
    )
    for number in range(size):
        pod_of(put, made, f"{name}-{number}", pod)
    return made


def pod_of(put: Put, owner: Json, name: str, template: Json) -> Json:
    state = {"name": "web", "ready": True, "restartCount": 0, "image": "web", "imageID": "", "state": {"running": {}}}
    return put(
        {
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": owner["metadata"]["namespace"],
                "labels": template["metadata"]["labels"],
                "ownerReferences": [owned_by("ReplicaSet", "apps/v1", owner["metadata"])],
            },
            "spec": template["spec"],
            "status": {
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [state],
            },
        }
    )


def owned_by(kind: str, version: str, meta: Json) -> Json:
    return {"apiVersion": version, "kind": kind, "name": meta["name"], "uid": meta["uid"], "controller": True}


BEGIN = 1_767_225_601.0
"""2026-01-01T00:00:01Z"""


def measured(*values: tuple[str, str], begin: float = BEGIN) -> list[Json]:
    """Measurements, a minute apart, of (phase, value)."""
    return [
        {"phase": phase, "value": value, "finishedAt": format_time(begin + 60 * minute)}
        for minute, (phase, value) in enumerate(values)
    ]


def events(put: Put, rollout: Json, *told: tuple[str, str], begin: float = BEGIN, apart: float = 60) -> None:
    """Events about the Rollout, `apart` seconds from each other, of (reason, message)."""
    meta = rollout["metadata"]
    about = {"kind": "Rollout", "name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]}
    for number, (reason, message) in enumerate(told):
        put(
            {
                "kind": "Event",
                "metadata": {"name": f"{meta['name']}.{number}", "namespace": meta["namespace"]},
                "involvedObject": about,
                "reason": reason,
                "message": message,
                "type": "Warning" if reason == "RolloutAborted" else "Normal",
                "source": {"component": "serinus"},
                "lastTimestamp": format_time(begin + apart * number),
                "count": 1,
            }
        )


def revised(made: Json, revision: int = 2) -> Json:
    """With the revision that a controller notes."""
    made["metadata"]["annotations"] = {"rollout.argoproj.io/revision": str(revision)}
    return made


def metric(name: str, phase: str, measurements: list[Json], **asked: Any) -> tuple[Json, Json]:
    """(the desired metric, its result)."""
    count = {word.lower(): sum(m["phase"] == word for m in measurements) for word in ("Successful", "Failed")}
    provider = {"job": {"spec": {"template": {}}}}
    return {"name": name, "provider": provider, **asked}, {
        "name": name,
        "phase": phase,
        "measurements": measurements,
        **count,
    }


def metrics(begin: float = BEGIN) -> list[tuple[Json, Json]]:
    """One that is still measured, one that succeeded against two limits, and one whose condition has no line."""
    latency = [("Successful", f"[{ms}]") for ms in (182, 190, 176, 204, 231, 219)] + [("Running", "[243]")]
    share = [("Successful", f'{{"errors": {n}}}') for n in (0.01, 0.012, 0.03, 0.018)]
    words = [("Successful", "[1, 2]"), ("Inconclusive", "[4, 2]")]
    return [
        metric("latency", "Running", measured(*latency, begin=begin), failureCondition="result[0] > 250"),
        metric(
            "errors",
            "Successful",
            measured(*share, begin=begin),
            successCondition="result.errors < 0.05",
            failureCondition="result.errors >= 0.1",
        ),
        metric(
            "queue", "Inconclusive", measured(*words, begin=begin), successCondition="len(result) > 0 && result[0] < 3"
        ),
    ]


def verdict() -> tuple[Json, Json]:
    """A sequential verdict under way: after 24 looks the canary has three times as many errors."""
    chance = Random(12)
    looks = [
        Look(20, sum(chance.random() < 0.03 for _ in range(20)), 180, sum(chance.random() < 0.01 for _ in range(180)))
        for _ in range(24)
    ]
    return kept_verdict(looks)


def analysis_run(
    put: Put,
    owner: Json,
    name: str = "web-analysis",
    *more: tuple[Json, Json],
    failed: bool = True,
    begin: float = BEGIN,
) -> Json:
    """One that failed: the second value breaks its condition; or one under way. `more`: metrics beside it."""
    second = ("Failed", "0.42") if failed else ("Successful", "0.98")
    values, phase = measured(("Successful", "0.99"), second, begin=begin), "Failed" if failed else "Running"
    metrics = [metric("success-rate", phase, values, successCondition="result >= 0.95"), *more]
    return put(
        {
            "kind": "AnalysisRun",
            "metadata": {
                "name": name,
                "namespace": owner["metadata"]["namespace"],
                "labels": {"rollouts-pod-template-hash": NEW},
                "annotations": {"rollout.argoproj.io/revision": "2"},
                "ownerReferences": [owned_by("Rollout", "argoproj.io/v1alpha1", owner["metadata"])],
            },
            "spec": {"metrics": [asked for asked, _ in metrics]},
            "status": {
                "phase": phase,
                "message": "metric success-rate failed" if failed else "",
                "metricResults": [result for _, result in metrics],
            },
        }
    )
