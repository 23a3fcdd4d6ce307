"""Events that `kubectl describe` shows. A repeated Event increases its count instead of creating a new Event."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque

from serinus.api.meta import Json, ObjectMeta
from serinus.api.resources import EVENTS, Resource
from serinus.kube.client import Client
from serinus.kube.clock import Clock, rfc3339
from serinus.kube.errors import ApiError, NotFound

log = logging.getLogger(__name__)

REMEMBERED = 1024
"""Events that are checked for repetition. The bound limits memory; an Event that was dropped starts a new entry."""

WAITING = 512
"""Events in the write queue. While the API does not answer, the oldest are dropped."""


class EventRecorder:
    """Writes Events for `component` in the background. Losing an Event is harmless."""

    def __init__(self, client: Client, clock: Clock, component: str, host: str = "") -> None:
        self._client, self._clock, self._component, self._host = client, clock, component, host
        self._recorded: OrderedDict[tuple[str, ...], tuple[str, int]] = OrderedDict()
        self._count = 0
        self._waiting: deque[tuple[Resource, ObjectMeta, str, str, bool, str, float]] = deque()
        self._task: asyncio.Task[None] | None = None

    def say(
        self,
        resource: Resource,
        about: ObjectMeta,
        reason: str,
        message: str,
        *,
        warning: bool = False,
        field: str = "",
    ) -> None:
        """Records an Event. `field`: the part that it describes, such as `spec.containers{web}`."""
        if len(self._waiting) >= WAITING:
            self._waiting.popleft()
        self._waiting.append((resource, about, reason, message[:1024], warning, field, self._clock.now()))
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        while self._waiting:
            what = self._waiting.popleft()
            try:
                await self._write(*what)
            except ApiError as error:
                log.debug("event %s about %s is lost: %s", what[2], what[1].name, error.message)

    async def _write(
        self, resource: Resource, about: ObjectMeta, reason: str, message: str, warning: bool, field: str, now: float
    ) -> None:
        namespace = about.namespace or "default"
        key = (resource.kind, about.uid, reason, message, field)
        known = self._recorded.get(key)
        if known is not None:
            name, count = known
            self._recorded[key] = (name, count + 1)
            try:
                await self._client.patch(EVENTS, name, {"count": count + 1, "lastTimestamp": rfc3339(now)}, namespace)
                return
            except NotFound:
                pass
        self._count += 1
        name = f"{about.name}.{int(now * 1e6):x}{self._count & 0xFFF:03x}"
        event: Json = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": {
                "apiVersion": resource.api_version,
                "kind": resource.kind,
                "name": about.name,
                "namespace": about.namespace,
                "uid": about.uid,
                "resourceVersion": about.resource_version,
                **({"fieldPath": field} if field else {}),
            },
            "reason": reason,
            "message": message,
            "type": "Warning" if warning else "Normal",
            "source": {"component": self._component, **({"host": self._host} if self._host else {})},
            "firstTimestamp": rfc3339(now),
            "lastTimestamp": rfc3339(now),
            "count": 1,
        }
        await self._client.create(EVENTS, event, namespace)
        self._recorded[key] = (name, 1)
        while len(self._recorded) > REMEMBERED:
            self._recorded.popitem(last=False)
