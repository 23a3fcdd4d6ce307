"""The phases of measurements and metrics, from their values (spec/analysis.md §2). Pure."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple

import msgspec

from serinus.analysis.expr.condition import CompiledCondition
from serinus.analysis.expr.errors import ConditionError, TooMuchWork
from serinus.analysis.expr.limits import STEPS
from serinus.analysis.limits import UNLIMITED, AnalysisLimits
from serinus.analysis.phases import COMPLETED, ERROR, FAILED, INCONCLUSIVE, RUNNING, SUCCESSFUL
from serinus.api.analysis import Measurement, Metric, MetricResult

NO_DATA = "metric result is nil or empty: no data returned from the metric provider"
LONGEST_VALUE = 10_000
"""Characters of a value in the status. Conditions use the whole value; the status shows its beginning."""


MOST_KEPT = 200_000
"""Characters of the cached conditions: each may take a hundred bytes of memory."""


class _Conditions:
    """A cache of parsed conditions. The least recently used one is dropped."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, CompiledCondition] = OrderedDict()
        self._size = 0

    def get(self, text: str) -> CompiledCondition:
        condition = self._kept.get(text)
        if condition is not None:
            self._kept.move_to_end(text)
            return condition
        condition = self._kept[text] = CompiledCondition(text)
        self._size += len(text)
        while self._size > MOST_KEPT:
            oldest, _ = self._kept.popitem(last=False)
            self._size -= len(oldest)
        return condition


_conditions = _Conditions()


class JudgedResult(NamedTuple):
    """The phase of a measurement, and why a condition had no value: our text, and text that depends on the result."""

    phase: str
    own: str = ""
    foreign: str = ""


class _NoValue(Exception):
    """(the controller's own text, text that depends on the condition's values)."""


def judged(metric: Metric, result: Any, now: float, shown: Metric | None = None, steps: int = STEPS) -> JudgedResult:
    """The phase of a result by the conditions. `shown`: the metric without secret values, if it has any.

    `steps`: of each condition. TooMuchWork for one that needs more than these, and not more than STEPS.
    """
    visible = shown or metric
    try:
        success = _holds("successCondition", metric.success_condition, visible.success_condition, result, now, steps)
        failure = _holds("failureCondition", metric.failure_condition, visible.failure_condition, result, now, steps)
    except _NoValue as why:
        return JudgedResult(ERROR, *why.args)
    if failure:
        return JudgedResult(FAILED)
    if success is None or success:
        return JudgedResult(SUCCESSFUL)
    return JudgedResult(FAILED if failure is None else INCONCLUSIVE)


def _holds(name: str, text: str, shown: str, result: Any, now: float, steps: int) -> bool | None:
    """The value of the condition; None without a condition."""
    if not text:
        return None
    try:
        return _conditions.get(text).holds(result, now, steps)
    except ConditionError as error:
        if isinstance(error, TooMuchWork) and steps < STEPS:
            raise
        own = f'could not evaluate {name} "{shown}": '
        if result is None or result == []:
            raise _NoValue(own + NO_DATA, "") from None
        raise _NoValue(own, str(error)) from None


def counted(result: MetricResult, phase: str) -> MetricResult:
    """The metric's counters after one more measurement that ended in `phase`."""
    changes: dict[str, int] = {
        "consecutive_success": result.consecutive_success + 1 if phase == SUCCESSFUL else 0,
        "consecutive_error": result.consecutive_error + 1 if phase == ERROR else 0,
    }
    if phase != ERROR:
        changes["count"] = result.count + 1
    field = {SUCCESSFUL: "successful", FAILED: "failed", INCONCLUSIVE: "inconclusive", ERROR: "error"}[phase]
    changes[field] = getattr(result, field) + 1
    return msgspec.structs.replace(result, **changes)


def exceeded(limits: AnalysisLimits, result: MetricResult) -> tuple[str, str] | None:
    """(phase, limit) of a metric that exceeded one of its limits. Errors take precedence."""
    if result.consecutive_error > limits.errors:
        return ERROR, f"consecutiveErrors ({result.consecutive_error}) > consecutiveErrorLimit ({limits.errors})"
    if result.inconclusive > limits.inconclusive:
        return INCONCLUSIVE, f"inconclusive ({result.inconclusive}) > inconclusiveLimit ({limits.inconclusive})"
    if limits.failures >= 0 and result.failed > limits.failures:
        return FAILED, f"failed ({result.failed}) > failureLimit ({limits.failures})"
    return None


def metric_phase(limits: AnalysisLimits, result: MetricResult, *, terminating: bool) -> str:
    """The phase of a measured metric: the first rule that applies."""
    if result.phase in COMPLETED:
        return result.phase
    last = last_measurement(result)
    if last is None or last.finished_at is None:
        return RUNNING
    beyond = exceeded(limits, result)
    if beyond is not None:
        return beyond[0]
    if 0 < limits.successes <= result.consecutive_success:
        return SUCCESSFUL
    if limits.count != UNLIMITED and result.count >= limits.count:
        if limits.successes == 0:
            return SUCCESSFUL
        return INCONCLUSIVE if limits.failures >= 0 else FAILED
    return SUCCESSFUL if terminating else RUNNING


def last_measurement(result: MetricResult | None) -> Measurement | None:
    return result.measurements[-1] if result is not None and result.measurements else None
