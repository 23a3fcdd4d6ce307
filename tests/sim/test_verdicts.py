"""Whole releases under sequential verdicts: no good version beyond the bound is aborted, and no request counts twice."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from typing import Any

import pytest

from serinus.analysis.providers.sequential import SequentialVerdicts
from serinus.analysis.sequential.tally import Tally
from serinus.api.decoding.reading import converted
from serinus.api.rollout import Rollout
from serinus.api.validation.rollout import validate
from serinus.engine.core.plan import Snapshot
from serinus.engine.judging.analyses import finding
from serinus.engine.strategy.spec_rules import RULES
from tests.sim.generate import generate
from tests.sim.releases import releases
from tests.sim.verdicts import BOUND, play, summary
from tests.support.long import few

SEEDS = 3


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def by_chance(found: int, runs: int) -> float:
    """The probability of so many or more, if each of the runs has the stated chance."""
    return sum(math.comb(runs, k) * BOUND**k * (1 - BOUND) ** (runs - k) for k in range(found, runs + 1))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("start", few(range(0, 20 * SEEDS, SEEDS), [0]))
def test_verdicts_keep_their_bound_in_whole_releases(start: int) -> None:
    outcomes = [play(releases(seed)) for seed in range(start, start + SEEDS)]
    for one in outcomes:
        assert not one.violations, f"seed {one.seed}: {one.violations[0]}"
    found: Any = summary(outcomes, start)
    for name in ("falseAborts", "falsePasses"):
        assert by_chance(*found[name]) > 0.001, found
    assert found["runs"]["bad harm"] > found["falseAborts"][0]
    assert found["releases"]["good promoted as safe"] > 0


@pytest.mark.long
def test_a_history_of_releases_is_a_function_of_its_seed() -> None:
    first, again = play(releases(1)), play(releases(1))
    assert (first.runs, first.releases, first.struck) == (again.runs, again.releases, again.struck)
    assert releases(1).history.dump() != releases(2).history.dump()


def test_other_histories_have_no_counts() -> None:
    assert not any(generate(seed).error_rates for seed in range(300))


def test_every_rollout_of_releases_is_valid_and_so_are_its_analyses() -> None:
    for seed in range(200):
        history = releases(seed).history
        rollout = converted(history.rollout, Rollout)
        assert not validate(rollout, rules=RULES), f"seed {seed}"
        templates = {f"AnalysisTemplate/{t['metadata']['name']}": t for t in history.templates}
        assert finding(Snapshot(0.0, rollout, objects=templates)) is None, f"seed {seed}"


@pytest.mark.long
def test_a_look_that_counts_twice_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The record of a look whose write failed stays cached, and the look is taken again."""
    real = SequentialVerdicts._record  # pyright: ignore[reportPrivateUsage]

    def kept(self: Any, call: Any, metric: Any, measurement: Any) -> Any:
        before = dict(self._records)
        found = real(self, call, metric, measurement)
        self._records |= before
        return found

    monkeypatch.setattr(SequentialVerdicts, "_record", kept)
    assert "and there were" in str(play(releases(158)).violations[0])


@pytest.mark.long
def test_a_limit_without_correction_for_many_looks_aborts_good_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Tally.__init__

    def hasty(self: Tally, settings: Any) -> None:
        real(self, settings)
        self._harm_at = math.log(1.5)  # pyright: ignore[reportPrivateUsage]

    monkeypatch.setattr(Tally, "__init__", hasty)
    found: Any = summary([play(releases(seed)) for seed in range(2 * SEEDS)], 0)
    assert by_chance(*found["falseAborts"]) < 0.001
