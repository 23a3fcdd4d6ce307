"""The counts of a look, from any provider of numbers, all for the same time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import Any

import msgspec

from serinus.analysis.providers.errors import ProviderError
from serinus.analysis.providers.prometheus import Prometheus
from serinus.analysis.providers.provider import MeasurementRequest, QueryProvider
from serinus.analysis.providers.registry import provider
from serinus.analysis.providers.web import Web, results
from serinus.analysis.sequential.metric import SequentialMetric, configuration
from serinus.analysis.sequential.settings import SetupError
from serinus.api.analysis import Metric
from serinus.api.decoding.reading import converted

PATHS = {"web": "jsonPath"}
"""The field for the text of a query, if it is not `query`."""


class NoCounts(Exception):
    """A look that is not usable now, with the reason. `foreign`: the foreign text at its end."""

    def __init__(self, own: str, foreign: str = "") -> None:
        super().__init__(own + foreign)
        self.own, self.foreign = own, foreign


class Counting:
    """The counts of one metric. It is used for all looks of a run: what does not change between looks is computed once."""

    def __init__(self, metric: SequentialMetric, call: MeasurementRequest) -> None:
        """SetupError for a configuration that the counting provider does not accept."""
        self._metric = metric
        self._provider = provider(metric.provider)
        texts = {field: query for field, query in metric.queries.items() if isinstance(query, str)}
        whole, provided = len(texts) == len(metric.queries), self._provider
        self._together = texts if whole and _in_one_request(provided, metric) else {}
        parts = [metric.base] if self._together else [part_of(metric, field) for field in metric.queries]
        self._requests = [self._request(part, call) for part in parts]

    def _request(self, part: Mapping[str, Any], call: MeasurementRequest) -> tuple[Any, Metric, Metric]:
        """(configuration, metric, metric without secrets) of the counting provider."""
        name = self._metric.provider
        try:
            config = converted(dict(part), self._provider.config)
        except msgspec.ValidationError as error:
            raise SetupError("counts", str(error)) from None
        inner = msgspec.structs.replace(call.metric, provider={name: dict(part)})
        if call.shown is None:
            return config, inner, inner
        counts = (configuration(call.shown) or {}).get("counts")
        shown = counts.get(name) if isinstance(counts, dict) else None
        return config, inner, msgspec.structs.replace(inner, provider={name: shown})

    async def counts(self, call: MeasurementRequest) -> dict[str, float]:
        """A number for each query of the metric, by its field, all for the time at which this is called.

        NoCounts for a gap, SetupError for a permanent error.
        """
        at = call.now
        calls = [
            (config, MeasurementRequest(call.run, inner, call.reach, call.number, shown, call.hidden, at))
            for config, inner, shown in self._requests
        ]
        try:
            results = await self._results(calls)
        except ProviderError as error:
            raise NoCounts(error.own, error.foreign) from error
        return {field: _number(field, result, self._metric) for field, result in results.items()}

    async def _results(self, calls: list[tuple[Any, MeasurementRequest]]) -> dict[str, Any]:
        asked, texts = self._provider, self._together
        if texts:
            ((config, call),) = calls
            if isinstance(asked, Prometheus):
                return await asked.query_all(config, texts, call)
            assert isinstance(asked, Web)  # `_in_one_request` accepts no others
            answer = await asked.answer(config, call)
            return await call.taken(answer, lambda: results(answer.body, texts))
        assert isinstance(asked, QueryProvider)  # `COUNTING` names no others
        readings = await asyncio.gather(*(asked.query(config, call) for config, call in calls))
        return {field: reading.result for field, reading in zip(self._metric.queries, readings, strict=True)}


def part_of(metric: SequentialMetric, field: str) -> dict[str, Any]:
    """The configuration of the counting provider with the query of a field."""
    query = metric.queries[field]
    part = {PATHS.get(metric.provider, "query"): query} if isinstance(query, str) else query
    return {**metric.base, **part}


def _in_one_request(asked: Any, metric: SequentialMetric) -> bool:
    """Whether one response has all numbers. Several responses could be of different times."""
    return isinstance(asked, Web) or (isinstance(asked, Prometheus) and "rangeQuery" not in metric.base)


def _number(field: str, result: Any, metric: SequentialMetric) -> float:
    value = result
    if isinstance(value, dict):
        numbers = [one for one in value.values() if isinstance(one, int | float) and not isinstance(one, bool)]
        value = value.get("Values", numbers)
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        return _number(field, value[0], metric)
    if isinstance(value, list) and metric.provider == "cloudWatch":
        value = [sum(value)] if value else []
    if value is None or value == []:
        raise NoCounts(f"counts.{field}: the query gives no data", _hint(field, metric))
    if isinstance(value, list):
        if len(value) > 1:
            raise SetupError(f"counts.{field}", f"the query gives {len(value)} series, and a count is one: sum them")
        value = value[0]
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        raise SetupError(f"counts.{field}", "the query gives no number") from None
    return number


def _hint(field: str, metric: SequentialMetric) -> str:
    if metric.provider == "prometheus" and field.endswith(".errors"):
        return (
            ". Prometheus has no series for a counter before its first error: write `(QUERY) or 0 * (QUERY OF REQUESTS)`, "
            "which is 0 only where requests are counted"
        )
    return ""
