"""New Relic, by NRQL over NerdGraph (spec/analysis.md §4, newRelic)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from serinus.analysis.expr.functions.text import floats
from serinus.analysis.expr.limits import Budget
from serinus.analysis.expr.values import json_text
from serinus.analysis.providers.errors import ProviderError
from serinus.analysis.providers.http.graphql import data_of
from serinus.analysis.providers.provider import REQUIRED, Call, QueryProvider, Reading, SecretUse

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

    async def query(self, config: NewRelicConfig, call: Call) -> Reading:
        seconds = DEFAULT_SECONDS if config.timeout is None else config.timeout
        if seconds < 0:
            raise ProviderError("timeout value needs to be a positive value")
        secret = await call.reach.secret(call.reach.namespace, config.profile or SECRET, public=PUBLIC) or {}
        key, account = secret.get("personal-api-key"), secret.get("account-id", "")
        if not key or not account:
            raise ProviderError("account ID or personal API key not found")
        if not account.strip().isdigit():
            raise ProviderError(
                f"the account-id in Secret {call.shown_config(self.key, NewRelicConfig).profile or SECRET} is no number"
            )
        region = (secret.get("region") or "us").lower()
        endpoint = secret.get("base-url-nerdgraph") or ENDPOINTS.get(region)
        if endpoint is None:
            raise ProviderError(f"unknown New Relic region {region!r}: it is one of {', '.join(ENDPOINTS)}")
        variables = {"accountId": int(account), "query": config.query, "timeout": seconds or DEFAULT_SECONDS}
        answer = await call.reach.http.request(
            "POST",
            endpoint,
            headers={"Content-Type": "application/json", "Api-Key": key},
            body=msgspec.json.encode({"query": QUERY, "variables": variables}),
            seconds=(seconds or DEFAULT_SECONDS) + SPARE,
        )
        return await call.read(answer, lambda: _reading(data_of(answer)))


def _reading(data: dict[str, Any]) -> Reading:
    found: Any = data
    for key in ("actor", "account", "nrql", "results"):
        found = found.get(key) if isinstance(found, dict) else None
    if not isinstance(found, list) or not found:
        raise ProviderError("no results returned from NRQL query")
    rows = floats(found)
    result = rows[0] if len(rows) == 1 else rows
    return Reading(result, json_text(result, Budget(), indent=None))


PROVIDER = NewRelic()
