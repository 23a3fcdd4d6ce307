"""The numbers of a metric: text is read, what is left out has its default (spec/analysis.md §2, Defaults)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from serinus.analysis.sequential.metric import configuration
from serinus.api.analysis import Metric
from serinus.api.durations import go_duration

UNLIMITED = 0
"""As `count`: the metric is measured for as long as the run lasts."""

RETRY_SECONDS = 10.0
"""After a measurement that gave an error, whatever the interval is."""

RESUME_SECONDS = 1.0
"""At least this long until an unfinished measurement is looked at again, whatever its provider says."""

KEPT = 10
"""Measurements of a metric that stay in the status, where no rule says otherwise."""


def number(value: int | str | None, default: int = 0) -> int:
    """A number, or text with a decimal one; 0 for text that holds none."""
    if value is None:
        return default
    if isinstance(value, int):
        return value
    return int(value) if re.fullmatch(r"[+-]?\d{1,18}", value, re.ASCII) else 0


@dataclass(frozen=True, slots=True)
class Limits:
    """`count`: how many measurements there will be at most (UNLIMITED: no bound). `failures`: -1 for off; `successes`: 0."""

    count: int
    failures: int
    inconclusive: int
    errors: int
    successes: int
    interval: float
    initial_delay: float


def limits_of(metric: Metric) -> Limits:
    """For a metric with its arguments filled in, and validated."""
    count = number(metric.count)
    if configuration(metric) is not None:
        # One measurement, which takes all looks and ends the metric, whichever way it ends.
        return Limits(
            1,
            0,
            0,
            number(metric.consecutive_error_limit, 4),
            0,
            _seconds(metric.interval),
            _seconds(metric.initial_delay),
        )
    return Limits(
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
