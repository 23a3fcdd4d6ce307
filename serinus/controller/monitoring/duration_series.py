"""Durations of updates by result, observed from changes of `status.duration` (the CLI spec, section 5)."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry, Histogram

from serinus.api.rollout import Rollout
from serinus.api.values.times import parse_time

BUCKETS = (10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400)
"""Seconds. A release takes between moments and a day."""
SUPERSEDED = "Superseded"


class Durations:
    """Three histograms, labelled with the result of the update."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def histogram(name: str, what: str) -> Histogram:
            return Histogram(f"rollout_{name}_seconds", what, ["status"], buckets=BUCKETS, registry=registry)

        self._whole = histogram("duration", "From the beginning of an update to its end.")
        self._progression = histogram("progression_duration", "The same without the pauses that waited for a person.")
        self._paused = histogram("manual_pause_duration", "The pauses of an update that waited for a person.")

    def changed(self, old: Rollout, new: Rollout) -> None:
        """Observes an update that ended, or was superseded by another, between the two versions."""
        before: dict[str, Any] = old.status.duration or {}
        after: dict[str, Any] = new.status.duration or {}
        if before is after or "rolloutStartedAt" not in before:
            return
        if after.get("rolloutStartedAt") != before["rolloutStartedAt"]:
            if "completionStatus" not in before:
                self._observe(SUPERSEDED, before, after.get("rolloutStartedAt"))
        elif "finishedAt" in after and "finishedAt" not in before:
            self._observe(str(after.get("completionStatus", "")), after, after["finishedAt"])

    def _observe(self, status: str, duration: dict[str, Any], ended: str | None) -> None:
        begun, at = parse_time(duration["rolloutStartedAt"]), parse_time(ended)
        if begun is None or at is None:
            return
        whole, paused = max(0.0, at - begun), float(duration.get("totalManualPauseDurationSeconds", 0))
        self._whole.labels(status).observe(whole)
        self._progression.labels(status).observe(max(0.0, whole - paused))
        self._paused.labels(status).observe(paused)
