"""The variables of templates and conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from serinus.analysis.expr.functions.go_time_layout import parse_time
from serinus.analysis.expr.functions.time import RFC3339, time_package
from serinus.analysis.expr.functions.time_values import Time
from serinus.notifications.templates.values import GoFunction

Json = dict[str, Any]


def variables(
    rollout: Json,
    secrets: Mapping[str, bytes],
    *,
    event: Json | None = None,
    analysis_runs: Sequence[Json] | None = None,
    analysis_run: Json | None = None,
    experiment: Json | None = None,
) -> dict[str, Any]:
    """`rollout`: as just written. `event`: reason, message, type. Absent values are nil."""
    result: dict[str, Any] = {"rollout": rollout, "secrets": dict(secrets)}
    more = {"event": event, "analysisRuns": analysis_runs, "analysisRun": analysis_run, "experiment": experiment}
    return result | {name: value for name, value in more.items() if value is not None}


def for_conditions(values: Mapping[str, Any], now: float) -> dict[str, Any]:
    return {**values, "time": time_package(now)}


def for_templates(values: Mapping[str, Any], service: str, recipient: str, now: float) -> dict[str, Any]:
    moment = Time(round(now * 1e6) * 1000)
    time = {
        "Now": GoFunction("Now", lambda: moment),
        "Parse": GoFunction("Parse", lambda text: parse_time(text[:100], RFC3339), ("s",)),
    }
    return {**values, "time": time, "serviceType": service, "recipient": recipient}
