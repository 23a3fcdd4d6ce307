"""InfluxDB 2, by Flux (spec/analysis.md §4, influxdb)."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec

from serinus.analysis.expr.functions.numbers import parse_float
from serinus.analysis.expr.functions.time_values import SECOND, Time
from serinus.analysis.expr.limits import Budget
from serinus.analysis.expr.values import go_text
from serinus.analysis.providers.errors import ProviderError
from serinus.analysis.providers.http.client import HttpResponse, refused
from serinus.analysis.providers.provider import MeasurementRequest, QueryProvider, Reading, SecretUse
from serinus.api.values.times import format_time, parse_time

SECRET = "influxdb"
PUBLIC = ("address", "org")
SECONDS = 30
VALUE = "_value"
AT_ONCE = 8
"""Requests for the past at the same time: each look is one."""
DIALECT = {"annotations": ["datatype", "group", "default"], "delimiter": ",", "header": True}


class InfluxdbConfig(msgspec.Struct):
    query: str = ""
    profile: str = ""


class Influxdb(QueryProvider[InfluxdbConfig]):
    type = "Influxdb"
    key = "influxdb"
    config = InfluxdbConfig
    request = "Flux"
    result = "a list of values, each of its own type"
    credentials = "Secret `influxdb` or `profile`: `address authToken org`"

    def secrets(self, config: InfluxdbConfig) -> tuple[SecretUse, ...]:
        return (SecretUse(config.profile or SECRET),)

    async def query(self, config: InfluxdbConfig, call: MeasurementRequest) -> Reading:
        answer = await _asked(config, call, {})
        return await call.read(answer, lambda: _reading(answer.text))

    async def past(
        self, config: InfluxdbConfig, times: Sequence[float], step: float, call: MeasurementRequest
    ) -> dict[float, float]:
        """The same query for each time: the request sets Flux's `now()`."""
        values_by_time: dict[float, float] = {}
        for first in range(0, len(times), AT_ONCE):
            part = times[first : first + AT_ONCE]
            answers = await asyncio.gather(*(_asked(config, call, {"now": format_time(time)}) for time in part))
            for time, answer in zip(part, answers, strict=True):
                value = _number(answer.text)
                if value is not None:
                    values_by_time[time] = value
        return values_by_time


async def _asked(config: InfluxdbConfig, call: MeasurementRequest, more: Mapping[str, str]) -> HttpResponse:
    """`more`: further fields of the request."""
    secret = await call.reach.secret(call.reach.namespace, config.profile or SECRET, public=PUBLIC) or {}
    address, token, org = (secret.get(key) for key in ("address", "authToken", "org"))
    if not address or not token or not org:
        raise ProviderError("authToken, org, or address not found")
    answer = await call.reach.http.request(
        "POST",
        f"{address.rstrip('/')}/api/v2/query?{urlencode({'org': org})}",
        headers={"Authorization": f"Token {token}", "Content-Type": "application/json", "Accept": "text/csv"},
        body=msgspec.json.encode({"query": config.query, "type": "flux", "dialect": DIALECT, **more}),
        seconds=SECONDS,
    )
    if not answer.ok:
        raise _refusal(answer)
    return answer


def _number(text: str) -> float | None:
    """The number of a response, None for none. ProviderError for several records: a count is one number."""
    values = [value for value in _values(text) if value is not None]
    if len(values) > 1:
        raise ProviderError(f"the query gives {len(values)} records, and a count is one: add `|> group() |> sum()`")
    if values and (isinstance(values[0], bool) or not isinstance(values[0], int | float)):
        raise ProviderError("the query gives no number")
    return float(values[0]) if values else None


def _reading(text: str) -> Reading:
    values = list(_values(text))
    if not values:
        raise ProviderError("no results returned from flux query")
    return Reading(values, go_text(values, Budget()))


def _refusal(answer: HttpResponse) -> ProviderError:
    try:
        body = answer.json()
        return ProviderError("", f"{body['code']}: {body['message']}")
    except (ProviderError, KeyError, TypeError):
        return refused(answer)


def _values(text: str) -> Iterator[Any]:
    """`_value` of each record. Annotated CSV: tables follow one another, each with its types and its header."""
    types: list[str] = []
    header: list[str] | None = None
    defaults: list[str] = []
    try:
        for row in csv.reader(text.splitlines()):
            if not row:
                header = None
            elif row[0] == "#datatype":
                types, header = row, None
            elif row[0] == "#default":
                defaults = row
            elif row[0].startswith("#"):
                continue
            elif header is None:
                header = row
            elif "error" in header and VALUE not in header:
                raise ProviderError("", row[header.index("error")])
            elif VALUE in header:
                at = header.index(VALUE)
                value = row[at] or (defaults[at] if at < len(defaults) else "")
                yield _typed(value, types[at] if at < len(types) else "string")
    except (csv.Error, IndexError, ValueError) as error:
        raise ProviderError("the answer of InfluxDB cannot be read: ", error) from error


def _typed(value: str, kind: str) -> Any:
    readers: dict[str, Callable[[str], Any]] = {
        "double": parse_float,
        "long": int,
        "unsignedLong": int,
        "boolean": lambda text: text == "true",
        "dateTime:RFC3339": lambda text: Time(int((parse_time(text) or 0) * SECOND)),
        "dateTime:RFC3339Nano": lambda text: Time(int((parse_time(text) or 0) * SECOND)),
    }
    if value == "" and kind != "string":
        return None
    return readers.get(kind, str)(value)


PROVIDER = Influxdb()
