"""Graphite, its render API (spec/analysis.md §4, graphite)."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import msgspec

from serinus.analysis.expr.values import Floats
from serinus.analysis.providers.errors import UNREADABLE, ProviderError
from serinus.analysis.providers.http.client import bare
from serinus.analysis.providers.provider import Call, QueryProvider, Reading

SECONDS = 10


class GraphiteConfig(msgspec.Struct):
    address: str = ""
    query: str = ""


class Graphite(QueryProvider[GraphiteConfig]):
    type = "Graphite"
    key = "graphite"
    config = GraphiteConfig
    request = "its render API: `query: target=…`"
    result = "a list of numbers"

    async def query(self, config: GraphiteConfig, call: Call) -> Reading:
        shown = call.shown_config(self.key, GraphiteConfig).address
        try:
            parts = urlsplit(config.address)
        except ValueError:
            parts = None
        if parts is None or parts.scheme not in ("http", "https") or not parts.netloc:
            raise ProviderError(f"Graphite address {bare(shown)} is not a valid URL")
        query = re.sub(r"\s", "", config.query)
        url = f"{config.address.rstrip('/')}/render?{query}&format=json"
        answer = await call.reach.http.request("GET", url, seconds=SECONDS, shown=f"{shown.rstrip('/')}/render")
        if answer.status >= 400:
            raise ProviderError("error response: ", answer.text)
        return await call.read(answer, lambda: _reading(answer.json()))


def _reading(found: Any) -> Reading:
    """The values of the first series, without Graphite's nulls."""
    try:
        points: list[Any] = found[0]["datapoints"] if found else []
        values = Floats(float(value) for value, _ in points if value is not None)
    except UNREADABLE as error:
        raise ProviderError("the answer of Graphite cannot be read: ", error) from error
    if not values:
        raise ProviderError("no values found")
    return Reading(values, f"[{','.join(f'{value:.6f}' for value in values)}]")


PROVIDER = Graphite()
