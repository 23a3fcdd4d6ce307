"""Decisions about objects as large as an API server accepts need time in proportion to the object.

Sizes are compared with each other, in CPU time: in quadratic time four times the size needs sixteen times as long.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

import pytest

from serinus.analysis.errors import AnalysisProblem
from serinus.controller import bounded
from tests.safety.large import SHAPES, Work, carried_out, decided, rollout, template
from tests.support.long import few

TIMES = 4
MOST = 9.0
"""Times as long, for four times the size: between linear (4) and quadratic (16), with sorting and caches of the processor."""

NOTHING = 0.03
"""Seconds; a shape with a faster largest run is not compared: its time is clock noise."""


def seconds(work: Work, times: int = 1) -> float:
    """The shortest of some runs: other load of the machine only adds."""
    best = float("inf")
    for _ in range(times):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best


def grows(make: Callable[[int], Work], many: int) -> bool:
    """Whether it grows much faster than its size."""
    small, large = make(many // TIMES), make(many)
    gc.collect()
    gc.disable()
    try:
        for attempt in (1, 3):
            long = seconds(large, attempt)
            # One long pause during a short run would hide the growth, so the small one runs for as long in all.
            if long < NOTHING or long < MOST * seconds(small, attempt * TIMES):
                return False
        return True
    finally:
        gc.enable()


@pytest.mark.parametrize("name", few(SHAPES, list(SHAPES)[::3]))
def test_a_decision_needs_time_in_proportion_to_its_object(name: str):
    assert not grows(*SHAPES[name])


def test_one_in_quadratic_time_is_found():
    def make(n: int) -> Work:
        names = [f"m{i}" for i in range(n)]
        return lambda: [name for name in names if names.index(name) < 0]

    assert grows(make, 8_000)


def ended(work: Work) -> str:
    """The controller's work on it: it ends without help, within the limits."""
    try:
        bounded.bounded(work)
    except AnalysisProblem as problem:
        return str(problem)
    return ""


def test_rules_that_each_metric_is_tried_against_are_bounded():
    spec: dict[str, Any] = template("t", 2_000)["spec"]
    spec["dryRun"] = [{"metricName": f"m{i}.*"} for i in range(2_000)]
    assert "dryRun has 2000 patterns for 2000 metrics: at most 50000 pairs" in ended(carried_out(spec))


def test_analyses_that_multiply_with_their_templates_are_bounded():
    """Three thousand steps with two thousand metrics each are checked before anything begins."""
    steps = [{"analysis": {"templates": [{"templateName": "t"}]}} for _ in range(3_000)]
    assert ended(decided(rollout(steps=steps), objects=[template("t", 2_000)])) == ""
