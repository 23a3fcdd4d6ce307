"""Rollouts with analyses, from the planner's view: it creates runs, follows their verdicts, and stops old ones."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.api.names import HASH
from tests.support.engine.blue_green import blue_green
from tests.support.engine.judged import CHECK, METRIC, RUN, judged, say, template
from tests.support.engine.world import World, release

Json = dict[str, Any]


def runs(world: World) -> dict[str, bool]:
    """name → whether it has `spec.terminate`."""
    return {name: run.spec.terminate for name, run in world.of("AnalysisRun").items()}


def test_a_step_makes_its_run_with_all_that_it_needs_and_waits_for_the_verdict():
    world = judged()
    run = world.objects["AnalysisRun", RUN]
    assert run["metadata"]["labels"] == {HASH: "77f97bbcbf", "rollout-type": "Step", "step-index": "1", "app": "web"}
    assert run["metadata"]["annotations"] == {"rollout.argoproj.io/revision": "2"}
    assert run["metadata"]["ownerReferences"][0]["name"] == "web"
    assert run["spec"] == {"metrics": [METRIC], "args": [{"name": "of", "value": "all"}]}
    assert world.rollout.status.canary.current_step_analysis_run_status == {"name": RUN, "status": ""}
    assert world.last.waits[0].message == f"step 2: {RUN} is Pending"


def test_success_goes_on_to_the_next_step():
    world = judged()
    say(world, RUN, "Running")
    say(world, RUN, "Successful")
    status = world.rollout.status
    assert (status.current_step_index, status.canary.current_step_analysis_run_status) == (2, None)
    texts = [e.message for e in world.told if e.reason.startswith("AnalysisRun")]
    assert texts == [
        f"Step Analysis Run '{RUN}' Status New: 'Running' Previous: ''",
        f"Step Analysis Run '{RUN}' Status New: 'Successful' Previous: 'Running'",
    ]


@pytest.mark.parametrize("phase", ["Failed", "Error"])
def test_failure_takes_the_update_back_with_its_reason_and_retry_asks_again(phase: str):
    world = judged()
    say(world, RUN, phase, "too slow")
    assert (world.rollout.status.phase, world.weight) == ("Degraded", 0)
    assert world.rollout.status.message.endswith("Step-based analysis phase error/failed: too slow")
    world.patch("Rollout", "web", {"status": {"abort": False}})
    world.settle()
    assert list(runs(world)) == [RUN, f"{RUN}.1"]
    say(world, f"{RUN}.1", "Successful")
    assert world.rollout.status.current_step_index == 2


def abort_and_retry_at_once(world: World, run: str) -> None:
    """The retry reaches the controller before any pass after that of the abort."""
    world.patch("AnalysisRun", run, {"status": {"phase": "Failed", "message": "too slow"}})
    world.once()
    assert world.rollout.status.abort
    world.patch("Rollout", "web", {"status": {"abort": False}})
    world.settle()


@pytest.mark.parametrize("as_background", [False, True], ids=["of a step", "in the background"])
def test_a_retry_that_follows_the_abort_at_once_asks_again(as_background: bool):
    """Found by the simulation (1207533): the retried step waited for the run that had failed, for ever."""
    if as_background:
        world, run = judged([{"setWeight": 50}, {"pause": {}}], analysis=CHECK), "web-77f97bbcbf-2"
    else:
        world, run = judged([{"analysis": CHECK}, {"setWeight": 50}, {"pause": {}}]), "web-77f97bbcbf-2-0"
    abort_and_retry_at_once(world, run)
    assert list(runs(world)) == [run, f"{run}.1"]
    assert not world.rollout.status.abort


def test_a_retry_of_blue_green_that_follows_the_abort_at_once_asks_again():
    world = blue_green(prePromotionAnalysis=CHECK)
    world.add(template())
    world.settle()
    release(world, "green")
    world.settle()
    run = "web-77f97bbcbf-2-pre"
    abort_and_retry_at_once(world, run)
    assert list(runs(world)) == [run, f"{run}.1"]


def test_the_run_of_an_aborted_attempt_that_fails_later_does_not_abort_the_retry():
    world = judged([{"analysis": CHECK}, {"setWeight": 50}, {"pause": {}}])
    run = "web-77f97bbcbf-2-0"
    world.patch("Rollout", "web", {"status": {"abort": True}})
    world.once()
    world.patch("AnalysisRun", run, {"status": {"phase": "Failed", "message": "too slow"}})
    world.patch("Rollout", "web", {"status": {"abort": False}})
    world.settle()
    assert (list(runs(world)), world.rollout.status.abort) == ([run, f"{run}.1"], False)


def test_an_undecided_run_pauses_until_a_person_goes_on():
    world = judged()
    say(world, RUN, "Inconclusive")
    status = world.rollout.status
    assert (status.phase, status.message, status.current_step_index) == ("Paused", "InconclusiveAnalysisRun", 1)
    # `promote`, as the command writes it
    world.patch(
        "Rollout", "web", {"status": {"pauseConditions": None, "controllerPause": False, "currentStepIndex": 2}}
    )
    world.settle()
    status = world.rollout.status
    assert (status.current_step_index, status.canary.current_step_analysis_run_status) == (2, None)


def test_a_background_run_judges_all_the_while_and_stops_with_the_promotion():
    world = judged([{"setWeight": 50}, {"pause": {}}], analysis={**CHECK, "startingStep": 1})
    name = "web-77f97bbcbf-2"
    assert runs(world) == {name: False}
    assert world.rollout.status.phase == "Paused"
    world.patch("Rollout", "web", {"status": {"pauseConditions": None}})
    world.settle()
    assert (world.rollout.status.phase, runs(world)) == ("Healthy", {name: True})


def test_a_run_is_stopped_when_the_status_that_needs_it_no_more_is_stored():
    """Found by the simulation (4162): the promotion was not stored, and a stopped Job's run could not decide: it paused."""
    world = judged([{"setWeight": 50}, {"pause": {}}], analysis=CHECK)
    world.patch("Rollout", "web", {"status": {"pauseConditions": None}})
    while not (world.plan().status or {}).get("stableRS"):
        world.once()
        world.pods()
    assert [a.name for a in world.plan().actions if a.kind == "AnalysisRun"] == []


def test_a_background_failure_takes_the_update_back_while_it_is_paused():
    world = judged([{"setWeight": 50}, {"pause": {}}], analysis=CHECK)
    say(world, "web-77f97bbcbf-2", "Failed")
    assert (world.rollout.status.phase, world.weight) == ("Degraded", 0)


def test_a_background_run_that_could_not_decide_is_made_anew_when_a_person_goes_on():
    world = judged([{"setWeight": 50}, {"pause": {"duration": 60}}], analysis=CHECK)
    say(world, "web-77f97bbcbf-2", "Inconclusive")
    world.after(120)
    assert world.rollout.status.current_step_index == 1, "time alone does not go on"
    world.patch("Rollout", "web", {"status": {"pauseConditions": None}})
    world.settle()
    assert "web-77f97bbcbf-2.1" in runs(world)


def test_a_new_version_is_not_judged_by_the_run_of_the_old_one():
    world = judged()
    release(world, "red")
    world.settle()
    assert runs(world)[RUN]
    say(world, RUN, "Failed")
    assert not world.rollout.status.abort


def test_skipping_the_step_stops_its_run():
    world = judged()
    world.patch("Rollout", "web", {"status": {"currentStepIndex": 2}})
    world.settle()
    assert (runs(world), world.rollout.status.canary.current_step_analysis_run_status) == ({RUN: True}, None)


def test_a_run_that_somebody_deletes_is_made_again():
    world = judged()
    del world.objects["AnalysisRun", RUN]
    world.settle()
    assert runs(world) == {RUN: False}


def test_a_missing_template_is_named_and_nothing_goes_out_until_it_is_there():
    world = judged()
    del world.objects["AnalysisTemplate", "check"]
    world.once()
    assert "AnalysisTemplate 'check' not found" in world.rollout.status.message
    world.add(template())
    world.settle()
    assert world.rollout.status.phase == "Progressing"


def test_a_step_that_could_never_end_is_refused():
    world = judged()
    world.add(template(interval="5s", count=None))
    world.once()
    assert "has metric value which runs indefinitely. Invalid value for count: <nil>" in world.rollout.status.message


def test_an_undecided_verdict_in_a_timed_pause_is_what_the_update_waits_for():
    """The status showed a wait of 60 s, and it waited for approval."""
    world = judged([{"setWeight": 50}, {"pause": {"duration": 60}}], analysis=CHECK)
    say(world, "web-77f97bbcbf-2", "Inconclusive")
    assert [p.reason for p in world.rollout.status.pause_conditions] == ["CanaryPauseStep", "InconclusiveAnalysisRun"]
    assert [wait.reason for wait in world.last.waits] == ["Inconclusive"]


def test_only_so_many_finished_runs_are_kept():
    world = judged()
    world.patch("Rollout", "web", {"spec": {"analysis": {"unsuccessfulRunHistoryLimit": 1}}})
    for n in ("", ".1", ""):  # a name is free again when its run is gone
        say(world, f"{RUN}{n}", "Failed")
        world.patch("Rollout", "web", {"status": {"abort": False}})
        world.settle()
    finished = [name for name, run in world.of("AnalysisRun").items() if run.status.phase]
    assert len(finished) == 1


def test_a_run_is_deleted_when_the_step_after_it_is_stored():
    world = judged()
    world.patch("Rollout", "web", {"spec": {"analysis": {"successfulRunHistoryLimit": 0}}})
    world.patch("AnalysisRun", RUN, {"status": {"phase": "Successful"}})
    world.once()
    assert list(runs(world)) == [RUN]
    world.settle()
    assert list(runs(world)) == []


def test_blue_green_switches_after_the_first_verdict_and_is_stable_after_the_second():
    world = blue_green(prePromotionAnalysis=CHECK, postPromotionAnalysis=CHECK)
    world.add(template())
    world.settle()
    release(world, "green")
    world.settle()
    pre, post = "web-77f97bbcbf-2-pre", "web-77f97bbcbf-2-post"
    assert (list(runs(world)), world.selected("web")) == ([pre], "68fb5766d6")
    say(world, pre, "Successful")
    assert (list(runs(world)), world.selected("web")) == ([pre, post], "77f97bbcbf")
    assert world.rollout.status.stable_rs == "68fb5766d6"
    say(world, post, "Successful")
    assert (world.rollout.status.stable_rs, world.rollout.status.phase) == ("77f97bbcbf", "Healthy")


def test_going_back_while_the_second_verdict_is_awaited_leads_the_traffic_back_at_once():
    """The active Service stayed on the abandoned version for ever."""
    world = blue_green(prePromotionAnalysis=CHECK, postPromotionAnalysis=CHECK)
    world.add(template())
    world.settle()
    release(world, "green")
    world.settle()
    say(world, "web-77f97bbcbf-2-pre", "Successful")
    assert world.selected("web") == "77f97bbcbf"
    release(world, "blue")
    world.settle()
    status = world.rollout.status
    assert (world.selected("web"), status.stable_rs, status.phase) == ("68fb5766d6", "68fb5766d6", "Healthy")


def test_blue_green_switches_back_when_the_second_verdict_is_bad():
    world = blue_green(postPromotionAnalysis=CHECK)
    world.add(template())
    world.settle()
    release(world, "green")
    world.settle()
    say(world, "web-77f97bbcbf-2-post", "Failed")
    assert (world.selected("web"), world.rollout.status.phase) == ("68fb5766d6", "Degraded")
