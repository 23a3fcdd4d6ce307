"""Kayenta: a canary analysis that runs for a while and ends with a score (spec/analysis.md §4, kayenta)."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote, urlencode

import msgspec

from serinus.analysis.phases import FAILED, INCONCLUSIVE, SUCCESSFUL
from serinus.analysis.providers.errors import ProviderError
from serinus.analysis.providers.http.client import HttpResponse
from serinus.analysis.providers.provider import REQUIRED, MeasurementRequest, VerdictProvider, begun, ended
from serinus.api.analysis import Measurement
from serinus.api.values.durations import go_duration
from serinus.api.values.times import format_deadline, format_time

SECONDS = 15
PAUSE = 15.0
"""Seconds between two checks of a canary."""

EXECUTION = "canaryExecutionId"


class Scope(msgspec.Struct):
    scope: Annotated[str, REQUIRED] = ""
    region: Annotated[str, REQUIRED] = ""
    step: Annotated[int, REQUIRED] = 0
    start: str = ""
    end: str = ""


class NamedScope(msgspec.Struct, rename="camel"):
    name: Annotated[str, REQUIRED] = ""
    control_scope: Annotated[Scope, REQUIRED] = msgspec.field(default_factory=Scope)
    experiment_scope: Annotated[Scope, REQUIRED] = msgspec.field(default_factory=Scope)


class Threshold(msgspec.Struct):
    # `pass` is a keyword of Python.
    passing: Annotated[int, REQUIRED] = msgspec.field(default=0, name="pass")
    marginal: Annotated[int, REQUIRED] = 0


class KayentaConfig(msgspec.Struct, rename="camel"):
    address: Annotated[str, REQUIRED] = ""
    application: Annotated[str, REQUIRED] = ""
    canary_config_name: Annotated[str, REQUIRED] = ""
    metrics_account_name: Annotated[str, REQUIRED] = ""
    configuration_account_name: Annotated[str, REQUIRED] = ""
    storage_account_name: Annotated[str, REQUIRED] = ""
    threshold: Annotated[Threshold, REQUIRED] = msgspec.field(default_factory=Threshold)
    scopes: Annotated[list[NamedScope], REQUIRED] = []
    lookback: bool = False


class Kayenta(VerdictProvider[KayentaConfig]):
    type = "Kayenta"
    key = "kayenta"
    config = KayentaConfig
    request = "a canary, until it has a score"

    async def run(self, call: MeasurementRequest) -> Measurement:
        config = call.config("kayenta", KayentaConfig)
        # Sic: as in the reference, the configurations are listed for the storage account.
        query = urlencode({"application": config.application, "configurationAccountName": config.storage_account_name})
        listed = _checked(await _asked(call, "GET", f"/canaryConfig?{query}"))
        config_id = await call.taken(listed, lambda: _config_id(listed.json(), config.canary_config_name))
        query = urlencode(
            {
                "application": config.application,
                "metricsAccountName": config.metrics_account_name,
                "configurationAccountName": config.configuration_account_name,
                "storageAccountName": config.storage_account_name,
            }
        )
        body = msgspec.json.encode(_canary(config, call))
        path = f"/canary/{quote(config_id, safe='')}?{query}"
        answer = _checked(await _asked(call, "POST", path, body))
        started = await call.taken(answer, answer.json)
        execution = started.get(EXECUTION) if isinstance(started, dict) else None
        if not isinstance(execution, str) or not execution:
            raise ProviderError(f"Kayenta's answer has no {EXECUTION}")
        return begun(call, {EXECUTION: execution}, call.now + PAUSE)

    async def resume(self, call: MeasurementRequest, measurement: Measurement) -> Measurement:
        config = call.config("kayenta", KayentaConfig)
        execution = measurement.metadata.get(EXECUTION, "")
        answer = await _asked(call, "GET", f"/canary/{quote(execution, safe='')}")
        if answer.status != 200:
            raise ProviderError("Invalid Response")
        state = await call.taken(answer, answer.json)
        complete = state.get("complete") if isinstance(state, dict) else None
        if not isinstance(complete, bool):
            raise ProviderError("Missing Complete Status")
        if not complete:
            return msgspec.structs.replace(measurement, resume_at=format_deadline(call.now + PAUSE))
        score = _score(state)
        phase = FAILED
        if score >= config.threshold.passing:
            phase = SUCCESSFUL
        elif score >= config.threshold.marginal:
            phase = INCONCLUSIVE
        return ended(call, measurement, phase, value=str(score))

    async def terminate(self, call: MeasurementRequest, measurement: Measurement) -> Measurement:
        """The measurement, unchanged: Kayenta's canaries cannot be ended from here (spec §9)."""
        return measurement


async def _asked(call: MeasurementRequest, method: str, path: str, body: bytes | None = None) -> HttpResponse:
    """`path`: begins with `/`."""
    headers = {"Content-Type": "application/json"} if body is not None else {}
    root = call.config("kayenta", KayentaConfig).address.rstrip("/")
    shown = call.shown_config("kayenta", KayentaConfig).address.rstrip("/")
    plain = "/".join(path.partition("?")[0].split("/")[:2])  # the rest of the path is from Kayenta's responses
    return await call.reach.http.request(
        method, root + path, headers=headers, body=body, seconds=SECONDS, shown=shown + plain
    )


def _checked(answer: HttpResponse) -> HttpResponse:
    if not answer.ok:
        raise ProviderError(f"Invalid Response: HTTP {answer.status}")
    return answer


def _config_id(configs: Any, name: str) -> str:
    for one in configs if isinstance(configs, list) else []:
        if isinstance(one, dict) and one.get("name") == name and one.get("id"):
            return str(one["id"])
    raise ProviderError("Canary config not found")


def _score(execution: dict[str, Any]) -> int:
    score: Any = execution
    for key in ("result", "judgeResult", "score", "score"):
        score = score.get(key) if isinstance(score, dict) else None
    if type(score) not in (int, float):
        raise ProviderError("Missing Score")
    return int(score)


def _canary(config: KayentaConfig, call: MeasurementRequest) -> dict[str, Any]:
    threshold = {"pass": config.threshold.passing, "marginal": config.threshold.marginal}
    return {"scopes": {scope.name: _pair(scope, config, call) for scope in config.scopes}, "thresholds": threshold}


def _pair(scope: NamedScope, config: KayentaConfig, call: MeasurementRequest) -> dict[str, Any]:
    for field in ("start", "end"):
        if bool(getattr(scope.control_scope, field)) != bool(getattr(scope.experiment_scope, field)):
            raise ProviderError(f"controlScope.{field} and experimentScope.{field} must both be set or be empty")
    return {
        "controlScope": _scope(scope.control_scope, config, call),
        "experimentScope": _scope(scope.experiment_scope, config, call),
    }


def _scope(scope: Scope, config: KayentaConfig, call: MeasurementRequest) -> dict[str, Any]:
    return {
        "scope": scope.scope,
        "location": scope.region,
        "step": scope.step,
        "start": scope.start or _start(config, call),
        "end": scope.end or format_time(call.now),
    }


def _start(config: KayentaConfig, call: MeasurementRequest) -> str:
    """The start time: with `lookback` the start of the run, otherwise one interval ago."""
    if config.lookback:
        return call.run.status.started_at or format_time(call.now)
    try:
        return format_time(call.now - go_duration(call.metric.interval))
    except ValueError as error:
        raise ProviderError("an interval is needed where a scope has no start: ", error) from error


PROVIDER = Kayenta()
