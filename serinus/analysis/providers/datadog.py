"""Datadog, its query API v1 and v2 (spec/analysis.md §4, datadog)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec

from serinus.analysis.expr.values import Floats, plain_text
from serinus.analysis.providers.current import hide
from serinus.analysis.providers.errors import UNREADABLE, ProviderError
from serinus.analysis.providers.http.client import HttpResponse
from serinus.analysis.providers.past_points import points_by_look
from serinus.analysis.providers.provider import MeasurementRequest, QueryProvider, Reading, SecretUse, one_of
from serinus.api.values.durations import go_duration

REVIEW = " Please review the Analysis Template."
SECRET = "datadog"
PUBLIC = ("address",)
DEFAULT_ADDRESS = "https://api.datadoghq.com"
MOST_POINTS = 1_000
"""Looks of one request for the past. Datadog answers at most 1,500 points for a series."""
MOST_GROUPS = 100
"""Groups in the metadata of a measurement. If there are more: the lowest and the highest half."""


class SecretRef(msgspec.Struct):
    name: str = ""
    namespaced: bool = False


class DatadogConfig(msgspec.Struct, rename="camel"):
    api_version: Annotated[str, one_of("v1", "v2")] = ""
    interval: str = ""
    request_timeout: str = ""
    query: str = ""
    queries: dict[str, str] = {}
    formula: str = ""
    aggregator: Annotated[str, one_of("avg", "min", "max", "sum", "last", "percentile", "mean", "l2norm", "area")] = ""
    secret_ref: SecretRef | None = None


class DatadogCredentials(msgspec.Struct, frozen=True):
    api_key: str
    app_key: str
    address: str


class Datadog(QueryProvider[DatadogConfig]):
    type = "Datadog"
    key = "datadog"
    config = DatadogConfig
    request = "API `v1` (`query`) or `v2` (`query`, or `queries` with a `formula`)"
    result = "a number; nil without data; a list of numbers with groups (v2)"
    credentials = "Secret `datadog`: `api-key app-key address`; `secretRef`; or `DD_API_KEY DD_APP_KEY DD_ADDRESS`"

    def validate(self, config: DatadogConfig) -> Iterator[str]:
        try:
            check(config)
        except ProviderError as error:
            yield str(error)

    def secrets(self, config: DatadogConfig) -> tuple[SecretUse, ...]:
        """No Secret without `secretRef`: the environment of the controller may have the credentials."""
        ref = config.secret_ref
        return (SecretUse(ref.name, ref.namespaced),) if ref is not None and ref.name else ()

    async def query(self, config: DatadogConfig, call: MeasurementRequest) -> Reading:
        check(config)
        interval, now = _seconds(config.interval or "5m", "interval"), call.now
        if config.api_version == "v2":
            answer = await _asked(config, call, _scalar_request(config, now - interval, now))
            return await call.read(answer, lambda: _columns(_checked(answer)))
        answer = await _asked(config, call, _span(config, now - interval, now))
        return await call.read(answer, lambda: _points(_checked(answer)))

    async def past(
        self, config: DatadogConfig, times: Sequence[float], step: float, call: MeasurementRequest
    ) -> dict[float, float]:
        """The last point before each time. v2 asks for time series, whose points have no aggregator."""
        check(config)
        if config.aggregator not in ("", "last", "sum"):
            raise ProviderError(f"the past has no aggregator {config.aggregator}: a count takes sum or last")
        values_by_time: dict[float, float] = {}
        for first in range(0, len(times), MOST_POINTS):
            part = times[first : first + MOST_POINTS]
            start, end = part[0] - step, part[-1]
            v2 = config.api_version == "v2"
            request = _series_request(config, start, end, step) if v2 else _span(config, start, end)
            answer = await _asked(config, call, request)
            points = await call.taken(answer, partial(_past_points, answer, step))
            values_by_time |= {time: values[-1] for time, values in points_by_look(points, part, step).items()}
        return values_by_time


def check(config: DatadogConfig) -> None:
    """ProviderError for a query that Datadog cannot answer."""
    v2 = config.api_version == "v2"
    if not config.query and not config.queries:
        raise ProviderError("Must have either a query or queries." + REVIEW)
    if config.query and config.queries:
        raise ProviderError("Cannot have both a query and queries." + REVIEW)
    if not v2 and not config.query:
        raise ProviderError(
            "Query is empty. API Version v1 only supports using the query parameter in your Analysis Template."
        )
    if config.formula and not config.queries:
        raise ProviderError("Formula are only valid when queries are set." + REVIEW)
    if len(config.queries) > 1 and not config.formula:
        raise ProviderError("When multiple queries are provided you must include a formula.")
    if not v2 and config.aggregator:
        raise ProviderError("Aggregator is not supported in v1." + REVIEW)


def _seconds(text: str, field: str) -> float:
    try:
        return go_duration(text)
    except ValueError as error:
        raise ProviderError(f"provider.datadog.{field}: ", error) from error


async def _asked(config: DatadogConfig, call: MeasurementRequest, request: Mapping[str, Any]) -> HttpResponse:
    """The response to a request of API v2, which has `data`, or to the query of v1 in a span of time."""
    keys = await _credentials(config, call)
    timeout = _seconds(config.request_timeout or "10s", "requestTimeout")
    if timeout <= 0:
        raise ProviderError("Request timeout must be a positive duration (e.g. 30s)." + REVIEW)
    headers = {
        "Content-Type": "application/json",
        "DD-API-KEY": keys.api_key,
        "DD-APPLICATION-KEY": keys.app_key,
    }
    url, http = keys.address.rstrip("/"), call.reach.http
    if "data" not in request:
        return await http.request("GET", f"{url}/api/v1/query?{urlencode(request)}", headers=headers, seconds=timeout)
    kind = "scalar" if request["data"]["type"] == "scalar_request" else "timeseries"
    body = msgspec.json.encode(request)
    return await http.request("POST", f"{url}/api/v2/query/{kind}", headers=headers, body=body, seconds=timeout)


async def _credentials(config: DatadogConfig, call: MeasurementRequest) -> DatadogCredentials:
    ref, reach = config.secret_ref or SecretRef(), call.reach
    if ref.namespaced and not ref.name:
        raise ProviderError("secret name is required for namespaced credentials")
    if ref.name:
        data = await reach.secret(call.namespace if ref.namespaced else reach.namespace, ref.name, public=PUBLIC)
    elif all(reach.environment.get(key) for key in ("DD_API_KEY", "DD_APP_KEY", "DD_ADDRESS")):
        env = reach.environment
        hide(env["DD_API_KEY"], env["DD_APP_KEY"])
        return DatadogCredentials(env["DD_API_KEY"], env["DD_APP_KEY"], env["DD_ADDRESS"])
    else:
        data = await reach.secret(reach.namespace, SECRET, public=PUBLIC)
    if not data or not data.get("api-key") or not data.get("app-key"):
        raise ProviderError("failed to find the credentials for datadog metrics provider")
    return DatadogCredentials(data["api-key"], data["app-key"], data.get("address") or DEFAULT_ADDRESS)


def _scalar_request(config: DatadogConfig, start: float, end: float) -> dict[str, Any]:
    queries = config.queries or {"query": config.query}
    attributes: dict[str, Any] = {
        "from": int(start * 1000),
        "to": int(end * 1000),
        "queries": [
            {
                "aggregator": config.aggregator or "last",
                "data_source": "metrics",
                "name": name,
                "query": queries[name],
            }
            for name in sorted(queries)
        ],
        "formulas": [{"formula": config.formula}] if config.formula else [],
    }
    return {"data": {"type": "scalar_request", "attributes": attributes}}


def _series_request(config: DatadogConfig, start: float, end: float, step: float) -> dict[str, Any]:
    """The same queries as time series, with a point for each `step` seconds."""
    attributes = _scalar_request(config, start, end)["data"]["attributes"]
    plain = [{key: text for key, text in query.items() if key != "aggregator"} for query in attributes["queries"]]
    attributes |= {"queries": plain, "interval": int(step * 1000)}
    return {"data": {"type": "timeseries_request", "attributes": attributes}}


def _span(config: DatadogConfig, start: float, end: float) -> dict[str, Any]:
    """The parameters of v1."""
    return {"query": config.query, "from": int(start), "to": int(end)}


def _past_points(answer: HttpResponse, step: float) -> list[tuple[float, float]]:
    """(time, value) of the only series. ProviderError for points that are further apart than `step` seconds."""
    body = _checked(answer)
    try:
        attributes: dict[str, Any] = (body.get("data") or {}).get("attributes") or {}
        times = attributes.get("times") or []
        series = [list(zip(times, values, strict=True)) for values in attributes.get("values") or []]
        series += [one.get("pointlist") or [] for one in body.get("series") or []]
        stamps = [float(at) / 1000 for one in series for at, _ in one]
        points = [(float(at) / 1000, float(value)) for one in series for at, value in one if value is not None]
    except UNREADABLE as error:
        raise ProviderError("Could not parse JSON body: ", error) from error
    if len(series) > 1:
        raise ProviderError(f"the query gives {len(series)} series, and a count is one: sum them")
    apart = min((after - before for before, after in pairwise(stamps)), default=0.0)
    if apart > step:
        raise ProviderError(
            f"Datadog answers points {apart:g} s apart for the past, and a look counts {step:g} s: write "
            f"`.rollup(sum, {step:g})` at the end of the query"
        )
    return points


def _checked(answer: HttpResponse) -> dict[str, Any]:
    if answer.status in (401, 403):
        raise ProviderError(f"received authentication error response code: {answer.status} ", answer.text)
    if not answer.ok:
        raise ProviderError(f"received non 2xx response code: {answer.status} ", answer.text)
    body = answer.json()
    if not isinstance(body, dict):
        raise ProviderError("Could not parse JSON body: it is no object")
    return body


def _points(body: dict[str, Any]) -> Reading:
    """v1: the last point of the first series."""
    try:
        series: list[Any] = body.get("series") or []
        points: list[Any] = series[0].get("pointlist") or [] if series else []
        if not points:
            return Reading(None, "[]")
        value = float(points[-1][1] or 0)
    except UNREADABLE as error:
        raise ProviderError("Could not parse JSON body: ", error) from error
    return Reading(value, plain_text(value))


def _columns(body: dict[str, Any]) -> Reading:
    """v2: the first column of numbers; with groups all of its values."""
    try:
        data: dict[str, Any] = body.get("data") or {}
        if data.get("errors"):
            raise ProviderError("There were errors in your query: ", data["errors"])
        columns: list[Any] = (data.get("attributes") or {}).get("columns") or []
        groups = [column.get("values") or [] for column in columns if column.get("type") == "group"]
        numbers = [column.get("values") or [] for column in columns if column.get("type") in (None, "", "number")]
        pairs = [
            (_tags(groups, row), float(value))
            for row, value in enumerate(numbers[0] if numbers else [])
            if value is not None
        ]
    except UNREADABLE as error:
        raise ProviderError("Could not parse JSON body: ", error) from error
    if not pairs:
        return Reading(None, "[]")
    if not groups:
        return Reading(pairs[0][1], plain_text(pairs[0][1]))
    values = Floats(value for _, value in pairs)
    return Reading(values, f"[{','.join(map(plain_text, values))}]", _group_metadata(pairs))


def _tags(groups: list[list[Any]], row: int) -> str:
    labels: list[str] = []
    for column in groups:
        tags = column[row] if row < len(column) else []
        labels += map(str, tags) if isinstance(tags, list) else [str(tags)]
    return ",".join(labels)


def _group_metadata(pairs: list[tuple[str, float]]) -> dict[str, str]:
    listed, metadata = pairs, dict[str, str]()
    if len(pairs) > MOST_GROUPS:
        by_value = sorted(pairs, key=lambda pair: pair[1])
        listed = by_value[: MOST_GROUPS // 2] + by_value[-MOST_GROUPS // 2 :]
        metadata["groups_truncated"] = "true"
    shown = [{"name": name, "value": int(value) if value == int(value) else value} for name, value in listed]
    return {"groups": json.dumps(shown, separators=(",", ":"), ensure_ascii=False), **metadata}


PROVIDER = Datadog()
