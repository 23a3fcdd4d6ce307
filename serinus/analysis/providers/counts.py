"""The counts of a look, from any provider of numbers, all for the same time."""

from __future__ import annotations

import asyncio
import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import msgspec

from serinus.analysis.providers.errors import ProviderError
from serinus.analysis.providers.prometheus import Prometheus, PrometheusConfig
from serinus.analysis.providers.provider import Call, QueryProvider
from serinus.analysis.providers.registry import provider
from serinus.analysis.providers.web import Web, WebConfig, reading
from serinus.analysis.sequential.metric import SequentialMetric, configuration
from serinus.analysis.sequential.settings import SetupError
from serinus.api.decoding.reading import converted

PATHS = {"web": "jsonPath"}
"""The field for the text of a query, if it is not `query`."""


class NoCounts(Exception):
    """A look that is not usable now, with the reason. `said`: the foreign text at its end."""

    def __init__(self, own: str, said: str = "") -> None:
        super().__init__(own + said)
        self.own, self.said = own, said


async def counts(metric: SequentialMetric, call: Call) -> dict[str, float]:
    """A number for each query of the metric, by its field. NoCounts for a gap, SetupError for a permanent error."""
    at = call.now
    frozen = dataclasses.replace(call, reach=dataclasses.replace(call.reach, clock=lambda: at))
    try:
        results = await _results(metric, frozen)
    except ProviderError as error:
        raise NoCounts(error.own, error.said) from error
    return {field: _number(field, result, metric) for field, result in results.items()}


async def _results(metric: SequentialMetric, call: Call) -> dict[str, Any]:
    texts = {field: query for field, query in metric.queries.items() if isinstance(query, str)}
    asked = provider(metric.provider)
    if isinstance(asked, Prometheus) and len(texts) == len(metric.queries) and "rangeQuery" not in metric.base:
        return await asked.query_all(_config(metric.base, PrometheusConfig), texts, _call(call, metric, metric.base))
    if isinstance(asked, Web) and len(texts) == len(metric.queries):
        return await _of_one_page(asked, metric, texts, call)
    found = await asyncio.gather(*(_asked(asked, metric, query, call) for query in metric.queries.values()))
    return dict(zip(metric.queries, found, strict=True))


async def _of_one_page(web: Web, metric: SequentialMetric, paths: Mapping[str, str], call: Call) -> dict[str, Any]:
    """All numbers of one response: several responses could be of different times."""
    answer = await web.answer(_config(metric.base, WebConfig), _call(call, metric, metric.base))

    def numbers() -> dict[str, Any]:
        return {field: reading(answer.body, path).result for field, path in paths.items()}

    return await call.taken(answer, numbers)


async def _asked(asked: Any, metric: SequentialMetric, query: str | Mapping[str, Any], call: Call) -> Any:
    part = {PATHS.get(metric.provider, "query"): query} if isinstance(query, str) else query
    config = {**metric.base, **part}
    assert isinstance(asked, QueryProvider)  # `COUNTING` names no others
    return (await asked.query(_config(config, asked.config), _call(call, metric, config))).result


def _config(config: Mapping[str, Any], kind: Any) -> Any:
    try:
        return converted(dict(config), kind)
    except msgspec.ValidationError as error:
        raise SetupError("counts", str(error)) from None


def _call(call: Call, metric: SequentialMetric, config: Mapping[str, Any]) -> Call:
    """The call with a metric of the counting provider."""
    inner = msgspec.structs.replace(call.metric, provider={metric.provider: dict(config)})
    counts = (configuration(call.shown) or {}).get("counts") if call.shown is not None else {metric.provider: config}
    part = counts.get(metric.provider) if isinstance(counts, dict) else None
    return dataclasses.replace(
        call, metric=inner, shown=msgspec.structs.replace(inner, provider={metric.provider: part})
    )


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
