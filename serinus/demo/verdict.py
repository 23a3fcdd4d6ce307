"""Measures the automatic rollback of a version that fails too often, and the failed requests it caused."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from serinus.demo.traffic import TimedAnswer

GATEWAY_SECONDS = 2.0
"""Seconds after weight 0 in which the gateway may still send a request to the new version: usually 0.1 s, more on a
busy machine."""

TOLD_TO_FAIL = "status 500"
"""The failure that the demo application returns on purpose; any other failure is Serinus' own."""


@dataclass
class Moments:
    """Times in seconds of the clock that stamps the answers; None if not reached."""

    released: float | None = None
    """The new version was applied."""
    measured: float | None = None
    """The deciding measurement was observed."""
    decided: float | None = None
    """The run's failure was observed."""
    taken_back: float | None = None
    """Weight 0 of the new version was observed."""


@dataclass
class Cost:
    """Failed requests. `after`: sent before the release, or once the old version had all of the traffic again."""

    meanwhile: int = 0
    after: int = 0
    last: float = 0.0
    """Seconds from weight 0 to the sending of the last failed request; 0 if none came later."""
    foreign: Counter[str] = field(default_factory=Counter[str])
    """Failures other than the new version's own errors."""


def cost(answers: Sequence[TimedAnswer], moments: Moments) -> Cost:
    spent = Cost()
    start = math.inf if moments.released is None else moments.released
    end = math.inf if moments.taken_back is None else moments.taken_back + GATEWAY_SECONDS
    for answer in answers:
        if not answer.failure:
            continue
        if start <= answer.sent < end:
            spent.meanwhile += 1
        else:
            spent.after += 1
        if moments.taken_back is not None:
            spent.last = max(spent.last, answer.sent - moments.taken_back)
        if answer.failure != TOLD_TO_FAIL:
            spent.foreign[answer.failure] += 1
    return spent


def success_rate(value: str) -> float | None:
    """The share of good answers, from 0 to 1, in a measurement's value; None if it has none."""
    try:
        rate: Any = json.loads(value)
    except ValueError:
        return None
    if isinstance(rate, list):
        rate = rate[0] if rate else None
    elif isinstance(rate, dict):
        rate = rate.get("successRate")
    return round(float(rate), 4) if isinstance(rate, int | float) and math.isfinite(rate) else None


def problems(value: float | None, threshold: float, spent: Cost) -> list[str]:
    """A sentence for each failed check; [] if there is none."""
    sentences: list[str] = []
    if value is None or value >= threshold:
        sentences.append(f"the value that decided was {value}, and the threshold is {threshold}")
    if spent.after:
        sentences.append(
            f"{spent.after} request{'' if spent.after == 1 else 's'} failed while the old version had all of the traffic"
        )
    sentences += [f"{times} × {failure}" for failure, times in spent.foreign.most_common(5)]
    return sentences


def summary(
    provider: str, moments: Moments, value: float | None, threshold: float, spent: Cost, requests: int, seconds: float
) -> dict[str, Any]:
    """`verdict_seconds`: release to verdict. `taken_back_seconds`: deciding measurement to weight 0. Both as observed
    by a watch. `last_failure_seconds`: weight 0 to the last failed request."""
    return {
        "provider": provider,
        "verdict_seconds": _between(moments.released, moments.decided),
        "taken_back_seconds": _between(moments.measured, moments.taken_back),
        "requests": requests,
        "failed_meanwhile": spent.meanwhile,
        "failed_after": spent.after,
        "last_failure_seconds": round(spent.last, 3),
        "value": value,
        "threshold": threshold,
        "seconds": round(seconds, 1),
    }


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else round(end - start, 3)
