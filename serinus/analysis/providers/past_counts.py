"""The looks that a sequential metric would have taken in the past, from range queries of its counting provider.

Only Prometheus supports this: other providers return one current number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import isfinite

from serinus.analysis.providers.counts import NoCounts
from serinus.analysis.providers.errors import ProviderError
from serinus.analysis.providers.prometheus import Prometheus, PrometheusConfig
from serinus.analysis.providers.provider import Call, Reach
from serinus.analysis.sequential.looks import FIELDS, Look, checked_look
from serinus.analysis.sequential.metric import SequentialMetric
from serinus.analysis.sequential.settings import SetupError
from serinus.api.analysis import AnalysisRun, Metric
from serinus.api.decoding.reading import converted
from serinus.api.meta import ObjectMeta

DECIMALS = 3
EXTRAPOLATED = 1.1
"""Errors may exceed requests by this factor plus one: `increase()` extrapolates each series separately."""


async def past_looks(
    metric: SequentialMetric, fields: Sequence[str], start: float, end: float, reach: Reach
) -> tuple[list[Look], int]:
    """(looks, times without one of the counts), one at each interval from `start` to `end`.

    `fields`: the queried ones of FIELDS; the others are 0. NoCounts if the provider does not answer, SetupError for an
    invalid count.
    """
    if metric.provider != "prometheus":
        raise SetupError(
            f"counts.{metric.provider}",
            "has no range queries here: -f reads the past from `counts.prometheus` only. Export looks of the past as JSON "
            "lines, such as [20, 0, 180, 2], and pipe them to `serinus verdict calibrate`",
        )
    config = converted(dict(metric.base), PrometheusConfig)
    inner = Metric("past", {"prometheus": dict(metric.base)})
    call = Call(AnalysisRun(ObjectMeta()), inner, reach)
    step = metric.interval
    times = [start + step * place for place in range(int((end - start) / step) + 1)]
    series: dict[str, Mapping[float, float]] = {}
    for field in fields:
        query = metric.queries[field]
        if not isinstance(query, str):
            raise SetupError(f"counts.{field}", "is no query")
        try:
            series[field] = await Prometheus().ask_range(config, query, times, step, call)
        except ProviderError as error:
            raise NoCounts(f"counts.{field}: {error.own}", error.said) from error
    rows = [_row(series, at) for at in sorted({at for points in series.values() for at in points})]
    found = _differences(rows) if metric.totals else [row for row in rows if row is not None]
    return [_look(row) for row in found], max(0, len(times) - len(found) - int(metric.totals))


def _row(series: Mapping[str, Mapping[float, float]], at: float) -> list[float] | None:
    """The four numbers at this time; None if one is missing."""
    row = [series[field].get(at) if field in series else 0.0 for field in FIELDS]
    numbers = [number for number in row if number is not None and isfinite(number)]
    return numbers if len(numbers) == len(FIELDS) else None


def _differences(rows: Sequence[list[float] | None]) -> list[list[float]]:
    """The increases of totals between two times, without those in which a counter decreased."""
    found: list[list[float]] = []
    for before, after in pairwise(rows):
        if before is not None and after is not None:
            row = [later - earlier for earlier, later in zip(before, after, strict=True)]
            if min(row) >= 0:
                found.append(row)
    return found


def _look(row: list[float]) -> Look:
    for place in (0, 2):
        requests, errors = row[place : place + 2]
        if requests < errors <= requests * EXTRAPOLATED + 1:
            row[place + 1] = requests
    return checked_look([round(number, DECIMALS) for number in row])
