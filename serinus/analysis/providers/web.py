"""Any HTTP endpoint that returns JSON or text (spec/analysis.md §4, web)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from serinus.analysis.expr.errors import ConditionError
from serinus.analysis.expr.functions.text import floats
from serinus.analysis.expr.limits import Budget
from serinus.analysis.expr.values import json_text
from serinus.analysis.providers.errors import ProviderError
from serinus.analysis.providers.http.authentication import Authentication, Header
from serinus.analysis.providers.http.client import HttpResponse
from serinus.analysis.providers.http.decoding import NotJson, json_of
from serinus.analysis.providers.http.jsonpath import JsonPathError, find
from serinus.analysis.providers.http.oauth2 import bearer
from serinus.analysis.providers.provider import REQUIRED, MeasurementRequest, QueryProvider, Reading
from serinus.api.meta import Json

DEFAULT_SECONDS = 10


class WebConfig(msgspec.Struct, rename="camel"):
    url: Annotated[str, REQUIRED] = ""
    method: str = ""
    headers: list[Header] = []
    timeout_seconds: int = 0
    json_path: str = ""
    insecure: bool = False
    body: str = ""
    json_body: Json | None = None
    authentication: Authentication | None = None


class Web(QueryProvider[WebConfig]):
    type = "Web"
    key = "web"
    config = WebConfig
    request = "any URL; `method headers body jsonBody jsonPath timeoutSeconds insecure`; JSONPath is kubectl's, `{range}` included"
    result = "the first JSON value that `jsonPath` matches; the text if the answer is not JSON"
    credentials = "`authentication.oauth2`"

    async def query(self, config: WebConfig, call: MeasurementRequest) -> Reading:
        answer = await self.answer(config, call)
        return await call.read(answer, lambda: reading(answer.body, config.json_path or "{$}"))

    async def answer(self, config: WebConfig, call: MeasurementRequest) -> HttpResponse:
        """The response. ProviderError for a response without success."""
        method = config.method or "GET"
        if config.body and config.json_body is not None:
            raise ProviderError("use either Body or JSONBody; both cannot exists for WebMetric payload")
        if (config.body or config.json_body is not None) and method not in ("POST", "PUT"):
            raise ProviderError("Body/JSONBody can only be used with POST or PUT WebMetric Method types")
        headers = {header.key: header.value for header in config.headers}
        body = config.body.encode() if config.body else None
        if config.json_body is not None:
            body = msgspec.json.encode(config.json_body)
            headers = {k: v for k, v in headers.items() if k.lower() != "content-type"}
            headers["Content-Type"] = "application/json"
        if not any(key.lower() == "connection" for key in headers):
            # A kept connection to a Service stays with its pod. After a switch of the selector that pod is another version's.
            headers["Connection"] = "close"
        seconds = config.timeout_seconds if config.timeout_seconds > 0 else DEFAULT_SECONDS
        oauth2 = config.authentication.oauth2 if config.authentication else None
        http = call.reach.http
        if oauth2 is not None and oauth2.token_url:
            headers |= await bearer(http, oauth2, seconds=seconds, insecure=config.insecure, shown=_token_url(call))
        answer = await http.request(
            method,
            config.url,
            headers=headers,
            body=body,
            seconds=seconds,
            insecure=config.insecure,
            shown=call.shown_config("web", WebConfig).url,
        )
        if not answer.ok:
            raise ProviderError(f"received non 2xx response code: {answer.status}")
        return answer


def _token_url(call: MeasurementRequest) -> str:
    shown = call.shown_config("web", WebConfig).authentication
    return shown.oauth2.token_url if shown and shown.oauth2 else ""


def reading(body: bytes, path: str) -> Reading:
    """The first match of the path; the text itself if the body is no JSON. ProviderError without a match."""
    try:
        data = json_of(body)
    except NotJson:
        text = body.decode("utf-8", "replace")
        return Reading(text, text)
    result = _first(path, data)
    try:
        return Reading(result, json_text(result, Budget(), indent=None))
    except ConditionError as error:
        raise ProviderError("", error) from error


def results(body: bytes, paths: Mapping[str, str]) -> dict[str, Any]:
    """The first match of each path, by its name, from one decoding; the text itself for each if the body is no JSON.

    ProviderError for a path without a match.
    """
    try:
        data = json_of(body)
    except NotJson:
        return dict.fromkeys(paths, body.decode("utf-8", "replace"))
    return {name: _first(path, data) for name, path in paths.items()}


def _first(path: str, data: Any) -> Any:
    """The first match of the path, with the numbers of Go. ProviderError without a match."""
    try:
        matches = find(path, data)
    except JsonPathError as error:
        raise ProviderError("Could not find JSONPath in body: ", error) from error
    if not matches:
        raise ProviderError("result of web metric produced no value")
    try:
        return floats(matches[0])
    except ConditionError as error:
        raise ProviderError("", error) from error


PROVIDER = Web()
