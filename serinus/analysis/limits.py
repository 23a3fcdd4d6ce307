"""The numbers of a metric, parsed from text, with defaults (spec/analysis.md §2, Defaults)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from serinus.analysis.sequential.metric import configuration
from serinus.api.analysis import Metric
from serinus.api.values.durations import go_duration

UNLIMITED = 0
"""As `count`: the metric is measured for as long as the run lasts."""

RETRY_SECONDS = 10.0
"""The pause after a measurement with an error, for any interval."""

RESUME_SECONDS = 1.0
"""The least pause before an unfinished measurement is resumed, for any provider."""

KEPT = 10
"""Measurements of a metric that stay in the status, unless a rule sets another number."""


def number(value: int | str | None, default: int = 0) -> int:
    """A number, or the value of decimal text; 0 for other text."""
    if value is None:
        return default
    if isinstance(value, int):
        return value
    return int(value) if re.fullmatch(r"[+-]?\d{1,18}", value, re.ASCII) else 0


@dataclass(frozen=True, slots=True)
class AnalysisLimits:
    """`count`: the most measurements (UNLIMITED: no limit). `failures`: -1 turns it off; `successes`: 0 does."""

    count: int
    failures: int
    inconclusive: int
    errors: int
    successes: int
    interval: float
    initial_delay: float


def limits_of(metric: Metric) -> AnalysisLimits:
    """The limits of a valid metric with its arguments filled in."""
    count = number(metric.count)
    if configuration(metric) is not None:
        # One measurement takes all looks. Its end, with any result, ends the metric.
        return AnalysisLimits(
            1,
            0,
            0,
            number(metric.consecutive_error_limit, 4),
            0,
            _seconds(metric.interval),
            _seconds(metric.initial_delay),
        )
    return AnalysisLimits(
        count=count if count > 0 else (UNLIMITED if metric.interval else 1),
        failures=number(metric.failure_limit),
        inconclusive=number(metric.inconclusive_limit),
        errors=number(metric.consecutive_error_limit, 4),
        successes=number(metric.consecutive_success_limit),
        interval=_seconds(metric.interval),
        initial_delay=_seconds(metric.initial_delay),
    )


def _seconds(text: str) -> float:
    return go_duration(text) if text else 0.0
