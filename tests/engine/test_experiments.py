"""Experiments on their own, and an Experiment as a step of a canary."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.api.names import HASH
from tests.support.engine.lab import Lab, template
from tests.support.engine.world import World, release, routed

Json = dict[str, Any]


def test_each_template_gets_its_pods_and_it_runs_once_all_serve():
    lab = Lab(templates=[template("a"), template("b", replicas=2)])
    lab.settle(ready=False)
    assert (lab.sizes(), lab.experiment.status.phase) == ({"exp-a": 1, "exp-b": 2}, "Pending")
    lab.settle()
    assert (lab.experiment.status.phase, [t.status for t in lab.experiment.status.template_statuses]) == (
        "Running",
        ["Running", "Running"],
    )
    labels = lab.objects["ReplicaSet", "exp-a"]["spec"]["template"]["metadata"]["labels"]
    assert set(labels) == {"app", "arm", HASH}


def test_after_its_duration_it_succeeds_and_the_pods_go_after_the_delay():
    lab = Lab(duration="60s", scaleDownDelaySeconds=20)
    lab.settle()
    lab.after(59)
    assert lab.experiment.status.phase == "Running"
    lab.after(2)
    assert (lab.experiment.status.phase, lab.sizes()) == ("Successful", {"exp-a": 1})
    lab.after(21)
    assert lab.sizes() == {"exp-a": 0}


def test_pods_that_never_serve_fail_it_at_the_deadline():
    lab = Lab(progressDeadlineSeconds=30)
    lab.settle(ready=False)
    lab.now += 40
    lab.settle(ready=False)
    status = lab.experiment.status
    assert (status.phase, status.message) == ("Failed", "Template 'a' exceeded its progressDeadlineSeconds (30)")


def test_a_template_with_a_service_has_one_while_its_pods_serve():
    lab = Lab(templates=[template("a", service={})], duration="10s", scaleDownDelaySeconds=0)
    lab.settle()
    spec = lab.objects["Service", "exp-a"]["spec"]
    assert [p["port"] for p in spec["ports"]] == [8080]
    assert set(spec["selector"]) == {"app", "arm", HASH}
    assert lab.experiment.status.template_statuses[0].service_name == "exp-a"
    lab.after(20)
    lab.settle()
    assert ("Service", "exp-a") not in lab.objects


@pytest.mark.parametrize("delay", [0, 20])
def test_pods_of_a_service_with_a_weight_stay_until_the_weight_has_gone_and_drain_then(delay: int):
    """Found by the simulation (5002561): the weight could not be removed for longer than the scale-down delay."""
    lab = Lab(templates=[template("a", service={})], duration="10s", scaleDownDelaySeconds=delay)
    lab.with_weight = frozenset({"exp-a"})
    lab.settle()
    for _ in range(60):
        lab.after(2)
    assert (lab.experiment.status.phase, lab.sizes()) == ("Successful", {"exp-a": 1})
    lab.with_weight = frozenset()
    lab.after(2)
    assert lab.sizes() == {"exp-a": 1}
    lab.after(10)
    assert lab.sizes() == {"exp-a": 0}


def test_a_service_of_somebody_else_is_left_alone_and_named():
    lab = Lab(templates=[template("a", service={"name": "theirs"})])
    lab.add({"kind": "Service", "metadata": {"name": "theirs"}, "spec": {"selector": {}}})
    lab.settle()
    message = lab.experiment.status.template_statuses[0].message
    assert message.endswith("service theirs already exists and is not owned by experiment template a")
    assert lab.objects["Service", "theirs"]["spec"] == {"selector": {}}


def analyses(required: bool = False) -> list[Json]:
    return [{"name": "both", "templateName": "check", "requiredForCompletion": required}]


def verdict(lab: Lab, phase: str, message: str = "") -> None:
    lab.patch("AnalysisRun", "exp-both", {"status": {"phase": phase, "message": message}})
    lab.settle()


def test_analyses_begin_when_all_templates_serve_and_a_bad_one_ends_it():
    lab = Lab(analyses=analyses())
    lab.settle(ready=False)
    assert ("AnalysisRun", "exp-both") not in lab.objects
    lab.settle()
    verdict(lab, "Running")
    assert lab.experiment.status.phase == "Running"
    verdict(lab, "Failed", "too slow")
    assert (lab.experiment.status.phase, lab.experiment.status.message) == ("Failed", "too slow")


def test_a_required_analysis_completes_it_before_its_time():
    lab = Lab(analyses=analyses(required=True), duration="1h")
    lab.settle()
    verdict(lab, "Successful")
    status = lab.experiment.status
    assert (status.phase, status.message) == ("Successful", "Required AnalysisRuns completed")


def test_told_to_stop_it_ends_its_runs_and_succeeds():
    lab = Lab(analyses=analyses())
    lab.settle()
    lab.patch("Experiment", "exp", {"spec": {"terminate": True}})
    lab.settle()
    assert lab.objects["AnalysisRun", "exp-both"]["spec"]["terminate"] is True
    assert lab.experiment.status.phase == "Successful"


@pytest.mark.parametrize("begun", [True, False])
def test_told_to_stop_it_ends_although_a_required_analysis_has_no_verdict_yet(begun: bool):
    """It stayed Running for ever: it waited for a required analysis, whose end was no longer checked."""
    lab = Lab(analyses=[{"name": "probe", "templateName": "check", "requiredForCompletion": True}])
    lab.settle(ready=begun)
    assert (("AnalysisRun", "exp-probe") in lab.objects) == begun
    lab.objects["Experiment", "exp"]["spec"]["terminate"] = True
    lab.settle(ready=begun)
    if begun:
        run = lab.objects["AnalysisRun", "exp-probe"]
        assert (lab.experiment.status.phase, run["spec"]["terminate"]) == ("Running", True)
        run["status"] = {"phase": "Inconclusive", "message": "Run Terminated"}
        lab.settle()
    assert lab.experiment.status.phase == ("Inconclusive" if begun else "Successful")


def test_told_to_stop_it_ends_although_the_run_of_a_required_analysis_is_gone():
    lab = Lab(analyses=[{"name": "probe", "templateName": "check", "requiredForCompletion": True}])
    lab.settle()
    del lab.objects["AnalysisRun", "exp-probe"]
    lab.objects["Experiment", "exp"]["spec"]["terminate"] = True
    lab.settle()
    assert lab.experiment.status.phase == "Successful"


def test_an_experiment_that_would_select_all_pods_is_refused():
    lab = Lab(templates=[template("a", selector={})])
    lab.settle()
    (condition,) = lab.experiment.status.conditions
    assert "This experiment is selecting all pods at index 0. A non-empty selector is required." in condition.message
    assert lab.sizes() == {}


STEP: Json = {
    "experiment": {
        "duration": "5m",
        "templates": [{"name": "old", "specRef": "stable"}, {"name": "new", "specRef": "canary", "replicas": 2}],
    }
}
NAME = "web-77f97bbcbf-2-0"


@pytest.fixture
def world() -> World:
    made = routed(steps=[STEP, {"setWeight": 50}, {"pause": {}}])
    release(made, "green")
    made.settle()
    return made


def say(world: World, phase: str, name: str = NAME) -> None:
    world.patch("Experiment", name, {"status": {"phase": phase, "message": "as measured"}})
    world.settle()


def test_a_step_makes_an_experiment_of_both_versions_and_waits_for_it(world: World):
    made = world.objects["Experiment", NAME]
    images = {t["name"]: t["template"]["spec"]["containers"][0]["image"] for t in made["spec"]["templates"]}
    assert images == {"old": "argoproj/rollouts-demo:blue", "new": "argoproj/rollouts-demo:green"}
    assert made["spec"]["duration"] == "5m"
    assert world.rollout.status.canary.current_experiment == NAME
    assert world.last.waits[0].message == f"step 1: {NAME} is new"


def test_pods_that_multiply_with_the_templates_of_a_step_are_refused_before_they_are_made():
    arms = [{"name": f"t{i}", "specRef": "canary"} for i in range(1_000)]
    made = routed(steps=[{"experiment": {"templates": arms}}, {"setWeight": 50}])
    spec = made.objects["Rollout", "web"]["spec"]["template"]["spec"]
    spec["containers"][0]["env"] = [{"name": f"E{i}", "value": "x" * 50} for i in range(1_000)]
    release(made, "green")
    made.settle()
    status = made.rollout.status
    assert status.phase == "Degraded"
    assert (
        "templates of an Experiment with their pods have more than 1500000 characters (at templates['t"
        in status.message
    )
    assert not [name for kind, name in made.objects if kind == "Experiment"]


def test_its_success_goes_on(world: World):
    say(world, "Successful")
    assert (world.rollout.status.current_step_index, world.rollout.status.canary.current_experiment) == (2, "")


def test_its_failure_takes_the_update_back(world: World):
    say(world, "Failed")
    assert world.rollout.status.message.endswith("Experiment analysis phase is error/failed: as measured")


def test_a_retry_that_follows_its_failure_at_once_begins_another(world: World):
    world.patch("Experiment", NAME, {"status": {"phase": "Failed", "message": "as measured"}})
    aborting = world.plan().status or {}
    assert aborting["abort"]
    named = {"canary": {"currentExperiment": NAME}}  # as a pass leaves it that a router ends early
    world.patch("Rollout", "web", {"status": {**aborting, "abort": False, **named}})
    world.settle()
    assert not world.rollout.status.abort
    assert world.rollout.status.canary.current_experiment not in ("", NAME)


@pytest.mark.parametrize(
    "held",
    [
        {"spec": {"paused": True}},
        {"status": {"pauseConditions": [{"reason": "InconclusiveAnalysisRun", "startTime": "2027-01-15T08:00:00Z"}]}},
    ],
    ids=["paused by hand", "an undecided analysis"],
)
def test_its_failure_takes_the_update_back_while_the_steps_stand_still(held: Json):
    """Found by the simulation (1103991): a Rollout that a user had paused kept the requests of a version that failed."""
    world = routed(steps=[{"setWeight": 20}, STEP, {"pause": {}}])
    release(world, "green")
    world.settle()
    assert world.weight == 20
    world.patch("Rollout", "web", held)
    world.settle()
    say(world, "Failed", name=world.rollout.status.canary.current_experiment)
    assert (world.rollout.status.abort, world.weight) == (True, 0)


def test_an_undecided_one_pauses_and_is_not_begun_again_by_itself(world: World):
    say(world, "Inconclusive")
    assert (world.rollout.status.phase, world.rollout.status.message) == ("Paused", "InconclusiveExperiment")
    assert [n for k, n in world.objects if k == "Experiment"] == [NAME]


def test_an_abort_ends_it(world: World):
    world.patch("Rollout", "web", {"status": {"abort": True}})
    world.settle()
    assert world.objects["Experiment", NAME]["spec"]["terminate"] is True
    assert world.rollout.status.canary.current_experiment == ""


def test_it_is_ended_when_the_status_that_needs_it_no_more_is_stored(world: World):
    world.patch("Rollout", "web", {"status": {"abort": True}})
    world.once()
    assert not world.objects["Experiment", NAME]["spec"].get("terminate")
    assert world.rollout.status.canary.current_experiment == ""


def test_it_is_deleted_when_the_step_after_it_is_stored(world: World):
    """Found by the simulation (11547): the step was not stored, its object was created again with the same name, a good version aborted."""
    world.patch("Rollout", "web", {"spec": {"analysis": {"successfulRunHistoryLimit": 0}}})
    world.patch("Experiment", NAME, {"status": {"phase": "Successful"}})
    world.once()
    assert ("Experiment", NAME) in world.objects
    world.settle()
    assert ("Experiment", NAME) not in world.objects


def test_one_beyond_the_history_stays_until_the_pods_of_its_services_are_gone(world: World):
    """Found by the simulation (5000324): a gateway that receives late led requests to a Service that was gone."""
    templates = [{**each, "service": {}} for each in world.objects["Experiment", NAME]["spec"]["templates"]]
    world.patch("Experiment", NAME, {"spec": {"templates": templates}})
    world.patch("Rollout", "web", {"spec": {"analysis": {"successfulRunHistoryLimit": 0}}})
    counts = {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}
    old = {"name": "old", "status": "Successful", **counts}
    world.patch("Experiment", NAME, {"status": {"phase": "Successful", "templateStatuses": [old]}})
    world.settle()
    assert ("Experiment", NAME) in world.objects
    world.patch("Experiment", NAME, {"status": {"templateStatuses": [{**old, **dict.fromkeys(counts, 0)}]}})
    world.settle()
    assert ("Experiment", NAME) not in world.objects
