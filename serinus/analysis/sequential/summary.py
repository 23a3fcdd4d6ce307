"""A verdict in words and as JSON, for the status, `why`, the dashboard and notifications. Pure."""

from __future__ import annotations

from math import exp
from typing import Any

import msgspec

from serinus.analysis.sequential.record import Record
from serinus.analysis.sequential.tally import Tally, Verdict
from serinus.api.messages.counted import counted

CERTAIN_RATIO = 3.0
"""The ratio of error rates for the projection."""
HIGHEST = 690.0
"""Logarithm of the highest evidence that is printed as a number."""


class Evidence(msgspec.Struct, frozen=True, rename="camel"):
    """Evidence against its limit: 11 of 20."""

    harm: float
    harm_limit: float
    safe: float
    safe_limit: float


class Summary(msgspec.Struct, frozen=True, rename="camel"):
    """`ratio`: interval of error rates of canary over stable, null for no limit. `certain_in`: seconds until a
    threefold rate would be certain at the current traffic, null without a projection. `missing`: the same as a
    sentence.
    """

    verdict: str
    evidence: Evidence
    log_harm: float
    log_safe: float
    dispersion: float
    ratio: tuple[float | None, float | None]
    looks: int
    unused: int
    requests: dict[str, float]
    errors: dict[str, float]
    certain_in: float | None
    missing: str


def summary(record: Record, interval: float) -> Summary:
    """`interval`: seconds between looks."""
    tally, settings = record.tally, record.settings
    last = record.last or Verdict("undecided", 0.0, 0.0, 0.0, 0.0, tally.dispersion, 0)
    harm, safe = _evidence(last.log_harm_adjusted), _evidence(last.log_safe_adjusted)
    low, high = tally.ratio_interval()
    further = tally.looks_until_harm(CERTAIN_RATIO) if last.verdict == "undecided" else None
    certain = None if further is None else further * interval
    n_c, k_c, n_s, k_s = tally.totals
    limits = _rounded(1 / settings.false_abort), _rounded(1 / settings.false_pass)
    return Summary(
        last.verdict,
        Evidence(harm, limits[0], safe, limits[1]),
        round(last.log_harm, 9),
        round(last.log_safe, 9),
        round(last.dispersion, 4),
        (_rounded(low), _rounded(high)),
        tally.looks,
        record.course.unused,
        {"canary": n_c, "stable": n_s},
        {"canary": k_c, "stable": k_s},
        certain,
        _missing(tally, last, harm, safe, certain),
    )


def _missing(tally: Tally, last: Verdict, harm: float, safe: float, certain: float | None) -> str:
    settings = tally.settings
    if last.verdict == "harm":
        return f"harm after {counted(tally.looks, 'look')}: evidence {number(harm)}, limit {number(1 / settings.false_abort)}"
    if last.verdict == "safe":
        return f"safe after {counted(tally.looks, 'look')}: at most {settings.false_pass:.3g} of bad versions are called so"
    if not tally.totals.canary_requests:
        return "the canary has had no requests yet"
    evidence = (
        f"evidence of harm {number(harm)} of {number(1 / settings.false_abort)}, "
        f"of safety {number(safe)} of {number(1 / settings.false_pass)}"
    )
    if certain is None:
        return f"{evidence}; at today's traffic a threefold rate would not be found"
    return f"{evidence}; at today's traffic a threefold rate would be certain in about {_duration(certain)}"


def number(value: float) -> str:
    """Evidence in short: `0.4`, `11`, `20`, `3e+08`."""
    return f"{value:.0f}" if 10 <= value < 1e5 else f"{value:.2g}"


def _evidence(logarithm: float) -> float:
    return float(f"{exp(min(logarithm, HIGHEST)):.4g}")


def _rounded(value: float | None) -> Any:
    return None if value is None else float(f"{value:.4g}")


def _duration(seconds: float) -> str:
    if seconds < 90:
        return counted(round(seconds), "second")
    return counted(round(seconds / 60), "minute") if seconds < 5400 else counted(round(seconds / 3600, 1), "hour")
