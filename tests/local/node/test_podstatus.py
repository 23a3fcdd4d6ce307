from __future__ import annotations

from typing import Any

import pytest

from serinus.local.node.podstatus import PodView, TrackedContainer, phase, running, status_of, terminated, waiting

T = 1_767_225_600.0


def state(name: str = "c", now: dict[str, Any] | None = None, **more: Any) -> TrackedContainer:
    found = TrackedContainer(name, "x", **more)
    if now is not None:
        found.state = now
    return found


UP = running(T)
WAITS = waiting("ContainerCreating")


def ended(code: int) -> dict[str, Any]:
    return terminated(code, T, T)


def view(
    *containers: TrackedContainer, init: tuple[TrackedContainer, ...] = (), sidecars: frozenset[str] = frozenset()
) -> PodView:
    return PodView(init, containers, sidecars, "127.77.0.9", "127.0.0.1", T)


def conditions(status: dict[str, Any]) -> dict[str, str]:
    return {c["type"]: c["status"] for c in status["conditions"]}


@pytest.mark.parametrize(
    ("containers", "expected"),
    [
        ([state(now=WAITS)], "Pending"),
        ([state(now=UP)], "Running"),
        ([state(now=UP), state("d", WAITS)], "Pending"),
        ([state(now=waiting("CrashLoopBackOff"), last=ended(1))], "Running"),
        ([state(now=ended(1))], "Running"),
        ([state(now=ended(0), over=True)], "Succeeded"),
        ([state(now=ended(1), over=True), state("d", ended(0), over=True)], "Failed"),
        ([state(now=ended(0), over=True), state("d", UP)], "Running"),
    ],
)
def test_the_phase_is_what_kubectl_shows(containers: list[TrackedContainer], expected: str) -> None:
    assert phase(view(*containers)) == expected


def test_a_pod_is_pending_while_its_init_containers_run_and_fails_with_them() -> None:
    assert phase(view(state(now=WAITS), init=(state("i", UP),))) == "Pending"
    assert phase(view(state(now=WAITS), init=(state("i", ended(1), over=True),))) == "Failed"
    assert phase(view(state(now=UP), init=(state("i", ended(0), over=True),))) == "Running"


def test_a_sidecar_goes_on_running_and_must_be_ready_too() -> None:
    sidecar = state("s", UP, started=True)
    seen = status_of({"spec": {}}, view(state(now=UP, ready=True), init=(sidecar,), sidecars=frozenset({"s"})), T)
    assert (seen["phase"], conditions(seen)["Initialized"], conditions(seen)["Ready"]) == ("Running", "True", "False")


def test_the_status_says_why_a_pod_is_not_ready() -> None:
    seen = status_of({"spec": {}}, view(state(now=UP, hint="nothing listens on 127.77.0.9:8080")), T)
    ready = next(c for c in seen["conditions"] if c["type"] == "Ready")
    assert ready["message"] == "containers with unready status: [c]; c: nothing listens on 127.77.0.9:8080"


def test_a_condition_keeps_its_time_until_it_changes() -> None:
    """Availability is counted from it."""
    pod: dict[str, Any] = {"spec": {}}
    pod["status"] = status_of(pod, view(state(now=UP, ready=True)), T)
    later = status_of(pod, view(state(now=UP, ready=True)), T + 60)
    assert later["conditions"] == pod["status"]["conditions"]
    changed = status_of(pod, view(state(now=UP)), T + 60)
    ready = next(c for c in changed["conditions"] if c["type"] == "Ready")
    assert ready["lastTransitionTime"] == "2026-01-01T00:01:00Z"


def test_readiness_gates_of_others_hold_the_pod_back_and_survive() -> None:
    gate = {"type": "example.com/ok", "status": "False"}
    pod: dict[str, Any] = {
        "spec": {"readinessGates": [{"conditionType": "example.com/ok"}]},
        "status": {"conditions": [gate]},
    }
    seen = status_of(pod, view(state(now=UP, ready=True)), T)
    assert gate in seen["conditions"]
    assert (conditions(seen)["ContainersReady"], conditions(seen)["Ready"]) == ("True", "False")
    gate["status"] = "True"
    assert conditions(status_of(pod, view(state(now=UP, ready=True)), T))["Ready"] == "True"


@pytest.mark.parametrize(("code", "reason", "signal"), [(0, "Completed", None), (3, "Error", None), (137, "Error", 9)])
def test_an_end_is_told_by_code_and_signal(code: int, reason: str, signal: int | None) -> None:
    said = terminated(code, T, T)["terminated"]
    assert (said["reason"], said.get("signal")) == (reason, signal)
