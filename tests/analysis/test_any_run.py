"""For any limits of a metric and any results of its provider, runs keep their promises."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from serinus.analysis.errors import AnalysisProblem
from serinus.analysis.phases import COMPLETED, severity
from serinus.analysis.resolution import resolve
from tests.support.analysis.run_player import Player, made
from tests.support.long import examples

GOOD, BAD, UNSURE, BROKEN = 1.0, 0.0, 0.7, OSError("broken")
ANSWERS = st.lists(st.sampled_from([GOOD, BAD, UNSURE, BROKEN]), min_size=1, max_size=12)
SMALL = st.integers(0, 3)


@st.composite
def metrics(draw: st.DrawFn, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "provider": {"web": {}},
        "successCondition": "result >= 0.9",
        "failureCondition": "result < 0.5",
        "interval": draw(st.sampled_from(["1s", "7s", "30s"])),
        "count": draw(st.integers(1, 8)),
        "failureLimit": draw(st.integers(-1, 3)),
        "inconclusiveLimit": draw(SMALL),
        "consecutiveErrorLimit": draw(SMALL),
        "consecutiveSuccessLimit": draw(SMALL),
        "initialDelay": draw(st.sampled_from(["", "5s"])),
    }


def player(specs: list[dict[str, Any]], answers: list[list[Any]], **fields: Any) -> Player:
    found = Player(made({"metrics": specs, **fields}))
    found.answers = {spec["name"]: list(script) for spec, script in zip(specs, answers, strict=True)}
    try:
        resolve(found.run.spec, {})
    except AnalysisProblem:
        assume(False)
    return found


RUNS = st.tuples(metrics("a"), metrics("b"), ANSWERS, ANSWERS, st.booleans())


@given(RUNS)
@settings(max_examples=examples(300), deadline=None)
def test_a_run_with_counts_ends_and_its_numbers_agree(drawn: tuple[Any, ...]) -> None:
    a, b, of_a, of_b, dry = drawn
    found = player([a, b], [of_a, of_b], dryRun=[{"metricName": "^b$"}] if dry else [])
    status = found.play(turns=400).status
    assert status.phase in COMPLETED
    assert status.completed_at
    counting = [r for r in status.metric_results if not r.dry_run]
    assert status.phase == max((r.phase for r in counting), key=severity, default="Successful")
    for result in status.metric_results:
        assert result.count == result.successful + result.failed + result.inconclusive
        assert len(result.measurements) == min(10, result.count + result.error)
        assert len([name for _, name in found.asked if name == result.name]) == result.count + result.error
        assert result.phase in COMPLETED
        assert result.consecutive_success <= result.successful
        assert result.consecutive_error <= result.error
    assert len(found.events) == len(status.metric_results) + 1


@given(RUNS)
@settings(max_examples=examples(200), deadline=None)
def test_a_pass_without_news_changes_nothing(drawn: tuple[Any, ...]) -> None:
    """A settled run costs nothing: the status does not change, so no write is needed."""
    a, b, of_a, of_b, _ = drawn
    found = player([a, b], [of_a, of_b])
    for _ in range(4):
        found.turn()
        if found.run.status.phase in COMPLETED or found.next is None:
            break
        if found.next > found.now:
            before, asked, due = found.run.status, len(found.asked), found.next
            found.now = (found.now + found.next) / 2
            found.turn()
            assert (found.run.status, len(found.asked), found.next) == (before, asked, due)
            found.now = due


@given(RUNS)
@settings(max_examples=examples(200), deadline=None)
def test_measurements_are_never_closer_than_their_interval(drawn: tuple[Any, ...]) -> None:
    a, b, of_a, of_b, _ = drawn
    found = player([a, b], [of_a, of_b])
    found.play(turns=400)
    for spec in (a, b):
        times = [at for at, name in found.asked if name == spec["name"]]
        least = min(float(spec["interval"][:-1]), 10.0)
        assert all(later - earlier >= least - 0.001 for earlier, later in itertools.pairwise(times))


@pytest.mark.parametrize("turns", [1, 2, 3])
@given(drawn=RUNS)
@settings(max_examples=examples(100), deadline=None)
def test_a_run_that_is_told_to_end_ends_in_the_next_pass(turns: int, drawn: tuple[Any, ...]) -> None:
    a, b, of_a, of_b, _ = drawn
    found = player([a, b], [of_a, of_b])
    found.play(turns=turns)
    assume(found.run.status.phase not in COMPLETED)
    asked = len(found.asked)
    found.run.spec.terminate = True
    found.turn()
    assert found.run.status.phase in COMPLETED
    assert len(found.asked) == asked
