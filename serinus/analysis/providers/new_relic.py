"""New Relic, by NRQL over NerdGraph (spec/analysis.md §4, newRelic)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any

import msgspec

from serinus.analysis.expr.functions.text import floats
from serinus.analysis.expr.limits import Budget
from serinus.analysis.expr.values import json_text
from serinus.analysis.providers.errors import UNREADABLE, ProviderError
from serinus.analysis.providers.http.client import HttpResponse
from serinus.analysis.providers.http.graphql import data_of
from serinus.analysis.providers.past_points import points_by_look
from serinus.analysis.providers.provider import REQUIRED, MeasurementRequest, QueryProvider, Reading, SecretUse

SECRET = "newrelic"
PUBLIC = ("account-id", "region", "base-url-rest", "base-url-nerdgraph")
ENDPOINTS = {
    "us": "https://api.newrelic.com/graphql",
    "eu": "https://api.eu.newrelic.com/graphql",
    "staging": "https://staging-api.newrelic.com/graphql",
}
DEFAULT_SECONDS = 5
SPARE = 5
"""Seconds of the request in addition to the time limit of New Relic's query."""

QUERY = (
    "query ($accountId: Int!, $query: Nrql!, $timeout: Seconds) "
    "{ actor { account(id: $accountId) { nrql(query: $query, timeout: $timeout) { results } } } }"
)


BUCKET = ("beginTimeSeconds", "endTimeSeconds", "inspectedCount")
"""Fields of a bucket of a time series beside its number."""
MOST_BUCKETS = 366
"""Most buckets of TIMESERIES."""
_QUOTED = re.compile(r"'(?:[^'\\]++|\\.?)*+(?:'|\Z)|`[^`]*+(?:`|\Z)", re.DOTALL)
_ROWS = re.compile(r"\b(?:FACET|COMPARE|TIMESERIES)\b", re.IGNORECASE)
_SPAN = re.compile(
    rf"(?P<quoted>{_QUOTED.pattern})|\b(?:SINCE|UNTIL)\b.*?"
    r"(?=\b(?:SINCE|UNTIL|SELECT|FROM|WHERE|LIMIT|ORDER|WITH|EXTRAPOLATE)\b|\Z)",
    re.IGNORECASE | re.DOTALL,
)
"""The clauses of a query that say its time, and quoted text, which may contain their words."""


class NewRelicConfig(msgspec.Struct, rename="camel"):
    query: Annotated[str, REQUIRED] = ""
    profile: str = ""
    timeout: int | None = None


class NewRelic(QueryProvider[NewRelicConfig]):
    type = "NewRelic"
    key = "newRelic"
    config = NewRelicConfig
    request = "NRQL"
    result = "the row, or a list of rows"
    credentials = "Secret `newrelic` or `profile`: `personal-api-key account-id region`"

    def shows(self, config: NewRelicConfig) -> Mapping[str, str]:
        return {"ResolvedNewRelicQuery": config.query}

    def secrets(self, config: NewRelicConfig) -> tuple[SecretUse, ...]:
        return (SecretUse(config.profile or SECRET),)

    async def query(self, config: NewRelicConfig, call: MeasurementRequest) -> Reading:
        answer = await _asked(config, config.query, call)
        return await call.read(answer, lambda: _reading(data_of(answer)))

    async def past(
        self, config: NewRelicConfig, times: Sequence[float], step: float, call: MeasurementRequest
    ) -> dict[float, float]:
        """The same query as time series: SINCE and UNTIL are replaced, and TIMESERIES is added."""
        if _ROWS.search(_QUOTED.sub("", config.query)):
            raise ProviderError(
                "the past cannot be asked with FACET, COMPARE WITH or TIMESERIES: a count is one number"
            )
        query = _SPAN.sub(lambda match: match["quoted"] or "", config.query).strip()
        values_by_time: dict[float, float] = {}
        for first in range(0, len(times), MOST_BUCKETS):
            part = times[first : first + MOST_BUCKETS]
            span = f"SINCE {int((part[0] - step) * 1000)} UNTIL {int(part[-1] * 1000)}"
            answer = await _asked(config, f"{query} {span} TIMESERIES {step:g} SECONDS", call)
            points = await call.taken(answer, partial(_buckets, answer))
            values_by_time |= {time: values[-1] for time, values in points_by_look(points, part, step).items()}
        return values_by_time


async def _asked(config: NewRelicConfig, query: str, call: MeasurementRequest) -> HttpResponse:
    seconds = DEFAULT_SECONDS if config.timeout is None else config.timeout
    if seconds < 0:
        raise ProviderError("timeout value needs to be a positive value")
    secret = await call.reach.secret(call.reach.namespace, config.profile or SECRET, public=PUBLIC) or {}
    key, account = secret.get("personal-api-key"), secret.get("account-id", "")
    if not key or not account:
        raise ProviderError("account ID or personal API key not found")
    if not account.strip().isdigit():
        raise ProviderError(
            f"the account-id in Secret {call.shown_config(NewRelic.key, NewRelicConfig).profile or SECRET} is no number"
        )
    region = (secret.get("region") or "us").lower()
    endpoint = secret.get("base-url-nerdgraph") or ENDPOINTS.get(region)
    if endpoint is None:
        raise ProviderError(f"unknown New Relic region {region!r}: it is one of {', '.join(ENDPOINTS)}")
    variables = {"accountId": int(account), "query": query, "timeout": seconds or DEFAULT_SECONDS}
    return await call.reach.http.request(
        "POST",
        endpoint,
        headers={"Content-Type": "application/json", "Api-Key": key},
        body=msgspec.json.encode({"query": QUERY, "variables": variables}),
        seconds=(seconds or DEFAULT_SECONDS) + SPARE,
    )


def _buckets(answer: HttpResponse) -> list[tuple[float, float]]:
    """(the second at which it begins, its number) of each bucket of a time series. A bucket without data has null."""
    points: list[tuple[float, float]] = []
    try:
        for row in _rows(data_of(answer)):
            numbers = {key: value for key, value in row.items() if key not in BUCKET}
            if len(numbers) != 1:
                raise ProviderError(f"the query gives {len(numbers)} numbers, and a count is one: {', '.join(numbers)}")
            points += [(float(row["beginTimeSeconds"]), float(one)) for one in numbers.values() if one is not None]
    except UNREADABLE as error:
        raise ProviderError("the answer of New Relic cannot be read: ", error) from error
    return points


def _rows(data: dict[str, Any]) -> list[Any]:
    value: Any = data
    for key in ("actor", "account", "nrql", "results"):
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, list) else []


def _reading(data: dict[str, Any]) -> Reading:
    results = _rows(data)
    if not results:
        raise ProviderError("no results returned from NRQL query")
    rows = floats(results)
    result = rows[0] if len(rows) == 1 else rows
    return Reading(result, json_text(result, Budget(), indent=None))


PROVIDER = NewRelic()
