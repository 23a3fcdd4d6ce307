"""Warnings about steps that are too short for their sequential verdict."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import msgspec
import pytest

from serinus.analysis.sequential.budget_power import budget_power
from serinus.analysis.sequential.looks import Look
from serinus.analysis.sequential.metric import PLUGIN
from serinus.analysis.sequential.planning import ExpectedTraffic, times_to_harm
from serinus.analysis.sequential.power import power
from serinus.analysis.sequential.settings import VerdictSettings
from serinus.analysis.sequential.tally import Tally
from serinus.api.analysis import AnalysisRun
from serinus.api.rollout import Rollout
from serinus.engine.judging.short_steps import short_steps

Json = dict[str, Any]
QUERIES = {"requests": "increase(all[30s])", "errors": "increase(bad[30s])"}
EXPECTED: dict[str, Any] = {"expected": {"requests": 200, "rate": 0.01}}


def template(*, count: Any = None, stable: bool = True, interval: str = "30s", **config: Any) -> dict[str, Json]:
    counts = {"prometheus": {"address": "http://p"}, "canary": QUERIES, **({"stable": QUERIES} if stable else {})}
    metric = {"name": "errors", "interval": interval, "provider": {"plugin": {PLUGIN: {"counts": counts, **config}}}}
    spec = {"metrics": [{**metric, **({} if count is None else {"count": count})}], "args": [{"name": "canary"}]}
    return {"AnalysisTemplate/t": {"metadata": {"name": "t"}, "spec": spec}}


def rollout(*steps: Json, background: bool = True, starting_step: int = 0, **canary: Any) -> Rollout:
    analysis = {"templates": [{"templateName": "t"}], "args": [{"name": "canary", "value": "x"}]}
    if background:
        canary |= {"analysis": {**analysis, "startingStep": starting_step}}
    given = [{"analysis": analysis} if step == {"analysis": True} else step for step in steps]
    spec = {"strategy": {"canary": {"steps": given, **canary}}}
    return msgspec.convert({"metadata": {"name": "web"}, "spec": spec}, Rollout)


def told(about: Rollout, templates: dict[str, Json], *runs: AnalysisRun) -> list[str]:
    return [short.message for short in short_steps(about, templates, runs)]


def test_a_short_pause_says_how_often_harm_is_found_and_how_long_it_takes() -> None:
    about = rollout({"setWeight": 10}, {"pause": {"duration": "5m"}}, {"setWeight": 50}, {"pause": {"duration": 3600}})
    assert told(about, template(**EXPECTED)) == [
        "step 2 lasts 5m at weight 10; metric errors finds a threefold error rate within it in 20% of releases; "
        "48m give 95% (200 requests a minute with 1.00% errors expected)"
    ]


def test_an_analysis_step_lasts_as_long_as_its_looks() -> None:
    about = rollout({"setWeight": 10}, {"analysis": True}, background=False)
    assert "step 2 lasts 10m at weight 10" in told(about, template(count=20, **EXPECTED))[0]
    assert told(about, template(count=200, **EXPECTED)) == []


@pytest.mark.parametrize(
    "about",
    [
        rollout({"setWeight": 10}, {"pause": {}}),
        rollout({"pause": {"duration": "5m"}}),
        rollout({"setWeight": 100}, {"pause": {"duration": "5m"}}),
        rollout({"setWeight": 10}, {"pause": {"duration": "5m"}}, starting_step=2),
        rollout({"setWeight": 10}, {"pause": {"duration": "5m"}}, background=False),
    ],
    ids=["until promoted", "without traffic", "without a stable version", "before the analysis", "without analysis"],
)
def test_steps_that_no_time_ends_or_no_verdict_watches_are_left_out(about: Rollout) -> None:
    assert told(about, template(**EXPECTED)) == []


def run_with(**value: Any) -> AnalysisRun:
    measurement = {"phase": "Running", "value": json.dumps(value)}
    result = {"name": "errors", "phase": "Running", "measurements": [measurement]}
    found = {"metadata": {"name": "web-1", "creationTimestamp": "2026-01-01T00:00:00Z"}}
    return msgspec.convert({**found, "status": {"phase": "Running", "metricResults": [result]}}, AnalysisRun)


def test_without_expected_traffic_the_looks_of_an_earlier_run_say_it() -> None:
    """20 looks of 30 s with 2,000 requests: 200 a minute."""
    about = rollout({"setWeight": 10}, {"pause": {"duration": "5m"}})
    seen = run_with(looks=20, requests={"canary": 200, "stable": 1800}, errors={"canary": 2, "stable": 18})
    assert told(about, template(), seen)[0].endswith("(200 requests a minute with 1.00% errors in web-1)")


@pytest.mark.parametrize("runs", [[], [run_with(looks=0)], [run_with(looks=3, requests={"stable": 9})]])
def test_unknown_traffic_is_reported_as_unknown(runs: list[AnalysisRun]) -> None:
    about = rollout({"setWeight": 10}, {"pause": {"duration": "5m"}})
    assert "is not known without the traffic: set `expected: {requests: A MINUTE" in told(about, template(), *runs)[0]


def test_with_a_budget_the_chance_is_the_least() -> None:
    about = rollout({"setWeight": 10}, {"pause": {"duration": "5m"}})
    assert "in at least 1" in told(about, template(budget=0.02, **EXPECTED))[0]


def test_a_metric_against_a_budget_alone_counts_the_requests_of_the_canary() -> None:
    about = rollout({"setWeight": 10}, {"pause": {"duration": "5m"}})
    assert told(about, template(stable=False, budget=0.01, **EXPECTED)) == [
        "step 2 lasts 5m at weight 10; metric errors finds three times its budget of 0.01 within it in 14% of releases; "
        "48m give 95% (200 requests a minute expected)"
    ]
    assert told(about, template(stable=False, budget=0.01), run_with(looks=20, requests={"canary": 900}))[0].endswith(
        "set `expected: {requests: A MINUTE, rate: OF ERRORS}` in its configuration"
    )
    assert told(about, {}) == []


def blue_green(**fields: Any) -> Rollout:
    asked = {"templates": [{"templateName": "t"}], "args": [{"name": "canary", "value": "x"}]}
    strategy = {"activeService": "web", **dict.fromkeys((f"{name}PromotionAnalysis" for name in fields), asked)}
    return msgspec.convert({"metadata": {"name": "web"}, "spec": {"strategy": {"blueGreen": strategy}}}, Rollout)


def test_a_preview_that_is_too_short_for_its_budget_says_how_long_it_takes() -> None:
    alone = template(count=10, stable=False, budget=0.01, expected={"requests": 20, "rate": 0.01})
    assert told(blue_green(pre=True), alone) == [
        "the pre-promotion analysis lasts 5m; metric errors finds three times its budget of 0.01 within it in 14% of "
        "releases; 48m give 95% (20 requests a minute expected)"
    ]
    (short,) = short_steps(blue_green(pre=True), alone)
    assert (short.step, short.path) == (0, "spec.strategy.blueGreen.prePromotionAnalysis")
    assert told(blue_green(pre=True), template(count=120, stable=False, budget=0.01, **EXPECTED)) == []
    seen = run_with(looks=10, requests={"canary": 100})
    assert told(blue_green(pre=True), template(count=10, stable=False, budget=0.01), seen)[0].endswith(
        "(20 requests a minute in web-1)"
    )


def test_a_preview_beside_the_active_version_needs_the_share_of_an_earlier_run() -> None:
    (first,) = told(blue_green(pre=True), template(count=10, **EXPECTED))
    assert first.endswith("without the share of the requests that the preview has; an earlier AnalysisRun gives it")
    seen = run_with(looks=20, requests={"canary": 200, "stable": 1800}, errors={"canary": 2, "stable": 18})
    assert (
        "lasts 5m; metric errors finds a threefold error rate within it in 20% of releases"
        in (told(blue_green(pre=True), template(count=10), seen)[0])
    )


def test_after_a_switch_there_is_no_stable_version_to_compare_with() -> None:
    """With a budget all requests are the new version's."""
    (said,) = told(blue_green(post=True), template(count=10, **EXPECTED))
    assert "compares with the stable version, which has no requests then, so it finds nothing. Set `budget`" in said
    assert told(blue_green(post=True), template(count=10, budget=0.01, **EXPECTED)) == []
    assert "in 14% of releases" in told(
        blue_green(post=True), template(count=10, budget=0.01, expected={"requests": 20, "rate": 0.01})
    )[0].replace("at least ", "")


@pytest.mark.parametrize(("requests", "dispersion"), [(20, 1.0), (200, 1.0), (200, 3.0)])
def test_the_computed_chance_against_a_budget_agrees_with_simulated_releases(requests: int, dispersion: float) -> None:
    settings = VerdictSettings(budget=0.01, dispersion=dispersion)
    chance, random, times = budget_power(settings, requests, 30.0, 3.0), Random(3), list[int]()
    for _ in range(500):
        tally, word = Tally(settings), ""
        while word != "harm" and tally.looks < 400:
            # Bursts of `dispersion` errors: as many as the settings say.
            bad = sum(random.random() < 0.03 / dispersion for _ in range(requests // 2)) * dispersion
            word = tally.add(Look(requests / 2, min(requests / 2, bad))).verdict
        times.append(tally.looks)
    for minutes in (2, 5, 15):
        share = sum(at <= 2 * minutes for at in times) / len(times)
        assert chance.within(60 * minutes) == pytest.approx(share, abs=0.07)
    assert [chance.within(60 * m) for m in range(60)] == sorted(chance.within(60 * m) for m in range(60))


def test_a_budget_that_is_never_found_exceeded_is_not_promised() -> None:
    assert budget_power(VerdictSettings(budget=1e-6), 1.0, 30.0, 3.0).by(0.95) is None
    assert budget_power(VerdictSettings(budget=0.05), 6e6, 30.0, 3.0).by(0.95) == 30.0


@pytest.mark.parametrize("weight", [0.1, 0.5])
def test_the_computed_chance_agrees_with_simulated_releases(weight: float) -> None:
    traffic = ExpectedTraffic(200, 0.01, 30.0)
    times = times_to_harm(VerdictSettings(), traffic, weight, 3.0, Random(7).random, 600)
    chance = power(VerdictSettings(), traffic, weight, 3.0)
    for minutes in (5, 15, 30):
        assert chance.within(60 * minutes) == pytest.approx(times.within(60 * minutes), abs=0.07)


def test_a_longer_step_never_finds_less() -> None:
    chance = power(VerdictSettings(), ExpectedTraffic(200, 0.01, 30.0), 0.1, 3.0)
    found = [chance.within(60 * minutes) for minutes in range(0, 120, 5)]
    assert found == sorted(found)
    needed = chance.by(0.95)
    assert needed is not None
    assert chance.within(needed) >= 0.95 > chance.within(needed - 30)


def test_a_difference_that_is_never_found_is_not_promised() -> None:
    assert power(VerdictSettings(), ExpectedTraffic(1, 0.0001, 30.0), 0.01, 3.0).by(0.95) is None
