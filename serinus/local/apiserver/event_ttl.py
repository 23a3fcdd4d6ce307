"""Deletes Events after an hour, as every cluster does, so that their number does not grow with uptime."""

from __future__ import annotations

import math
from typing import Any

from serinus.api.resources import EVENTS
from serinus.api.values.times import parse_time
from serinus.local.apiserver.core import Core

Json = dict[str, Any]

KEPT_SECONDS = 3600.0
_SWEEP_SECONDS = 60.0


class EventExpiry:
    """Checks when an Event is added, at most once a minute, so an idle server does no work."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._swept = -math.inf

    async def sweep(self) -> None:
        """Removes Events that were last observed over an hour ago."""
        now = self._core.clock.now()
        if now - self._swept < _SWEEP_SECONDS:
            return
        self._swept = now
        store, resource = self._core.store, EVENTS.group_resource
        old = [entry for entry in store.list(resource) if _last_seen(entry.object()) + KEPT_SECONDS <= now]
        for entry in old:
            if store.latest(resource, entry.namespace, entry.name) is entry:
                await store.delete(resource, entry.namespace, entry.name)


def _last_seen(event: Json) -> float:
    series: Json = event.get("series") or {}
    times = (event["metadata"].get("creationTimestamp"), event.get("lastTimestamp"), series.get("lastObservedTime"))
    return max(parse_time(text if isinstance(text, str) else None) or 0.0 for text in times)
