"""The result of a metric with a sequential verdict, as the provider leaves it in an AnalysisRun."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from serinus.analysis.sequential.looks import Look
from serinus.analysis.sequential.metric import PLUGIN
from serinus.analysis.sequential.record import Record
from serinus.analysis.sequential.settings import VerdictSettings
from serinus.analysis.sequential.summary import summary

Json = dict[str, Any]
COUNTS: Json = {
    "prometheus": {"address": "http://prometheus:9090"},
    "canary": {"requests": "a", "errors": "b"},
    "stable": {"requests": "c", "errors": "d"},
}


def kept_verdict(
    looks: Sequence[Look],
    phase: str = "Running",
    settings: VerdictSettings | None = None,
    name: str = "errors",
    **config: Any,
) -> tuple[Json, Json]:
    """(the metric as it is written, its result)."""
    record = Record(settings or VerdictSettings())
    for look in looks:
        record.add(look)
    told = summary(record, 30.0)
    measurement = {
        "phase": phase,
        "value": msgspec.json.encode(told).decode(),
        "message": told.missing,
        "metadata": record.metadata(),
        "startedAt": "2026-01-01T00:00:01Z",
    }
    asked = {"name": name, "interval": "30s", "provider": {"plugin": {PLUGIN: {"counts": COUNTS, **config}}}}
    return asked, {"name": name, "phase": phase, "measurements": [measurement]}
