"""Pods in kubectl's words."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.api.pods.status import pod_ready, pod_restarts, pod_status

Json = dict[str, Any]


def waiting(reason: str, name: str = "a") -> Json:
    return {"name": name, "state": {"waiting": {"reason": reason}}}


def ended(name: str = "a", **how: Any) -> Json:
    return {"name": name, "state": {"terminated": how}}


RUNNING = {"name": "a", "ready": True, "state": {"running": {}}}


@pytest.mark.parametrize(
    ("word", "pod"),
    [
        ("Pending", {"status": {}}),
        ("Pending", {"status": {"phase": "Pending"}}),
        ("Evicted", {"status": {"phase": "Failed", "reason": "Evicted"}}),
        ("Running", {"status": {"phase": "Running", "containerStatuses": [RUNNING]}}),
        ("ContainerCreating", {"status": {"phase": "Pending", "containerStatuses": [waiting("ContainerCreating")]}}),
        ("CrashLoopBackOff", {"status": {"phase": "Running", "containerStatuses": [waiting("CrashLoopBackOff")]}}),
        ("Error", {"status": {"phase": "Running", "containerStatuses": [ended(exitCode=1, reason="Error")]}}),
        ("ExitCode:3", {"status": {"phase": "Running", "containerStatuses": [ended(exitCode=3)]}}),
        ("Signal:9", {"status": {"phase": "Running", "containerStatuses": [ended(signal=9)]}}),
        ("Completed", {"status": {"phase": "Succeeded", "containerStatuses": [ended(exitCode=0, reason="Completed")]}}),
        ("Terminating", {"metadata": {"deletionTimestamp": "x"}, "status": {"phase": "Running"}}),
        ("Unknown", {"metadata": {"deletionTimestamp": "x"}, "status": {"reason": "NodeLost"}}),
        (
            "Init:0/2",
            {
                "spec": {"initContainers": [{"name": "a"}, {"name": "b"}]},
                "status": {"phase": "Pending", "initContainerStatuses": [{"name": "a", "state": {"running": {}}}]},
            },
        ),
        (
            "Init:ImagePullBackOff",
            {
                "spec": {"initContainers": [{"name": "a"}]},
                "status": {"phase": "Pending", "initContainerStatuses": [waiting("ImagePullBackOff")]},
            },
        ),
        (
            "Init:Error",
            {
                "spec": {"initContainers": [{"name": "a"}]},
                "status": {"phase": "Pending", "initContainerStatuses": [ended(exitCode=1, reason="Error")]},
            },
        ),
        (
            "Running",
            {
                "spec": {"initContainers": [{"name": "a"}]},
                "status": {
                    "phase": "Running",
                    "initContainerStatuses": [ended(exitCode=0, reason="Completed")],
                    "containerStatuses": [RUNNING],
                },
            },
        ),
        (
            "NotReady",
            {
                "status": {
                    "phase": "Running",
                    "containerStatuses": [ended(exitCode=0, reason="Completed"), {**RUNNING, "name": "b"}],
                }
            },
        ),
    ],
)
def test_the_status_is_the_word_that_kubectl_shows(word: str, pod: Json) -> None:
    assert pod_status(pod) == word


def test_sidecars_count_as_containers_and_restarts_are_added_up() -> None:
    pod = {
        "spec": {
            "initContainers": [{"name": "proxy", "restartPolicy": "Always"}, {"name": "once"}],
            "containers": [{"name": "a"}, {"name": "b"}],
        },
        "status": {
            "initContainerStatuses": [
                {"name": "proxy", "ready": True, "started": True, "state": {"running": {}}},
                {"name": "once", "ready": True, "state": {"terminated": {"exitCode": 0}}},
            ],
            "containerStatuses": [{**RUNNING, "restartCount": 2}, {"name": "b", "ready": False, "restartCount": 1}],
        },
    }
    assert pod_ready(pod) == (2, 3)
    assert pod_restarts(pod) == 3
