"""Objects as a controller leaves them: Rollouts in each state, with their ReplicaSets and pods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from serinus.api.times import format_time

Json = dict[str, Any]
Put = Callable[[Json], Json]

STEPS: list[Json] = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 50}, {"pause": {"duration": "30s"}}]

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
    """Puts the Rollout and its two revisions with their pods."""
    stored = put(made)
    replica_set(put, stored, OLD, 1, 2)
    replica_set(put, stored, NEW, 2, 1)
    return stored


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


def analysis_run(put: Put, owner: Json, name: str = "web-analysis") -> Json:
    """One that failed: the second value breaks its condition."""
    measurements = [
        {
            "phase": "Successful",
            "value": "0.99",
            "startedAt": "2026-01-01T00:00:00Z",
            "finishedAt": "2026-01-01T00:00:01Z",
        },
        {"phase": "Failed", "value": "0.42", "startedAt": "2026-01-01T00:01:00Z", "finishedAt": "2026-01-01T00:01:01Z"},
    ]
    result = {"name": "success-rate", "phase": "Failed", "successful": 1, "failed": 1, "measurements": measurements}
    metric = {
        "name": "success-rate",
        "successCondition": "result >= 0.95",
        "provider": {"job": {"spec": {"template": {}}}},
    }
    return put(
        {
            "kind": "AnalysisRun",
            "metadata": {
                "name": name,
                "namespace": owner["metadata"]["namespace"],
                "annotations": {"rollout.argoproj.io/revision": "2"},
                "ownerReferences": [owned_by("Rollout", "argoproj.io/v1alpha1", owner["metadata"])],
            },
            "spec": {"metrics": [metric]},
            "status": {"phase": "Failed", "message": "metric success-rate failed", "metricResults": [result]},
        }
    )
