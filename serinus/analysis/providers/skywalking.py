"""Apache SkyWalking, by GraphQL (spec/analysis.md §4, skywalking)."""

from __future__ import annotations

from datetime import datetime

import msgspec

from serinus.analysis.expr.functions.text import floats
from serinus.analysis.expr.limits import Budget
from serinus.analysis.expr.values import json_text
from serinus.analysis.providers.errors import ProviderError
from serinus.analysis.providers.http.client import HttpResponse
from serinus.analysis.providers.http.graphql import data_of
from serinus.analysis.providers.provider import MeasurementRequest, QueryProvider, Reading
from serinus.api.values.durations import go_duration

SECONDS = 30


class SkyWalkingConfig(msgspec.Struct):
    address: str = ""
    query: str = ""
    interval: str = ""


class SkyWalking(QueryProvider[SkyWalkingConfig]):
    type = "skywalking"
    key = "skywalking"
    config = SkyWalkingConfig
    request = "GraphQL over `interval`"
    result = "the `data` of the answer"

    async def query(self, config: SkyWalkingConfig, call: MeasurementRequest) -> Reading:
        try:
            interval = go_duration(config.interval)
        except ValueError as error:
            raise ProviderError("provider.skywalking.interval: ", error) from error
        now = call.now
        duration = {"start": _minute(now - interval), "end": _minute(now), "step": "MINUTE"}
        answer = await call.reach.http.request(
            "POST",
            f"{config.address.rstrip('/')}/graphql",
            headers={"Content-Type": "application/json"},
            body=msgspec.json.encode({"query": config.query, "variables": {"duration": duration}}),
            seconds=SECONDS,
            shown=f"{call.shown_config(self.key, SkyWalkingConfig).address.rstrip('/')}/graphql",
        )
        return await call.read(answer, lambda: _reading(answer))


def _reading(answer: HttpResponse) -> Reading:
    data = floats(data_of(answer))
    if not data:
        raise ProviderError("no results returned from SkyWalking query")
    return Reading(data, json_text(data, Budget(), indent=None))


def _minute(seconds: float) -> str:
    """`2026-01-31 2359`, in this machine's time zone: SkyWalking accepts no time zone."""
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H%M")


PROVIDER = SkyWalking()
