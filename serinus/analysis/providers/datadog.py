"""Datadog, its query API v1 and v2 (spec/analysis.md §4, datadog)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec

from serinus.analysis.expr.values import Floats, plain_text
from serinus.analysis.providers.current import hide
from serinus.analysis.providers.errors import UNREADABLE, ProviderError
from serinus.analysis.providers.http.client import Answer
from serinus.analysis.providers.provider import Call, QueryProvider, Reading, SecretUse, one_of
from serinus.api.values.durations import go_duration

REVIEW = " Please review the Analysis Template."
SECRET = "datadog"
PUBLIC = ("address",)
DEFAULT_ADDRESS = "https://api.datadoghq.com"
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


class Credentials(msgspec.Struct, frozen=True):
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

    async def query(self, config: DatadogConfig, call: Call) -> Reading:
        check(config)
        keys = await _credentials(config, call)
        interval = _seconds(config.interval or "5m", "interval")
        timeout = _seconds(config.request_timeout or "10s", "requestTimeout")
        if timeout <= 0:
            raise ProviderError("Request timeout must be a positive duration (e.g. 30s)." + REVIEW)
        headers = {
            "Content-Type": "application/json",
            "DD-API-KEY": keys.api_key,
            "DD-APPLICATION-KEY": keys.app_key,
        }
        url, now = keys.address.rstrip("/"), call.now
        if config.api_version == "v2":
            body = msgspec.json.encode(_scalar_request(config, now - interval, now))
            url = f"{url}/api/v2/query/scalar"
            answer = await call.reach.http.request("POST", url, headers=headers, body=body, seconds=timeout)
            return await call.read(answer, lambda: _columns(_checked(answer)))
        query = urlencode({"query": config.query, "from": int(now - interval), "to": int(now)})
        url = f"{url}/api/v1/query?{query}"
        answer = await call.reach.http.request("GET", url, headers=headers, seconds=timeout)
        return await call.read(answer, lambda: _points(_checked(answer)))


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


async def _credentials(config: DatadogConfig, call: Call) -> Credentials:
    ref, reach = config.secret_ref or SecretRef(), call.reach
    if ref.namespaced and not ref.name:
        raise ProviderError("secret name is required for namespaced credentials")
    if ref.name:
        found = await reach.secret(call.namespace if ref.namespaced else reach.namespace, ref.name, public=PUBLIC)
    elif all(reach.environment.get(key) for key in ("DD_API_KEY", "DD_APP_KEY", "DD_ADDRESS")):
        env = reach.environment
        hide(env["DD_API_KEY"], env["DD_APP_KEY"])
        return Credentials(env["DD_API_KEY"], env["DD_APP_KEY"], env["DD_ADDRESS"])
    else:
        found = await reach.secret(reach.namespace, SECRET, public=PUBLIC)
    if not found or not found.get("api-key") or not found.get("app-key"):
        raise ProviderError("failed to find the credentials for datadog metrics provider")
    return Credentials(found["api-key"], found["app-key"], found.get("address") or DEFAULT_ADDRESS)


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


def _checked(answer: Answer) -> dict[str, Any]:
    if answer.status in (401, 403):
        raise ProviderError(f"received authentication error response code: {answer.status} ", answer.text)
    if not answer.ok:
        raise ProviderError(f"received non 2xx response code: {answer.status} ", answer.text)
    found = answer.json()
    if not isinstance(found, dict):
        raise ProviderError("Could not parse JSON body: it is no object")
    return found


def _points(found: dict[str, Any]) -> Reading:
    """v1: the last point of the first series."""
    try:
        series: list[Any] = found.get("series") or []
        points: list[Any] = series[0].get("pointlist") or [] if series else []
        if not points:
            return Reading(None, "[]")
        value = float(points[-1][1] or 0)
    except UNREADABLE as error:
        raise ProviderError("Could not parse JSON body: ", error) from error
    return Reading(value, plain_text(value))


def _columns(found: dict[str, Any]) -> Reading:
    """v2: the first column of numbers; with groups all of its values."""
    try:
        data: dict[str, Any] = found.get("data") or {}
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
    found: list[str] = []
    for column in groups:
        tags = column[row] if row < len(column) else []
        found += map(str, tags) if isinstance(tags, list) else [str(tags)]
    return ",".join(found)


def _group_metadata(pairs: list[tuple[str, float]]) -> dict[str, str]:
    kept, metadata = pairs, dict[str, str]()
    if len(pairs) > MOST_GROUPS:
        by_value = sorted(pairs, key=lambda pair: pair[1])
        kept = by_value[: MOST_GROUPS // 2] + by_value[-MOST_GROUPS // 2 :]
        metadata["groups_truncated"] = "true"
    shown = [{"name": name, "value": int(value) if value == int(value) else value} for name, value in kept]
    return {"groups": json.dumps(shown, separators=(",", ":"), ensure_ascii=False), **metadata}


PROVIDER = Datadog()
