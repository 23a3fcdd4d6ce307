"""Events go after an hour, as in every cluster: what is told of the past does not grow with uptime."""

from __future__ import annotations

from collections import deque

import msgspec

from serinus.api.times import parse_time
from serinus.kube.wire import Response
from serinus.local.apiserver.core import Core

KEPT_SECONDS = 3600.0
_EVENTS = "events"


class EventExpiry:
    """Looks when an event is added: there is nothing to expire while nothing happens."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._due: deque[tuple[float, str, str]] = deque()

    def start(self) -> None:
        """Takes up the events of an earlier run."""
        found: list[tuple[float, str, str]] = []
        for entry in self._core.store.list(_EVENTS):
            created = parse_time(entry.object()["metadata"].get("creationTimestamp"))
            found.append(((created or 0.0) + KEPT_SECONDS, entry.namespace, entry.name))
        self._due.extend(sorted(found))

    async def added(self, namespace: str, response: Response) -> None:
        now = self._core.clock.now()
        try:
            name = str(msgspec.json.decode(response.body)["metadata"]["name"])
        except (msgspec.MsgspecError, KeyError, TypeError):
            return  # another form than JSON: that event is found at the next start
        self._due.append((now + KEPT_SECONDS, namespace, name))
        while self._due and self._due[0][0] <= now:
            _, space, old = self._due.popleft()
            entry = self._core.store.latest(_EVENTS, space, old)
            if entry is None:
                continue
            obj = entry.object()
            last = parse_time(obj.get("lastTimestamp")) or 0.0
            if last + KEPT_SECONDS > now:
                # Repeated since: it stays for an hour after its last time.
                self._due.append((last + KEPT_SECONDS, space, old))
                continue
            await self._core.store.delete(_EVENTS, space, old)
