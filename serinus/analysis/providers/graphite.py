"""Graphite, its render API (spec/analysis.md §4, graphite)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from serinus.analysis.expr.values import Floats
from serinus.analysis.providers.errors import UNREADABLE, ProviderError
from serinus.analysis.providers.http.client import HttpResponse, bare
from serinus.analysis.providers.past_points import points_by_look
from serinus.analysis.providers.provider import MeasurementRequest, QueryProvider, Reading

SECONDS = 10
_SPAN = re.compile(r"(?:^|&)(?:from|until)=[^&]*+")


class GraphiteConfig(msgspec.Struct):
    address: str = ""
    query: str = ""


class Graphite(QueryProvider[GraphiteConfig]):
    type = "Graphite"
    key = "graphite"
    config = GraphiteConfig
    request = "its render API: `query: target=…`"
    result = "a list of numbers"

    async def query(self, config: GraphiteConfig, call: MeasurementRequest) -> Reading:
        answer = await _asked(config, config.query, call)
        return await call.read(answer, lambda: _reading(answer.json()))

    async def past(
        self, config: GraphiteConfig, times: Sequence[float], step: float, call: MeasurementRequest
    ) -> dict[float, float]:
        """The same targets for the whole time: `from` and `until` are replaced."""
        targets = _SPAN.sub("", config.query.lstrip("?"))
        query = f"{targets}&from={int(times[0] - step)}&until={int(times[-1])}"
        answer = await _asked(config, query, call)
        points = await call.taken(answer, lambda: _past_points(answer.json()))
        values_by_time = points_by_look(points, times, step)
        most = max(map(len, values_by_time.values()), default=0)
        if most > 1:
            raise ProviderError(
                f"Graphite answers {most} points for {step:g} s, and a count is one number: use "
                f"`summarize(…, '{step:g}s', 'sum')`"
            )
        return {time: values[0] for time, values in values_by_time.items()}


async def _asked(config: GraphiteConfig, query: str, call: MeasurementRequest) -> HttpResponse:
    shown = call.shown_config(Graphite.key, GraphiteConfig).address
    try:
        parts = urlsplit(config.address)
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in ("http", "https") or not parts.netloc:
        raise ProviderError(f"Graphite address {bare(shown)} is not a valid URL")
    compact = re.sub(r"\s", "", query)
    url = f"{config.address.rstrip('/')}/render?{compact}&format=json"
    answer = await call.reach.http.request("GET", url, seconds=SECONDS, shown=f"{shown.rstrip('/')}/render")
    if answer.status >= 400:
        raise ProviderError("error response: ", answer.text)
    return answer


def _past_points(targets: Any) -> list[tuple[float, float]]:
    """(time, value) of the only series, without Graphite's nulls."""
    try:
        if len(targets) > 1:
            raise ProviderError(f"the query gives {len(targets)} series, and a count is one: sum them")
        return [(float(at), float(value)) for one in targets for value, at in one["datapoints"] if value is not None]
    except UNREADABLE as error:
        raise ProviderError("the answer of Graphite cannot be read: ", error) from error


def _reading(targets: Any) -> Reading:
    """The values of the first series, without Graphite's nulls."""
    try:
        points: list[Any] = targets[0]["datapoints"] if targets else []
        values = Floats(float(value) for value, _ in points if value is not None)
    except UNREADABLE as error:
        raise ProviderError("the answer of Graphite cannot be read: ", error) from error
    if not values:
        raise ProviderError("no values found")
    return Reading(values, f"[{','.join(f'{value:.6f}' for value in values)}]")


PROVIDER = Graphite()
