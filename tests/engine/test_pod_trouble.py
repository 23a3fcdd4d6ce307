"""The reason why pods do not start has Kubernetes' words; of several, the commonest; and never a wrong reason."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest

from serinus.api.meta import Condition
from serinus.api.pods.trouble import Trouble, key, overdue, trouble, unexplained
from serinus.api.workloads import Pod, PodEvent
from tests.support.engine.pod_kinds import KINDS, NOW, Kind, crashed, running_again, starting, unready, waiting

Json = dict[str, Any]


def pod(name: str, status: Json, **meta: Any) -> Pod:
    return msgspec.convert({"metadata": {"name": name, "uid": name, **meta}, "status": status}, Pod)


def events(name: str, kind: Kind) -> list[PodEvent]:
    made = [{"involvedObject": {"uid": name}, "reason": r, "message": m} for r, m in kind.events]
    return msgspec.convert(made, list[PodEvent])


def said(kind: Kind, count: int = 1) -> Trouble | None:
    pods = [pod(f"web-{i}", kind.status) for i in range(count)] if kind.status else []
    told = [event for i in range(count) for event in events(f"web-{i}", kind)]
    conditions = msgspec.convert(kind.conditions, list[Condition])
    return trouble(pods, NOW, desired=count, existing=len(pods), conditions=conditions, events=told)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("count", [1, 3])
def test_each_kind_is_told_by_its_code_and_in_the_words_of_kubernetes(name: str, count: int) -> None:
    kind = KINDS[name]
    found = said(kind, count)
    assert found is not None
    assert found.code == kind.code
    assert all(word in found.sentence for word in (*kind.words, *kind.details)), found.sentence
    assert found.sentence.startswith(f"{count} of {count} pods: ") == (count > 1)
    assert (found.lasting == "") == kind.weak


@pytest.mark.parametrize("name", KINDS)
def test_a_pod_that_is_ready_ended_or_deleted_has_no_trouble(name: str) -> None:
    kind = KINDS[name]
    ready = {**kind.status, "reason": "", "conditions": [{"type": "Ready", "status": "True"}]}
    over = {**kind.status, "phase": "Succeeded"}
    gone = pod("gone", kind.status, deletionTimestamp="2025-12-31T23:00:00Z")
    assert trouble([pod("ready", ready), pod("over", over), gone], NOW, events=events("gone", kind)) is None


@pytest.mark.parametrize("status", [{}, {"phase": "Pending"}, waiting("ContainerCreating"), waiting("PodInitializing")])
def test_a_pod_that_has_just_been_made_has_no_trouble(status: Json) -> None:
    assert trouble([pod("web", status)], NOW) is None


def test_of_different_troubles_the_commonest_is_named_with_its_count() -> None:
    config = waiting("CreateContainerConfigError", 'configmap "shop" not found')
    pods = [pod("a", crashed(1, "Error")), pod("b", config), pod("c", config)]
    found = trouble(pods, NOW, desired=4, existing=4)
    assert found is not None
    assert found.sentence == '2 of 4 pods: CreateContainerConfigError: container web: configmap "shop" not found'


def test_what_may_end_by_itself_hides_nothing() -> None:
    pods = [pod("a", unready()), pod("b", starting()), pod("c", unready()), pod("d", crashed(1, "Error"))]
    found = trouble(pods, NOW, desired=4, existing=4)
    assert found is not None
    assert found.code == "CrashLoopBackOff"


def test_an_event_explains_only_the_pod_and_the_state_that_it_is_about() -> None:
    """A volume that was mounted late is not why a probe fails now; a probe gives no reason for a pod that is being created."""
    mount, probe = KINDS["volume"], KINDS["readiness"]
    late, early, other = trouble([pod("web", unready())], NOW, events=events("web", mount)), None, None
    early = trouble([pod("web", starting())], NOW, events=events("web", probe))
    other = trouble([pod("web", starting())], NOW, events=events("another", mount))
    assert [found.code for found in (late, early, other) if found] == [
        "ContainersNotReady",
        "ContainerCreating",
        "ContainerCreating",
    ]


@pytest.mark.parametrize(
    "states",
    [
        [
            waiting("ErrImagePull", "rpc error: x"),
            waiting("ImagePullBackOff", 'Back-off pulling image "shop/web:gren"'),
        ],
        [crashed(1, "Error", 2), running_again(1, "Error"), crashed(1, "Error", 9, message="at 12:00:07")],
        [waiting("RunContainerError", f'failed to start container "{c * 64}": no') for c in "abc"],
    ],
)
def test_what_a_status_says_and_what_wakes_a_rollout_stay_the_same_from_attempt_to_attempt(states: list[Json]) -> None:
    """Otherwise a pod that crashes all night would cause status writes of its Rollout all night."""
    pods = [pod("web", state) for state in states]
    found = [trouble([one], NOW) for one in pods]
    assert len({one.lasting for one in found if one is not None}) == 1
    assert len({key(one) for one in pods}) == 1


@pytest.mark.parametrize("restarts", [0, 1])
def test_a_rollout_wakes_when_the_words_for_a_crash_change(restarts: int) -> None:
    """From `Error` at the first exit to `CrashLoopBackOff`: seen on a node, where the status kept the first words."""
    first = copy.deepcopy(crashed(3, "Error", 0))
    container = first["containerStatuses"][0]
    container["state"] = container.pop("lastState")
    once, again = pod("web", first), pod("web", crashed(3, "Error", restarts))
    words = [found.lasting for one in (once, again) if (found := trouble([one], NOW))]
    assert words == ["Error: container web exited with code 3", "CrashLoopBackOff: container web exited with code 3"]
    assert key(once) != key(again)


def test_an_exit_of_long_ago_is_not_why_a_container_is_not_ready_now() -> None:
    status = copy.deepcopy(running_again(1, "Error"))
    status["conditions"] = unready()["conditions"]
    found = trouble([pod("web", status)], NOW + 3600)
    assert found is not None
    assert found.code == "ContainersNotReady"


def test_a_quota_counts_the_pods_that_are_missing() -> None:
    conditions = msgspec.convert(KINDS["quota"].conditions, list[Condition])
    found = trouble([], NOW, desired=5, existing=3, conditions=conditions)
    assert found is not None
    assert found.sentence.startswith("2 of 5 pods: FailedCreate: ")
    assert trouble([], NOW, desired=5, existing=5, conditions=conditions) is None


def test_a_pod_that_stays_although_its_time_is_over_names_its_finalizers() -> None:
    late = pod("old", {}, deletionTimestamp="2025-12-31T23:50:00Z", finalizers=["example.com/keep"])
    found = overdue([late, pod("new", {})], NOW)
    assert found is not None
    assert found.sentence == "Terminating: 1 pod is past the grace period; old for 10m, finalizers: example.com/keep"
    assert overdue([pod("old", {}, deletionTimestamp="2026-01-01T00:00:00Z")], NOW) is None


@pytest.mark.parametrize("name", KINDS)
def test_events_are_asked_for_only_where_the_pod_does_not_tell(name: str) -> None:
    kind = KINDS[name]
    if kind.status:
        assert unexplained(pod("web", kind.status), NOW) == kind.weak
