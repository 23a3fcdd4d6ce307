"""The course of a sequential verdict, look by look, recomputed from the looks in its measurement. Pure."""

from __future__ import annotations

from math import log

import msgspec

from serinus.analysis.sequential.record import Record, record_of
from serinus.analysis.sequential.settings import SetupError, VerdictSettings
from serinus.analysis.sequential.summary import number
from serinus.analysis.sequential.tally import Tally
from serinus.api.analysis import Measurement
from serinus.api.messages.counted import counted

SHOWN = 60
"""Most looks of a curve. Of more looks, it shows evenly spread ones and the latest."""


class CurvePoint(msgspec.Struct, frozen=True):
    """The state after a look. `harm`, `safe`: natural logarithms of the evidence. `low`, `high`: the remaining range of
    the ratio of error rates, None for no limit."""

    look: int
    harm: float
    safe: float
    low: float | None
    high: float | None


class Curve(msgspec.Struct, frozen=True, rename="camel"):
    """`harm_limit`, `safe_limit`: as logarithms. `earlier`: number of looks that are kept only as sums.

    `words`: its present state, as a sentence.
    """

    points: tuple[CurvePoint, ...]
    harm_limit: float
    safe_limit: float
    tolerated: float
    margin: float
    verdict: str
    dispersion: float
    earlier: int
    words: str


def verdict_curve(measurement: Measurement) -> Curve | None:
    """The curve; None for a measurement without a sequential verdict or with unreadable looks."""
    metadata = measurement.metadata
    if "settings" not in metadata or "looks" not in metadata:
        return None
    try:
        settings = msgspec.json.decode(metadata["settings"], type=VerdictSettings)
        record = record_of(settings, metadata)
        return _curve(settings, record)
    except (msgspec.DecodeError, SetupError, ValueError):
        return None


def _curve(settings: VerdictSettings, record: Record) -> Curve | None:
    looks, tally = record.looks, record.resumed()
    earlier = tally.looks
    every = max(1, -(-len(looks) // SHOWN))
    points: list[CurvePoint] = []
    for place, look in enumerate(looks):
        verdict = tally.add(look)
        if place % every == every - 1 or place == len(looks) - 1:
            low, high = tally.ratio_interval()
            harm, safe = verdict.log_harm_adjusted, verdict.log_safe_adjusted
            points.append(CurvePoint(verdict.looks, round(harm, 4), round(safe, 4), _short(low), _short(high)))
    if not points:
        return None
    return Curve(
        tuple(points),
        -log(settings.false_abort),
        -log(settings.false_pass),
        settings.tolerated,
        settings.margin,
        tally.word,
        round(tally.dispersion, 3),
        earlier,
        _words(tally, points[-1]),
    )


def _words(tally: Tally, last: CurvePoint) -> str:
    ratio = (
        f"{'0' if last.low is None else number(last.low)} to {'any number' if last.high is None else number(last.high)}"
    )
    return f"{tally.word} after {counted(tally.looks, 'look')}; the canary fails {ratio} times as often as the stable version"


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
