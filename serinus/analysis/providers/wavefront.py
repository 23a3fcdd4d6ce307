"""Wavefront, its chart API (spec/analysis.md §4, wavefront)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import msgspec

from serinus.analysis.expr.values import Floats
from serinus.analysis.providers.errors import UNREADABLE, ProviderError
from serinus.analysis.providers.http.client import HttpResponse, refused
from serinus.analysis.providers.provider import MeasurementRequest, QueryProvider, Reading, SecretUse

SECRET = "wavefront-api-tokens"
SECONDS = 30
PATH = "/api/v2/chart/api"


class WavefrontConfig(msgspec.Struct):
    address: str = ""
    query: str = ""


class Wavefront(QueryProvider[WavefrontConfig]):
    type = "Wavefront"
    key = "wavefront"
    config = WavefrontConfig
    request = "its chart API, the point nearest to now"
    result = "a number; a list with several series"
    credentials = "Secret `wavefront-api-tokens`: key is the address"

    def secrets(self, config: WavefrontConfig) -> tuple[SecretUse, ...]:
        return (SecretUse(SECRET),)

    async def query(self, config: WavefrontConfig, call: MeasurementRequest) -> Reading:
        tokens = await call.reach.secret(call.reach.namespace, SECRET) or {}
        scheme, _, host = config.address.rpartition("://")
        # The token is sent unencrypted only if the key itself is written with http://.
        token = tokens.get(config.address) or (tokens.get(host) if scheme in ("", "https") else None)
        if not token:
            raise ProviderError("API token not found")
        at = str(int(call.now * 1000))
        query = urlencode({"q": config.query, "s": at, "e": at, "p": "1", "g": "s", "i": "true"})
        shown = call.shown_config(self.key, WavefrontConfig).address
        answer = await call.reach.http.request(
            "GET",
            f"{_root(config.address)}{PATH}?{query}",
            headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
            seconds=SECONDS,
            shown=f"{_root(shown)}{PATH}",
        )
        now = call.now
        return await call.read(answer, lambda: _reading(object_of(answer), now))


def _root(address: str) -> str:
    return address if "://" in address else f"https://{address}"


def object_of(answer: HttpResponse) -> dict[str, Any]:
    """The decoded response. ProviderError if it is no success, or no object."""
    if not answer.ok:
        raise refused(answer)
    body = answer.json()
    if not isinstance(body, dict):
        raise ProviderError("the answer of Wavefront cannot be read: it is no object")
    return body


def _reading(body: dict[str, Any], now: float) -> Reading:
    """The point nearest to now of each series."""
    if body.get("errorType") and body["errorType"] != "null":
        raise ProviderError("", f"{body['errorType']}: {body.get('errorMessage', '')}")
    try:
        series = [one["data"] for one in body.get("timeseries") or [] if one.get("data")]
        points = [min(data, key=lambda point: abs(point[0] - now)) for data in series]
        values = Floats(float(point[1]) for point in points)
        times = [int(point[0]) for point in points]
    except UNREADABLE as error:
        raise ProviderError("the answer of Wavefront cannot be read: ", error) from error
    if not values:
        raise ProviderError("No TimeSeries found in response from Wavefront")
    metadata = {"timestamps": ",".join(map(str, times)), "drift": ",".join(str(int(now) - time) for time in times)}
    if body.get("warnings"):
        metadata["warnings"] = str(body["warnings"])
    shown = [f"{value:.2f}" for value in values]
    if len(values) == 1:
        return Reading(values[0], shown[0], metadata)
    return Reading(values, f"[{','.join(shown)}]", metadata)


PROVIDER = Wavefront()
