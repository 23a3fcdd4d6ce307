"""The states of steps and phases: a tick means that the step ran."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.view.blue_green_phases import phases
from serinus.view.step_states import step_states
from tests.support.dashboard import scenes

Json = dict[str, Any]


def revised(made: Json, revision: int, **status: Any) -> Json:
    made["metadata"]["annotations"] = {"rollout.argoproj.io/revision": str(revision)}
    made["status"] |= status
    return made


def test_after_an_abort_its_step_is_marked_and_earlier_ones_stay_done() -> None:
    states, note = step_states(revised(scenes.aborted(), 2), [], 2)
    assert (states, note) == (["done", "done", "aborted", "todo"], "")


def test_without_events_the_failed_analysis_of_a_step_tells_where_the_abort_was() -> None:
    meta = {"labels": {"step-index": "1"}, "annotations": {"rollout.argoproj.io/revision": "2"}}
    failed = {"metadata": meta, "status": {"phase": "Failed"}}
    earlier = {"metadata": {**meta, "annotations": {"rollout.argoproj.io/revision": "1"}}, **failed}
    assert step_states(revised(scenes.aborted(), 2), [failed], None)[0] == ["done", "aborted", "todo", "todo"]
    states, note = step_states(revised(scenes.aborted(), 3), [failed, earlier], None)
    assert states == ["todo"] * 4
    assert "not known" in note


@pytest.mark.parametrize(
    ("revision", "how", "completed", "expected"),
    [
        (2, "Promoted", None, ["done"] * 4),
        (1, "Promoted", None, ["skipped"] * 4),
        (3, "FastPromoted", 2, ["done", "done", "skipped", "skipped"]),
        (3, "FastRolledBack", 0, ["skipped"] * 4),
        (3, "FastPromoted", None, ["unknown"] * 4),
    ],
)
def test_steps_that_never_ran_are_not_ticked(revision: int, how: str, completed: int | None, expected: object) -> None:
    made = revised(scenes.healthy(), revision, duration={"completionStatus": how})
    states, note = step_states(made, [], completed)
    assert states == expected
    assert ("unknown" in states) == bool(note)


def blue_green(spec: Json, **status: Any) -> Json:
    known = {"currentPodHash": "new", "stableRS": "old", "blueGreen": {"activeSelector": "old"}}
    return {"spec": {"strategy": {"blueGreen": spec}}, "status": {**known, **status}}


def test_blue_green_shows_its_phases() -> None:
    spec: Json = {"autoPromotionEnabled": False, "prePromotionAnalysis": {"templates": []}}

    def at(state: str, *, ready: bool = True, old_pods: bool = True, paused: bool = False, **status: Any) -> str:
        found, _ = phases(blue_green(spec, **status), ready=ready, old_pods=old_pods, paused=paused)
        return next((one["title"] for one in found if one["state"] == state), "")

    before = {"activeSelector": "old", "prePromotionAnalysisRunStatus": {"status": "Successful"}}
    failed = {"activeSelector": "old", "prePromotionAnalysisRunStatus": {"status": "Failed"}}
    pause = [{"reason": "BlueGreenPause"}]
    assert at("current", ready=False) == "Start the new version beside the active one"
    assert at("current") == "Analysis before the switch"
    assert at("current", blueGreen=before, pauseConditions=pause) == "Pause until promoted"
    assert at("current", blueGreen=before) == "Switch the active Service"
    assert at("current", stableRS="new") == "Scale down the old version after 30s"
    assert not at("current", stableRS="new", old_pods=False)
    assert at("aborted", blueGreen=failed, abort=True, ready=False) == "Analysis before the switch"
    assert at("aborted", abort=True, paused=True, ready=False) == "Pause until promoted"
    assert phases(blue_green(spec, abort=True), ready=False, old_pods=True, paused=False)[1]
