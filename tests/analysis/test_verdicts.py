"""Verdicts from measurements: tables from spec/analysis.md §2, and results of the recordings."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.analysis.limits import AnalysisLimits, limits_of
from serinus.analysis.resolution import resolve
from serinus.analysis.run_status import delete_at
from serinus.analysis.schedule import Task, tasks
from serinus.analysis.verdicts import NO_DATA, exceeded, judged, metric_phase
from serinus.api.analysis import AnalysisRunStatus, Measurement, Metric, MetricResult, TtlStrategy
from serinus.api.values.times import format_time
from tests.support.analysis.run_player import START, Player, made

WEB: dict[str, Any] = {"web": {"url": "http://metrics/value"}}
TRUE, FALSE = "result > 0", "result < 0"


def metric(name: str = "value", **fields: Any) -> dict[str, Any]:
    return {"name": name, "successCondition": "result >= 0.9", "provider": WEB, **fields}


@pytest.mark.parametrize(
    ("success", "failure", "phase"),
    [
        ("", "", "Successful"),
        (TRUE, "", "Successful"),
        (FALSE, "", "Failed"),
        ("", TRUE, "Failed"),
        ("", FALSE, "Successful"),
        (TRUE, TRUE, "Failed"),
        (FALSE, TRUE, "Failed"),
        (TRUE, FALSE, "Successful"),
        (FALSE, FALSE, "Inconclusive"),
    ],
)
def test_a_measurement_is_judged_by_both_conditions(success: str, failure: str, phase: str) -> None:
    assert judged(Metric(success_condition=success, failure_condition=failure), 1.0, START) == (phase, "", "")


@pytest.mark.parametrize(
    ("success", "failure", "result", "message"),
    [
        ("result > 'a'", TRUE, 1.0, """could not evaluate successCondition "result > 'a'": invalid operation: > """),
        (TRUE, "foo", 1.0, 'could not evaluate failureCondition "foo": unknown name foo'),
        ("result[0] > 1", "", [], f'could not evaluate successCondition "result[0] > 1": {NO_DATA}'),
        ("foo", "", None, f'could not evaluate successCondition "foo": {NO_DATA}'),
    ],
)
def test_a_condition_without_a_value_makes_an_error_that_names_it(
    success: str, failure: str, result: Any, message: str
) -> None:
    phase, own, said = judged(Metric(success_condition=success, failure_condition=failure), result, START)
    assert (phase, (own + said)[: len(message)]) == ("Error", message)


LIMITS: dict[str, Any] = {
    "failures": 0,
    "inconclusive": 0,
    "errors": 4,
    "successes": 0,
    "interval": 1.0,
    "initial_delay": 0.0,
}


@pytest.mark.parametrize(
    ("limits", "counters", "terminating", "phase"),
    [
        ({"count": 0}, {"count": 9, "successful": 9}, False, "Running"),
        ({"count": 0}, {"count": 9, "successful": 9}, True, "Successful"),
        ({"count": 2}, {"count": 1}, False, "Running"),
        ({"count": 2}, {"count": 2}, False, "Successful"),
        ({"count": 2}, {"count": 2, "failed": 1}, False, "Failed"),
        ({"count": 3, "failures": 1}, {"count": 3, "failed": 1}, False, "Successful"),
        ({"count": 3, "failures": 1}, {"count": 2, "failed": 2}, False, "Failed"),
        ({"count": 0, "failures": -1, "successes": 2}, {"failed": 99}, False, "Running"),
        ({"count": 0}, {"inconclusive": 1}, False, "Inconclusive"),
        ({"count": 0, "inconclusive": 1}, {"inconclusive": 1}, False, "Running"),
        ({"count": 0}, {"consecutive_error": 4}, False, "Running"),
        ({"count": 0}, {"consecutive_error": 5}, False, "Error"),
        ({"count": 0}, {"failed": 1, "inconclusive": 1, "consecutive_error": 5}, False, "Error"),
        ({"count": 0}, {"failed": 1, "inconclusive": 1}, False, "Inconclusive"),
        ({"count": 0, "failures": 9, "successes": 3}, {"consecutive_success": 3}, False, "Successful"),
        ({"count": 5, "failures": 2, "successes": 3}, {"count": 5, "consecutive_success": 2}, False, "Inconclusive"),
        ({"count": 5, "failures": -1, "successes": 3}, {"count": 5, "consecutive_success": 2}, False, "Failed"),
        ({"count": 5}, {"failed": 1}, True, "Failed"),
    ],
)
def test_a_metric_is_judged_by_the_first_rule_that_applies(
    limits: dict[str, Any], counters: dict[str, Any], terminating: bool, phase: str
) -> None:
    result = MetricResult("value", "Running", [Measurement("Successful", finished_at="x")], **counters)
    assert metric_phase(AnalysisLimits(**{**LIMITS, **limits}), result, terminating=terminating) == phase


def test_what_is_completed_stays_and_what_is_unfinished_runs() -> None:
    limits = AnalysisLimits(count=1, **LIMITS)
    ended = MetricResult("value", "Inconclusive", [Measurement("Failed", finished_at="x")], failed=9)
    assert metric_phase(limits, ended, terminating=True) == "Inconclusive"
    under_way = MetricResult("value", "Running", [Measurement("Running")], failed=9)
    assert metric_phase(limits, under_way, terminating=True) == "Running"


@pytest.mark.parametrize(
    ("fields", "count", "errors"),
    [
        ({}, 1, 4),
        ({"interval": "1m"}, 0, 4),
        ({"interval": "1m", "count": "3", "consecutive_error_limit": 0}, 3, 0),
        ({"interval": "1m", "count": "0"}, 0, 4),
        ({"count": "no number", "consecutive_error_limit": "7"}, 1, 7),
    ],
)
def test_numbers_have_defaults_and_may_be_text(fields: dict[str, Any], count: int, errors: int) -> None:
    limits = limits_of(Metric("value", **fields))
    assert (limits.count, limits.errors) == (count, errors)


def test_limits_are_named_as_users_know_them() -> None:
    limits = AnalysisLimits(count=0, **LIMITS)
    assert exceeded(limits, MetricResult(failed=2)) == ("Failed", "failed (2) > failureLimit (0)")
    assert exceeded(limits, MetricResult(inconclusive=1)) == (
        "Inconclusive",
        "inconclusive (1) > inconclusiveLimit (0)",
    )
    said = "consecutiveErrors (5) > consecutiveErrorLimit (4)"
    assert exceeded(limits, MetricResult(consecutive_error=5)) == ("Error", said)
    assert exceeded(limits, MetricResult(successful=5)) is None


def run_of(*metrics: dict[str, Any], **spec: Any) -> Player:
    return Player(made({"metrics": list(metrics), **spec}))


def test_a_run_counts_to_its_end_at_its_interval() -> None:
    player = run_of(metric(count=3, interval="10s"))
    player.answers = {"value": [0.99]}
    status = player.play().status
    assert [at for at, _ in player.asked] == [0, 10, 20]
    (result,) = status.metric_results
    assert (status.phase, status.message) == ("Successful", "")
    assert (result.count, result.successful, result.consecutive_success, len(result.measurements)) == (3, 3, 3, 3)
    assert status.started_at == format_time(START)
    assert status.completed_at == format_time(START + 20)
    assert [(e.reason, e.message, e.type) for e in player.events] == [
        ("MetricSuccessful", "Metric 'value' Completed. Result: Successful", "Normal"),
        ("AnalysisRunSuccessful", "Analysis Completed. Result: Successful", "Normal"),
    ]


def test_intervals_are_never_shorter_than_written_and_after_a_restart_by_less_than_a_second() -> None:
    player = run_of(metric(count=4, interval="1s"))
    player.answers = {"value": [0.99]}
    player.play()
    assert [at for at, _ in player.asked] == [0, 1, 2, 3]
    forgetful = run_of(metric(count=3, interval="2s"))
    forgetful.answers, forgetful.forgetful = {"value": [0.99]}, True
    forgetful.play()
    first, second, third = (at for at, _ in forgetful.asked)
    assert 1 < second - first <= 2
    assert third - second == pytest.approx(2, abs=0.001)


def test_the_second_failure_ends_a_run_with_its_reason() -> None:
    """The recording analysis-step-fails."""
    player = run_of(metric(count=3, interval="1s", failureLimit=1, failureCondition="result < 0.5"))
    player.answers = {"value": [0.2]}
    status = player.play().status
    assert len(player.asked) == 2
    assert (status.phase, status.message) == (
        "Failed",
        'Metric "value" assessed Failed due to failed (2) > failureLimit (1)',
    )
    assert status.run_summary is not None
    assert (status.run_summary.count, status.run_summary.failed) == (1, 1)
    assert [e.type for e in player.events] == ["Warning", "Warning"]


def test_errors_are_tried_again_after_ten_seconds_and_told_in_the_message() -> None:
    """The recording analysis-errors."""
    player = run_of(metric(count=3, interval="1s", consecutiveErrorLimit=1))
    player.answers = {"value": [OSError("received non 2xx response code: 500")]}
    status = player.play().status
    assert [at for at, _ in player.asked] == [0, 10]
    assert status.phase == "Error"
    assert status.message == (
        'Metric "value" assessed Error due to consecutiveErrors (2) > consecutiveErrorLimit (1): '
        '"Error Message: received non 2xx response code: 500"'
    )
    (result,) = status.metric_results
    assert (result.count, result.error, result.message) == (0, 2, "received non 2xx response code: 500")


def test_an_inconclusive_measurement_ends_a_run_inconclusively_with_a_normal_event() -> None:
    """The recording analysis-inconclusive."""
    player = run_of(metric(count=3, interval="1s", failureCondition="result < 0.5", failureLimit=1))
    player.answers = {"value": [0.85]}
    status = player.play().status
    assert status.message == 'Metric "value" assessed Inconclusive due to inconclusive (1) > inconclusiveLimit (0)'
    assert [(e.reason, e.type) for e in player.events] == [
        ("MetricInconclusive", "Normal"),
        ("AnalysisRunInconclusive", "Normal"),
    ]


def test_when_a_metric_fails_the_others_are_wound_up_in_the_next_pass() -> None:
    """The recording analysis-prometheus: a metric that still runs becomes Successful, with its last message."""
    player = run_of(metric("good", interval="1s"), metric("bad", count=2, interval="1s"), metric("wrong", count=1))
    player.answers = {"good": [0.99], "bad": [0.1], "wrong": [OSError("no answer")]}
    player.turn()
    assert player.run.status.phase == "Running"
    assert player.next == player.now
    status = player.play().status
    assert (status.phase, status.message) == (
        "Failed",
        'Metric "bad" assessed Failed due to failed (1) > failureLimit (0)',
    )
    assert [(r.name, r.phase, r.message) for r in status.metric_results] == [
        ("good", "Successful", ""),
        ("bad", "Failed", ""),
        ("wrong", "Successful", "no answer"),
    ]
    assert status.run_summary is not None
    assert (status.run_summary.count, status.run_summary.successful, status.run_summary.failed) == (3, 2, 1)


def test_the_worst_metric_gives_phase_and_message() -> None:
    player = run_of(metric("a", failureCondition="result < 0"), metric("b"), metric("c", consecutiveErrorLimit=0))
    player.answers = {"a": [0.1], "b": [0.1], "c": [OSError("x")]}
    player.play()
    assert player.run.status.phase == "Failed"
    assert player.run.status.message.startswith('Metric "b" assessed Failed')


def test_of_equally_bad_metrics_the_first_is_named() -> None:
    player = run_of(metric("a"), metric("b"))
    player.answers = {"a": [0.1], "b": [0.1]}
    assert player.play().status.message.startswith('Metric "a" assessed Failed')


def test_a_terminated_run_is_successful_as_far_as_it_came() -> None:
    """The recording analysis-run-alone, `endless`."""
    player = run_of(metric(interval="1s"))
    player.answers = {"value": [0.99]}
    for _ in range(3):
        player.turn()
        player.now += 1
    player.run.spec.terminate = True
    status = player.turn().status
    assert (status.phase, status.message) == ("Successful", "Run Terminated")
    assert status.metric_results[0].count == 3


def test_a_run_that_never_measured_can_be_terminated() -> None:
    player = run_of(metric(initialDelay="1h"), terminate=True)
    assert (player.turn().status.phase, player.asked) == ("Successful", [])


def test_an_initial_delay_counts_from_the_start_of_the_run() -> None:
    """Also when something else wakes the run in between."""
    player = run_of(metric("late", initialDelay="30s"), metric("often", interval="7s", count=6))
    player.answers = {"late": [1.0], "often": [1.0]}
    player.play()
    assert [at for at, name in player.asked if name == "late"] == [30]


def test_a_metric_ends_with_enough_successes_in_a_row() -> None:
    player = run_of(metric(interval="1s", consecutiveSuccessLimit=2, failureLimit=-1))
    player.answers = {"value": [1.0, 0.0, 1.0, 0.0, 1.0]}
    player.play()
    assert player.run.status.phase == "Successful"
    assert len(player.asked) == 6


def test_a_dry_run_decides_nothing_and_says_what_it_would_have() -> None:
    """The recording analysis-args."""
    player = run_of(metric("dry"), metric("real"), dryRun=[{"metricName": "^d"}])
    player.answers = {"dry": [0.1], "real": [0.99]}
    status = player.play().status
    assert (status.phase, status.message) == ("Successful", "")
    dry = status.metric_results[0]
    assert (dry.dry_run, dry.phase) == (True, "Failed")
    assert dry.message == "Metric assessed Failed due to failed (1) > failureLimit (0)"
    assert status.run_summary is not None
    assert status.dry_run_summary is not None
    assert (status.run_summary.count, status.run_summary.successful) == (1, 1)
    assert (status.dry_run_summary.count, status.dry_run_summary.failed) == (1, 1)


def test_measurements_are_trimmed_and_counters_go_on() -> None:
    player = run_of(
        metric("few", interval="1s", count=5),
        metric("many", interval="1s", count=15),
        measurementRetention=[{"metricName": ".*", "limit": 3}, {"metricName": "man", "limit": 0}],
    )
    player.answers = {"few": [1.0], "many": [1.0]}
    trimmed: list[str] = []
    for _ in range(15):
        trimmed += player.turn().trimmed
        player.now += 1
    few, many = player.run.status.metric_results
    assert (few.count, len(few.measurements), many.count, len(many.measurements)) == (5, 3, 15, 10)
    assert trimmed.count("few") == 2
    assert trimmed.count("many") == 5


def test_an_unfinished_measurement_is_resumed_and_ended_when_the_run_is() -> None:
    player = run_of(metric("job"), metric("value", interval="1s"))
    player.answers = {"value": [1.0, 0.0]}
    calls: list[str] = []

    def job(task: Task) -> Measurement | None:
        if task.metric.name != "job":
            return None
        calls.append(task.call)
        if task.call == "terminate":
            return Measurement("Inconclusive", "Metric Terminated", "x", "y")
        return Measurement("Running", "", "x", None, resume_at=format_time(player.now + 5))

    player.hook = job
    player.play()
    assert calls == ["run", "terminate"]
    assert [(r.name, r.phase, r.inconclusive) for r in player.run.status.metric_results] == [
        ("job", "Inconclusive", 1),
        ("value", "Failed", 0),
    ]
    assert len(player.run.status.metric_results[0].measurements) == 1
    assert player.run.status.phase == "Failed"


def test_a_job_that_has_ended_is_looked_at_at_once() -> None:
    player = run_of(metric("job"))
    player.hook = lambda _: Measurement("Running", "", "x", None, resume_at=format_time(player.now + 50))
    player.turn()
    resolved = resolve(player.run.spec, {})
    assert tasks(player.run, resolved, player.now + 1) == []
    assert [task.call for task in tasks(player.run, resolved, player.now + 1, woken=["job"])] == ["resume"]
    assert [task.call for task in tasks(player.run, resolved, player.now + 51)] == ["resume"]


def test_a_provider_that_never_says_when_to_look_again_does_not_keep_the_controller_busy() -> None:
    player = run_of(metric("job"))
    player.hook = lambda _: Measurement("Running", "", "x")
    begin = player.now
    player.play(turns=10)
    assert player.now - begin >= 9


def test_large_values_are_judged_whole_and_shown_in_part() -> None:
    player = run_of(metric(successCondition="len(result) == 50000"))
    player.answers = {"value": ["x" * 50_000]}
    status = player.play().status
    assert status.phase == "Successful"
    assert len(status.metric_results[0].measurements[0].value) == 10_000


def test_secret_values_are_not_shown_in_messages() -> None:
    key = {"name": "token", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    player = run_of(metric(consecutiveErrorLimit=0), args=[key])
    player.answers = {"value": [OSError("Bearer s3cret refused")]}
    player.secrets = {"s": {"k": "s3cret"}}
    status = player.play().status
    assert status.metric_results[0].measurements[0].message == "Bearer ***** refused"
    assert "s3cret" not in str(status)


@pytest.mark.parametrize(
    ("phase", "ttl", "seconds"),
    [
        ("Successful", TtlStrategy(10, 20, 30), 21),
        ("Failed", TtlStrategy(10, 20, 30), 31),
        ("Error", TtlStrategy(10, 20, 30), 11),
        ("Inconclusive", TtlStrategy(10), 11),
        ("Successful", TtlStrategy(10), 11),
        ("Successful", TtlStrategy(None, None, 30), None),
        ("Running", TtlStrategy(10), None),
    ],
)
def test_completed_runs_are_deleted_when_their_time_is_over(phase: str, ttl: TtlStrategy, seconds: int | None) -> None:
    run = made({"metrics": []})
    run.spec.ttl_strategy = ttl
    run.status = AnalysisRunStatus(phase, completed_at=format_time(1_000_000) if phase != "Running" else None)
    assert delete_at(run) == (None if seconds is None else 1_000_000 + seconds)
