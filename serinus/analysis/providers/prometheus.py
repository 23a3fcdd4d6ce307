"""Prometheus, and systems with its query API (spec/analysis.md §4, prometheus)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from serinus.analysis.expr.condition import CompiledCondition
from serinus.analysis.expr.errors import ConditionError
from serinus.analysis.expr.functions.numbers import parse_float
from serinus.analysis.expr.values import Floats, plain_text
from serinus.analysis.providers.aws.credentials import credentials
from serinus.analysis.providers.aws.signature import signed
from serinus.analysis.providers.current import hide
from serinus.analysis.providers.errors import UNREADABLE, ProviderError
from serinus.analysis.providers.http.authentication import Authentication, Header
from serinus.analysis.providers.http.client import HttpResponse
from serinus.analysis.providers.http.oauth2 import basic, bearer
from serinus.analysis.providers.provider import MeasurementRequest, QueryProvider, Reading
from serinus.api.values.durations import go_duration

ADDRESS = "ARGO_ROLLOUTS_PROMETHEUS_ADDRESS"
DEFAULT_SECONDS = 30
AMAZON = "aps-workspaces"
AMAZON_HOSTS = (".amazonaws.com", ".amazonaws.com.cn")
LOOPBACK = ("localhost", "127.0.0.1", "::1")
AS_GET = (403, 405, 501)
"""Status codes of servers and proxies that do not accept POST."""
NAME = "serinus_query"
"""The label with the name of the query of a series."""
MOST_POINTS = 10_000
"""Most points of one range query. Prometheus returns at most 11,000."""
REFUSED = ("bad_data", "execution")
"""Errors of a query itself."""
_FORM = "application/x-www-form-urlencoded"


class RangeQuery(msgspec.Struct):
    start: str = ""
    end: str = ""
    step: str = ""


class PrometheusConfig(msgspec.Struct, rename="camel"):
    address: str = ""
    query: str = ""
    authentication: Authentication | None = None
    timeout: int | None = None
    insecure: bool = False
    headers: list[Header] = []
    range_query: RangeQuery | None = None


class Prometheus(QueryProvider[PrometheusConfig]):
    type = "Prometheus"
    key = "prometheus"
    config = PrometheusConfig
    request = '`query`, or `rangeQuery` with `start` and `end` as expressions (`now() - duration("5m")`)'
    result = "a number for a scalar; a list of numbers for a vector or a matrix (kind `floats`)"
    credentials = "`authentication`: `basicAuth`, `oauth2`, `sigv4` (Amazon's)"

    def shows(self, config: PrometheusConfig) -> Mapping[str, str]:
        return {"ResolvedPrometheusQuery": config.query} if config.query else {}

    async def query(self, config: PrometheusConfig, call: MeasurementRequest) -> Reading:
        answer = await self._answer(config, call)
        return await call.read(answer, lambda: _reading(_data(answer)))

    async def query_all(
        self, config: PrometheusConfig, queries: Mapping[str, str], call: MeasurementRequest
    ) -> dict[str, Any]:
        """The result of each query, by its name, all from one evaluation, without a scrape between them.

        Several series of a query give several numbers. Queries that cannot be joined in one expression, such as a
        scalar, are sent one by one, for the same time.
        """
        together = "\nor\n".join(
            f'label_replace((\n{query}\n), "{NAME}", "{name}", "", "")' for name, query in queries.items()
        )
        try:
            answer = await self._answer(msgspec.structs.replace(config, query=together), call)
            return await call.taken(answer, lambda: _by_name(_data(answer), queries))
        except ProviderError as error:
            if not error.foreign.startswith(REFUSED):
                raise
            each = [msgspec.structs.replace(config, query=query) for query in queries.values()]
            readings = await asyncio.gather(*(self.query(one, call) for one in each))
            return {name: one.result for name, one in zip(queries, readings, strict=True)}

    async def past(
        self, config: PrometheusConfig, times: Sequence[float], step: float, call: MeasurementRequest
    ) -> dict[float, float]:
        values_by_time: dict[float, float] = {}
        address = _address(config.address or call.reach.environment.get(ADDRESS, ""))
        headers = await _headers(config, call, DEFAULT_SECONDS)
        for first in range(0, len(times), MOST_POINTS):
            part = times[first : first + MOST_POINTS]
            ends = {"start": plain_text(part[0]), "end": plain_text(part[-1]), "step": plain_text(step)}
            form = {"query": config.query, **ends}
            url = f"{address}/api/v1/query_range"
            answer = await _queried(url, form, headers, config, call, config.timeout or DEFAULT_SECONDS)
            values_by_time |= await call.taken(answer, partial(_points, answer))
        return values_by_time

    async def _answer(self, config: PrometheusConfig, call: MeasurementRequest) -> HttpResponse:
        address = _address(config.address or call.reach.environment.get(ADDRESS, ""))
        seconds = DEFAULT_SECONDS if config.timeout is None else config.timeout
        if seconds < 0:
            raise ProviderError("prometheus timeout should not be negative")
        path, form = _form(config, call.now)
        headers = await _headers(config, call, seconds or DEFAULT_SECONDS)
        return await _queried(f"{address}{path}", form, headers, config, call, seconds or DEFAULT_SECONDS)


def _points(answer: HttpResponse) -> dict[float, float]:
    try:
        series = (_data(answer).get("data") or {}).get("result") or []
        if len(series) > 1:
            raise ProviderError("", f"the query gives {len(series)} series, and a count is one: sum them")
        return {float(sample[0]): _sample(sample) for one in series for sample in one["values"]}
    except UNREADABLE as error:
        raise ProviderError("bad_response: the answer cannot be read: ", error) from error


def _by_name(body: dict[str, Any], queries: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, list[float]] = {name: [] for name in queries}
    try:
        for series in (body.get("data") or {}).get("result") or []:
            values[series["metric"][NAME]].append(_sample(series["value"]))
    except UNREADABLE as error:
        raise ProviderError("bad_response: the answer cannot be read: ", error) from error
    return values


def _address(text: str) -> str:
    if not text:
        raise ProviderError("prometheus address is not configured")
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = None
    if parts is None or not parts.scheme or not parts.netloc:
        raise ProviderError("prometheus address is not is url format")
    return text.rstrip("/")


def _form(config: PrometheusConfig, now: float) -> tuple[str, dict[str, str]]:
    """The path and the fields of the query."""
    ranged = config.range_query
    if ranged is None:
        return "/api/v1/query", {"query": config.query, "time": plain_text(now)}
    try:
        step = go_duration(ranged.step)
    except ValueError as error:
        raise ProviderError("failed to parse rangeQuery.step as duration: ", error) from error
    times = {name: plain_text(_time(name, text, now)) for name, text in (("start", ranged.start), ("end", ranged.end))}
    return "/api/v1/query_range", {"query": config.query, **times, "step": plain_text(step)}


def _time(name: str, text: str, now: float) -> float:
    try:
        return CompiledCondition(text).time(now)
    except ConditionError as error:
        raise ProviderError(f"failed to parse rangeQuery.{name} as time: ", error) from error


async def _headers(config: PrometheusConfig, call: MeasurementRequest, seconds: float) -> dict[str, str]:
    headers = {header.key: header.value for header in config.headers}
    auth = config.authentication or Authentication()
    if auth.basic_auth is not None:
        hide(auth.basic_auth.password)
    if auth.basic_auth is not None and (auth.basic_auth.username or auth.basic_auth.password):
        missing = next((key for key in ("username", "password") if not getattr(auth.basic_auth, key)), None)
        if missing:
            raise ProviderError(f"missing mandatory parameter in metric for basic auth setup: {missing}")
        headers["Authorization"] = basic(auth.basic_auth.username, auth.basic_auth.password)
    if auth.oauth2 is not None and auth.oauth2.token_url:
        if not auth.oauth2.client_id or not auth.oauth2.client_secret:
            raise ProviderError("missing mandatory parameter in metric for OAuth2 setup")
        headers |= await bearer(
            call.reach.http, auth.oauth2, seconds=seconds, insecure=config.insecure, shown=_token_url(call)
        )
    return headers


def _token_url(call: MeasurementRequest) -> str:
    auth = call.shown_config("prometheus", PrometheusConfig).authentication
    return auth.oauth2.token_url if auth and auth.oauth2 else ""


def is_amazons(url: str) -> bool:
    """Whether requests to this address are signed: Amazon's hosts with HTTPS, and a tunnel to them on this machine.

    The signature contains the session token of the controller's AWS identity. A template must not send it elsewhere.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    amazons = parts.scheme == "https" and AMAZON in host and host.endswith(AMAZON_HOSTS)
    return amazons or (AMAZON in url and host in LOOPBACK)


async def _queried(
    url: str,
    form: dict[str, str],
    headers: dict[str, str],
    config: PrometheusConfig,
    call: MeasurementRequest,
    seconds: float,
) -> HttpResponse:
    answer = await _sent("POST", url, form, headers, config, call, seconds)
    if answer.status in AS_GET:
        return await _sent("GET", url, form, headers, config, call, seconds)
    return answer


async def _sent(
    method: str,
    url: str,
    form: dict[str, str],
    headers: dict[str, str],
    config: PrometheusConfig,
    call: MeasurementRequest,
    seconds: float,
) -> HttpResponse:
    body = urlencode(form).encode() if method == "POST" else None
    target = url if body is not None else f"{url}?{urlencode(form)}"
    sent = {**headers, "Content-Type": _FORM} if body is not None else dict(headers)
    sigv4 = config.authentication.sigv4 if config.authentication else None
    if sigv4 is not None and is_amazons(url):
        keys = await credentials(call.reach, profile=sigv4.profile, role_arn=sigv4.role_arn, region=sigv4.region)
        sent = signed(method, target, sent, body or b"", keys, region=sigv4.region, service="aps", now=call.now)
    shown = call.shown_config("prometheus", PrometheusConfig)
    address = (shown.address or call.reach.environment.get(ADDRESS, "")).rstrip("/")
    path = "/api/v1/query" if config.range_query is None else "/api/v1/query_range"
    return await call.reach.http.request(
        method,
        target,
        headers=sent,
        body=body,
        seconds=seconds,
        insecure=config.insecure,
        shown=f"{address}{path}",
    )


def _data(answer: HttpResponse) -> dict[str, Any]:
    """The decoded response. ProviderError with Prometheus's error."""
    if not answer.ok and answer.status not in (400, 422):
        kind = "client" if 400 <= answer.status < 500 else "server" if answer.status >= 500 else "bad_response"
        raise ProviderError(f"{kind}_error: {kind} error: {answer.status}")
    body = answer.json()
    if not isinstance(body, dict) or body.get("status") not in ("success", "error"):
        raise ProviderError("bad_response: the answer is none of Prometheus's query API")
    if body["status"] == "error" or not answer.ok:
        raise ProviderError("", f"{body.get('errorType', 'unknown')}: {body.get('error', answer.status)}")
    return body


def _reading(body: dict[str, Any]) -> Reading:
    try:
        data: dict[str, Any] = body.get("data") or {}
        kind, result = data.get("resultType"), data.get("result")
        warnings = [str(warning) for warning in body.get("warnings") or []]
        metadata = {"warnings": ", ".join(f'"{warning}"' for warning in warnings)} if warnings else {}
        if kind == "scalar":
            value = _sample(result)
            return Reading(value, plain_text(value), metadata)
        if kind in ("vector", "matrix"):
            values = Floats(_samples(result or [], many=kind == "matrix"))
            return Reading(values, f"[{','.join(map(plain_text, values))}]", metadata)
    except UNREADABLE as error:
        raise ProviderError("bad_response: the answer cannot be read: ", error) from error
    raise ProviderError("Prometheus metric type not supported")


def _samples(series: list[Any], *, many: bool) -> list[float]:
    return [_sample(sample) for one in series for sample in (one["values"] if many else [one["value"]])]


def _sample(pair: Any) -> float:
    value = parse_float(pair[1])
    if value is None:
        raise ProviderError("bad_response: ", f"{pair[1]!r} is no number")
    return value


PROVIDER = Prometheus()
