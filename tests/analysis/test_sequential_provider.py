"""Sequential verdicts through an AnalysisRun: the deciding data, the unused data, and set-up errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from serinus.analysis.sequential.looks import Look
from serinus.analysis.sequential.record import record_of
from serinus.analysis.sequential.settings import VerdictSettings
from serinus.analysis.sequential.tally import Tally
from serinus.api.analysis import AnalysisRun
from tests.support.analysis.vendor import NOW, Reply, World
from tests.support.analysis.verdict_run import VerdictRun, metric

STREAMS = {
    stream["name"]: stream
    for stream in map(json.loads, (Path(__file__).parent / "data" / "known_verdicts.jsonl").open())
}
PAGE = "/counts"
PATHS = {side: {name: f"{{$.{side}.{name}}}" for name in ("requests", "errors")} for side in ("canary", "stable")}


def page(world: World) -> dict[str, Any]:
    return {"web": {"url": f"{world.url}{PAGE}"}, **PATHS}


def answer(look: list[float]) -> dict[str, Any]:
    n_c, k_c, n_s, k_s = look
    return {"canary": {"requests": n_c, "errors": k_c}, "stable": {"requests": n_s, "errors": k_s}}


def prepared(world: World, looks: list[Any], **config: Any) -> VerdictRun:
    world.vendor.says(PAGE, *[answer(look) if isinstance(look, list) else look for look in looks])
    return VerdictRun(world.http, world.cluster, metric(page(world), **config), NOW)


async def played(world: World, looks: list[Any], **config: Any) -> tuple[AnalysisRun, VerdictRun]:
    run = prepared(world, looks, **config)
    return await run.play(), run


@pytest.mark.parametrize("forgets", [False, True])
@pytest.mark.parametrize("name", ["three-times", "budget", "nothing-yet", "strict"])
async def test_known_answers_until_the_verdict(world: World, name: str, *, forgets: bool) -> None:
    """Also where a restarted controller takes each look: the object has all necessary state."""
    stream = STREAMS[name]
    run = prepared(world, [row[:4] for row in stream["rows"]], **stream["settings"])
    run.forgets = forgets
    done = await run.play()
    for row, value in zip(stream["rows"], run.values, strict=False):
        assert (value["logHarm"], value["logSafe"]) == pytest.approx(row[4:6], abs=1e-6)
    last = {"h": "Failed", "s": "Successful", "u": "Inconclusive"}[stream["rows"][len(run.values) - 1][6]]
    assert done.status.phase == last
    assert len(world.vendor.asked) == len(run.values)


async def test_harm_fails_the_run_and_says_why(world: World) -> None:
    done, run = await played(world, [[30, 30, 270, 0]])
    assert done.status.phase == "Failed"
    assert run.last.message.startswith("harm after 1 look: evidence 6.9e+23, limit 20")
    assert 'Metric "errors" assessed Failed' in done.status.message


async def test_safe_completes_before_the_count(world: World) -> None:
    done, run = await played(world, [[1000, 1, 1000, 20]])
    assert (done.status.phase, len(run.values)) == ("Successful", 1)


@pytest.mark.parametrize(("undecided", "phase"), [("pass", "Successful"), ("inconclusive", "Inconclusive")])
async def test_without_a_verdict_at_the_end_the_metric_ends_as_written(
    world: World, undecided: str, phase: str
) -> None:
    done, run = await played(world, [[20, 0, 180, 2]], count=3, undecided=undecided)
    assert (done.status.phase, len(run.values)) == (phase, 3)
    assert "evidence of harm" in run.last.message
    assert "a threefold rate would be certain in about" in run.last.message


async def test_a_signal_holds_the_release_and_does_not_abort_it(world: World) -> None:
    done, _ = await played(world, [[30, 30, 270, 0]], role="signal")
    assert done.status.phase == "Inconclusive"


async def test_stored_looks_give_the_same_verdict_again(world: World) -> None:
    _, run = await played(world, [row[:4] for row in STREAMS["three-times"]["rows"]])
    again = record_of(VerdictSettings(), run.last.metadata).last
    assert again is not None
    assert (again.verdict, round(again.log_harm, 9)) == ("harm", run.values[-1]["logHarm"])


async def test_a_gap_is_no_look_and_is_told(world: World) -> None:
    """Neither a page without data nor an unavailable provider counts as zero errors."""
    missing = {"canary": {"requests": 20}, "stable": {"requests": 180, "errors": 2}}
    _, run = await played(world, [[20, 0, 180, 2], missing, Reply("", 503), [20, 0, 180, 1]], count=4)
    assert [(value["looks"], value["unused"]) for value in run.values] == [(1, 0), (1, 1), (1, 2), (2, 2)]
    assert run.values[-1]["logHarm"] == pytest.approx(-0.832194, abs=1e-6)


async def test_missing_counts_make_the_metric_inconclusive_at_a_stated_time(world: World) -> None:
    done, run = await played(world, [{}], noData="2m")
    assert done.status.phase == "Inconclusive"
    assert run.last.message.startswith("no counts for 2m, the limit (noData) is 2m: ")
    assert run.now - NOW == pytest.approx(120, abs=5)


async def test_totals_are_compared_with_the_look_before(world: World) -> None:
    """A counter that decreased, as after a restart of a pod, is not a look; counting continues from there."""
    totals: list[Any] = [[100, 0, 900, 9], [120, 0, 1080, 11], [10, 0, 90, 1], [30, 0, 270, 2]]
    run = prepared(world, totals, count=4)
    run = VerdictRun(world.http, world.cluster, metric({**page(world), "totals": True}, count=4), NOW)
    await run.play()
    assert [(value["looks"], value["unused"]) for value in run.values] == [(0, 1), (1, 1), (1, 2), (2, 2)]
    assert run.values[-1]["logHarm"] == pytest.approx(-0.832194, abs=1e-6)


async def test_a_split_that_the_weight_does_not_explain_is_no_verdict(world: World) -> None:
    done, run = await played(world, [[500, 400, 500, 0]], weight=20)
    assert done.status.phase == "Inconclusive"
    assert run.last.message.startswith("the canary's queries count 50.0% of all requests and its weight is 20.0%")


async def test_the_split_is_compared_with_the_weight_in_force(world: World) -> None:
    """At 10 % and then at 50 %: right at both. Then a label that selects both versions."""
    right, even, both = [100, 1, 900, 9], [500, 5, 500, 5], [2000, 20, 500, 5]
    run = prepared(world, [right] * 6 + [even] * 6 + [both], count=40, falseAbort=1e-9, falsePass=1e-9)

    def looked(number: int) -> None:
        run.weight = 0.1 if number < 6 else 0.5

    run.looked = looked
    done = await run.play()
    assert (done.status.phase, len(run.values)) == ("Inconclusive", 13)
    assert "of all requests and its weight is" in run.last.message


async def test_a_weight_of_zero_turns_the_check_of_the_split_off(world: World) -> None:
    run = prepared(world, [[500, 5, 500, 5]], count=6, weight=0)
    run.weight = 0.1
    await run.play()
    assert len(run.values) == 6


async def test_looks_around_a_change_of_the_weight_say_nothing_about_the_split(world: World) -> None:
    run = prepared(world, [[500, 5, 500, 5]], count=6)

    def looked(number: int) -> None:
        run.weight = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3)[number]

    run.looked = looked
    await run.play()
    assert len(run.values) == 6


BAD_INPUT: dict[str, tuple[Any, dict[str, Any], str, str]] = {
    "more errors than requests": ([5, 6, 5, 0], {}, "Error", "canary.errors: 6 errors are more than 5 requests"),
    "negative": ([5, -1, 5, 0], {}, "Error", "canary.errors: -1 is negative"),
    "NaN": ([5, 0, "NaN", 0], {}, "Error", "stable.requests: nan is no count"),
    "a huge number": ([1e16, 0, 5, 0], {}, "Error", "canary.requests: 1e+16 is above 1e+15, the highest count"),
    "a number beyond all": ([1e300, 0, 5, 0], {}, "Error", "canary.requests: 1e+300 is above 1e+15"),
    "a word": ([5, "none", 5, 0], {}, "Error", "counts.canary.errors: the query gives no number"),
    "true": ([True, 0, 5, 0], {}, "Error", "canary.requests: nan is no count"),
    "a budget of almost 0": ([5, 0, 5, 0], {"budget": 1e-320}, "Error", "is no error rate between 0 and 0.9"),
    "a huge margin": ([5, 0, 5, 0], {"margin": 1e300}, "Error", "margin: 1e+300 is no ratio of error rates between"),
    "false passes of 1": ([5, 0, 5, 0], {"falsePass": 1}, "Error", "falsePass: 1 is no probability between 0 and 1"),
    "absent series": ({}, {"noData": "1m"}, "Inconclusive", "no counts for 60s, the limit (noData) is 60s: "),
    "one side only": ([50, 25, 0, 0], {}, "Inconclusive", "counts.stable.requests: no request in 10 looks"),
    "no canary": ([0, 0, 500, 5], {"count": 12}, "Inconclusive", "the canary has had no requests yet"),
    "swapped sides": ([900, 9, 100, 1], {"weight": 10}, "Inconclusive", "the canary's queries count 90.0% of all"),
    "both as canary": ([1000, 10, 900, 9], {"weight": 10}, "Inconclusive", "the canary's queries count 52.6% of all"),
    "clocks apart": (
        {"at": 300},
        {"noData": "1m"},
        "Inconclusive",
        "the provider's clock is 3m59s ahead of the controller's",
    ),
    "old data": ({"at": -300}, {"noData": "1m"}, "Inconclusive", "the provider answers data that is 6m old"),
    "a budget of 0": ([5, 0, 5, 0], {"budget": 0}, "Error", "budget: 0 is no error rate between 0 and 0.9"),
    "a budget of 1": ([5, 0, 5, 0], {"budget": 1}, "Error", "budget: 1 is no error rate between 0 and 0.9"),
    "false aborts of 0": ([5, 0, 5, 0], {"falseAbort": 0}, "Error", "falseAbort: 0 is no probability between 0 and 1"),
}


@pytest.mark.parametrize("name", BAD_INPUT)
async def test_bad_input_is_an_error_of_set_up_and_never_a_verdict(world: World, name: str) -> None:
    look, config, phase, message = BAD_INPUT[name]
    reply: Any = answer(look) if isinstance(look, list) else look
    counts = page(world)
    if isinstance(look, dict) and "at" in look:
        reply, counts = {**answer([30, 30, 270, 0]), "at": NOW + look["at"]}, {**counts, "time": "{$.at}"}
    world.vendor.says(PAGE, reply)
    run = VerdictRun(world.http, world.cluster, metric(counts, **config), NOW)
    done = await run.play()
    assert done.status.phase == phase
    said = done.status.message if not done.status.metric_results else run.last.message
    assert message in said
    assert all(value["verdict"] == "undecided" for value in run.values)


async def test_one_side_only_is_no_verdict(world: World) -> None:
    done, run = await played(world, [[50, 25, 0, 0]])
    assert done.status.phase == "Inconclusive"
    assert run.last.message.startswith("counts.stable.requests: no request in 10 looks")


async def test_old_data_is_not_used(world: World) -> None:
    world.vendor.says(PAGE, {**answer([30, 30, 270, 0]), "at": NOW - 300})
    run = VerdictRun(world.http, world.cluster, metric({**page(world), "time": "{$.at}"}, count=2), NOW)
    await run.play()
    assert run.values[-1]["looks"] == 0
    assert "the provider answers data that is 5m" in run.last.message


@pytest.mark.parametrize(
    ("look", "message"),
    [
        ([5, 6, 5, 0], "canary.errors: 6 errors are more than 5 requests"),
        ([5, -1, 5, 0], "canary.errors: -1 is negative"),
        (["NaN", 0, 5, 0], "canary.requests: nan is no count"),
        (["x", 0, 5, 0], "counts.canary.requests: the query gives no number"),
        ([[1, 2], 0, 5, 0], "counts.canary.requests: the query gives 2 series"),
    ],
)
async def test_counts_that_cannot_be_are_errors_of_set_up(world: World, look: list[Any], message: str) -> None:
    done, run = await played(world, [look])
    assert done.status.phase == "Error"
    assert message in run.last.message


async def test_looks_before_an_error_are_still_evidence(world: World) -> None:
    _, run = await played(world, [[20, 0, 180, 2], [5, 6, 5, 0], [20, 0, 180, 1]], count=3)
    tally = Tally(VerdictSettings())
    for look in (Look(20, 0, 180, 2), Look(20, 0, 180, 1), Look(20, 0, 180, 1)):
        tally.add(look)
    assert run.values[-1]["logHarm"] == pytest.approx(tally.add(Look(0, 0, 0, 0)).log_harm)


@pytest.mark.parametrize(
    "look", [[30, 30, 270, 0], [20, 1, 180, 2], [5, 6, 5, 0], {}], ids=["harm", "undecided", "wrong", "gap"]
)
async def test_a_look_whose_write_was_refused_does_not_count(world: World, look: Any) -> None:
    """The controller then takes the look again, from the measurement as it was written before."""
    run = prepared(world, [[20, 0, 180, 2], look, [20, 0, 180, 1]], count=3)
    await run.play(1)
    written, at = run.run, run.now
    await run.play(1)
    run.run, run.now, run.values[1:] = written, at, []
    await run.play(1)
    assert run.values[-1]["requests"] == {"canary": 40, "stable": 360}
    assert run.last.metadata["looks"] == "20,0,180,2;20,0,180,1"


async def test_weeks_of_looks_stay_within_the_status_and_keep_their_evidence(world: World) -> None:
    looks: list[Any] = [[2000.123 + at % 7, 2, 18_000.456 + at % 5, 18] for at in range(350)]
    run = prepared(world, looks, count=350, falsePass=1e-300, falseAbort=1e-9)
    await run.play(350)
    again = record_of(VerdictSettings(false_abort=1e-9, false_pass=1e-300), run.last.metadata)
    assert again.tally.looks == 350
    assert len(again.looks) < 350, "the earliest looks have become sums"
    assert max(map(len, run.last.metadata.values())) < 10_000
    assert again.last is not None
    assert round(again.last.log_safe, 9) == run.values[-1]["logSafe"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"falseAbort": 0}, "falseAbort: 0 is no probability"),
        ({"budget": 1}, "budget: 1 is no error rate"),
        ({"budget": "no"}, "Expected `float | null`, got `str` - at `$.budget`"),
        ({"undecided": "fail"}, "Invalid enum value 'fail'"),
        ({"alpha": 0.1}, "unknown field `alpha`"),
        ({"weight": 101}, "weight: 101 is no percentage"),
        ({"noData": "soon"}, "noData: 'soon' is no duration"),
        ({"counts": {"canary": {}}}, "counts.stable: is missing"),
        ({"counts": {**PATHS, "web": {}, "datadog": {}}}, "counts: names 2 providers"),
        ({"counts": {**PATHS, "job": {}}}, "counts.job: is no provider that gives numbers"),
        ({"counts": {**PATHS, "web": {}, "canary": {"requests": "x"}}}, "counts.canary.errors: is missing"),
        (
            {"counts": {**PATHS, "prometheus": {}, "canary": {"requests": "increase(x[2m])", "errors": "y"}}},
            "counts.canary.requests: looks back 2m at each interval of 30 s",
        ),
    ],
)
async def test_what_allows_no_verdict_ends_the_run_before_it_measures(
    world: World, config: dict[str, Any], message: str
) -> None:
    counts = config.pop("counts", page(world))
    run = VerdictRun(world.http, world.cluster, metric(counts, **config), NOW)
    done = await run.play()
    assert done.status.phase == "Error"
    assert message in done.status.message
    assert not world.vendor.asked


def vector(**values: str) -> dict[str, Any]:
    result = [{"metric": {"serinus_query": name.replace("_", ".")}, "value": [1, v]} for name, v in values.items()]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


QUERIES = {side: {name: f"{side}_{name}" for name in ("requests", "errors")} for side in ("canary", "stable")}


async def test_prometheus_is_asked_once_for_both_sides(world: World) -> None:
    values = {"canary_requests": "20", "canary_errors": "0", "stable_requests": "180", "stable_errors": "2"}
    world.vendor.says("/api/v1/query", vector(**values))
    run = VerdictRun(world.http, world.cluster, metric({"prometheus": {"address": world.url}, **QUERIES}, count=1), NOW)
    await run.play()
    assert run.values[-1]["logHarm"] == pytest.approx(-0.618595, abs=1e-6)
    assert len(world.vendor.asked) == 1


async def test_a_counter_that_never_counted_is_no_zero(world: World) -> None:
    world.vendor.says("/api/v1/query", vector(canary_requests="20", stable_requests="180", stable_errors="2"))
    run = VerdictRun(world.http, world.cluster, metric({"prometheus": {"address": world.url}, **QUERIES}, count=1), NOW)
    await run.play()
    assert run.values[-1]["looks"] == 0
    assert "counts.canary.errors: the query gives no data. Prometheus has no series" in run.last.message


async def test_queries_that_cannot_stand_together_are_asked_one_by_one(world: World) -> None:
    refused = {"status": "error", "errorType": "bad_data", "error": "expected type instant vector"}
    scalar = {"status": "success", "data": {"resultType": "scalar", "result": [1, "10"]}}
    world.vendor.says("/api/v1/query", refused, scalar)
    run = VerdictRun(world.http, world.cluster, metric({"prometheus": {"address": world.url}, **QUERIES}, count=1), NOW)
    await run.play()
    assert run.values[-1]["requests"] == {"canary": 10.0, "stable": 10.0}
    times = {asked.body.partition(b"time=")[2] for asked in world.vendor.asked}
    assert len(times) == 1
