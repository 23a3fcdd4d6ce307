"""The page of a Rollout lists the important Events, however many routine ones there were since, by revision."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.view.event_history import EventEntry, completed_steps, history


def event(number: int, reason: str, type_: str = "Normal", message: str = "") -> dict[str, Any]:
    at = f"2026-01-01T00:{number // 60:02}:{number % 60:02}Z"
    meta = {"resourceVersion": str(number)}
    return {
        "metadata": meta,
        "type": type_,
        "reason": reason,
        "message": message or reason,
        "lastTimestamp": at,
        "count": 1,
    }


def shown(events: list[dict[str, Any]]) -> list[EventEntry]:
    return [entry for one in history(events, 1) for entry in one.entries]


@pytest.mark.parametrize(
    ("reason", "type_"),
    [
        ("RolloutAborted", "Warning"),
        ("AnalysisRunFailed", "Warning"),
        ("RolloutCompleted", "Normal"),
        ("Abort", "Normal"),
    ],
)
def test_routine_events_do_not_push_out_what_matters(reason: str, type_: str) -> None:
    routine = [event(i, "TrafficWeightUpdated") for i in range(1, 500)]
    entries = shown([event(0, reason, type_), *routine])
    assert entries[-1].reason == reason
    assert len(entries) == 51


def test_what_matters_is_bounded_too() -> None:
    assert len(shown([event(i, "Abort") for i in range(1000)])) == 200


def test_events_are_grouped_by_revision_and_a_change_belongs_to_the_revision_that_it_makes() -> None:
    events = [
        event(1, "RolloutUpdated", message="Rollout updated to revision 1"),
        event(2, "RolloutCompleted", message="Rollout completed update to revision 1 (abc): Initial deploy"),
        event(3, "SetImage", message="SetImage of revision 1 by ana on laptop"),
        event(4, "RolloutUpdated", message="Rollout updated to revision 2"),
        event(4, "NewReplicaSetCreated", message="Created ReplicaSet web-abc (revision 2)"),
        event(5, "Abort", message="Abort of revision 2 by bo on desk"),
        event(6, "RolloutAborted", "Warning", "Rollout aborted update to revision 2"),
    ]
    newest, first = history(events, 2)
    assert (newest.revision, newest.person, newest.command) == (2, "ana on laptop", "SetImage")
    assert [entry.reason for entry in newest.entries if not entry.routine] == ["RolloutAborted", "Abort", "SetImage"]
    assert [entry.reason for entry in first.entries] == ["RolloutCompleted", "RolloutUpdated"]
    assert next(entry for entry in newest.entries if entry.reason == "Abort").person == "bo on desk"


def test_without_the_event_that_began_it_the_newest_events_are_of_the_current_revision() -> None:
    (only,) = history([event(1, "RolloutStepCompleted", message="Rollout step 3/4 completed (pause: 1h)")], 7)
    assert only.revision == 7
    assert completed_steps(only.entries) == 3


def test_the_steps_of_an_attempt_before_a_retry_do_not_count() -> None:
    events = [
        event(1, "RolloutUpdated", message="Rollout updated to revision 2"),
        event(2, "RolloutStepCompleted", message="Rollout step 3/4 completed (setWeight: 50)"),
        event(3, "Retry", message="Retry of revision 2 by ana on laptop"),
        event(4, "RolloutStepCompleted", message="Rollout step 1/4 completed (setWeight: 20)"),
    ]
    assert completed_steps(history(events, 2)[0].entries) == 1
    assert completed_steps(history(events[:3], 2)[0].entries) == 0
    assert completed_steps([]) is None
