"""The looks that a sequential metric would have taken in the past, from its counting provider (`QueryProvider.past`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import isfinite

import msgspec

from serinus.analysis.providers.counts import NoCounts, part_of
from serinus.analysis.providers.errors import ProviderError
from serinus.analysis.providers.provider import MeasurementRequest, ProviderContext, QueryProvider
from serinus.analysis.providers.registry import provider, providers
from serinus.analysis.sequential.looks import FIELDS, Look, checked_look
from serinus.analysis.sequential.metric import COUNTING, SequentialMetric
from serinus.analysis.sequential.settings import SetupError
from serinus.api.analysis import AnalysisRun, Metric
from serinus.api.decoding.reading import converted
from serinus.api.meta import ObjectMeta

DECIMALS = 3
EXTRAPOLATED = 1.1
"""Errors may exceed requests by this factor plus one: `increase()` extrapolates each series separately."""


async def past_looks(
    metric: SequentialMetric,
    fields: Sequence[str],
    start: float,
    end: float,
    reach: ProviderContext,
    namespace: str = "",
) -> tuple[list[Look], int]:
    """(looks, times without one of the counts), one at each interval from `start` to `end`.

    `fields`: the queried ones of FIELDS; the others are 0. `namespace`: of Secrets that are not the controller's.
    NoCounts if the provider does not answer, SetupError for an invalid count or a provider that keeps no past.
    """
    asked, step = provider(metric.provider), metric.interval
    if not isinstance(asked, QueryProvider) or not asked.keeps_past:
        raise SetupError(
            f"counts.{metric.provider}",
            f"has no queries of the past here: -f reads them from {', '.join(with_past())}. Export looks of the past as JSON "
            "lines, such as [20, 0, 180, 2], and pipe them to `serinus verdict calibrate`",
        )
    run = AnalysisRun(ObjectMeta(namespace=namespace))
    times = [start + step * place for place in range(int((end - start) / step) + 1)]
    series: dict[str, Mapping[float, float]] = {}
    for field in fields:
        part = part_of(metric, field)
        try:
            config = converted(part, asked.config)
            series[field] = await asked.past(
                config, times, step, MeasurementRequest(run, Metric("past", {asked.key: part}), reach)
            )
        except msgspec.ValidationError as error:
            raise SetupError(f"counts.{field}", str(error)) from None
        except ProviderError as error:
            raise NoCounts(f"counts.{field}: {error.own}", error.foreign) from error
    rows = [_row(series, at) for at in sorted({at for points in series.values() for at in points})]
    counts = _differences(rows) if metric.totals else [row for row in rows if row is not None]
    return [_look(row) for row in counts], max(0, len(times) - len(counts) - int(metric.totals))


def with_past() -> list[str]:
    """The keys of the counting providers that keep a past."""
    known = providers()
    return [key for key in COUNTING if isinstance(one := known[key], QueryProvider) and one.keeps_past]


def _row(series: Mapping[str, Mapping[float, float]], at: float) -> list[float] | None:
    """The four numbers at this time; None if one is missing."""
    row = [series[field].get(at) if field in series else 0.0 for field in FIELDS]
    numbers = [number for number in row if number is not None and isfinite(number)]
    return numbers if len(numbers) == len(FIELDS) else None


def _differences(rows: Sequence[list[float] | None]) -> list[list[float]]:
    """The increases of totals between two times, without those in which a counter decreased."""
    increases: list[list[float]] = []
    for before, after in pairwise(rows):
        if before is not None and after is not None:
            row = [later - earlier for earlier, later in zip(before, after, strict=True)]
            if min(row) >= 0:
                increases.append(row)
    return increases


def _look(row: list[float]) -> Look:
    for place in (0, 2):
        requests, errors = row[place : place + 2]
        if requests < errors <= requests * EXTRAPOLATED + 1:
            row[place + 1] = requests
    return checked_look([round(number, DECIMALS) for number in row])
