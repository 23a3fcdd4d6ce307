"""Wait reasons for one Rollout's page: the engine's explanation, as in `serinus why`.

The list's cache lacks the necessary objects (pod templates, Services, Ingresses, analysis templates). So the page reads
the engine's inputs with a few requests. It reads them again when the Rollout or an object it owns has changed, but not
more often than a user can read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from serinus.api.resources import ROLLOUTS
from serinus.kube.client import Client
from serinus.kube.clock import Clock
from serinus.kube.errors import ApiError
from serinus.kube.informer import Key

if TYPE_CHECKING:
    from serinus.engine.core.plan import Snapshot
    from serinus.engine.explain.snapshot_reader import Read
    from serinus.engine.explain.why import Why

Json = dict[str, Any]

LOOK_SECONDS = 0.5
"""Minimum seconds between two reads for one Rollout."""

STALE_SECONDS = 10.0
"""Seconds after which unreported changes are read, such as those of a Service while no controller runs."""

KEPT = 32
"""Rollouts whose last snapshot is cached: more than a user has open."""


@dataclass
class _Look:
    mark: str
    at: float
    snapshot: Snapshot
    unread: str
    """Why some objects are not read here; "" if all are."""
    again: bool = False
    """Whether another read is already scheduled."""


class Reasons:
    """`again` receives the key of each Rollout whose reasons must be read again. `most`: Rollouts whose last snapshot
    is cached."""

    def __init__(self, client: Client, clock: Clock, again: Callable[[Key], None], *, most: int = KEPT) -> None:
        self._client, self._clock, self._again, self._most = client, clock, again, most
        self._looks: dict[Key, _Look] = {}

    async def of(self, key: Key, mark: str) -> Why | None:
        """The current reasons; None if a new read is too early or fails. The page then uses the status.

        `mark`: changes whenever the Rollout or an object that it owns does.
        """
        # Imported here for the reason that `service.detail` gives.
        from serinus.engine.explain.why import explain, glance

        look = await self._look(key, mark)
        if look is None:
            return None
        if look.unread:
            return msgspec.structs.replace(glance(look.snapshot.rollout), unread=look.unread)
        return explain(msgspec.structs.replace(look.snapshot, now=self._clock.now()))

    def templates(self, key: Key) -> dict[str, Json]:
        """Pod templates by the name of their ReplicaSet, as of the last read; empty without one."""
        look = self._looks.get(key)
        return {rs.metadata.name: rs.spec.template for rs in look.snapshot.replica_sets} if look else {}

    async def _look(self, key: Key, mark: str) -> _Look | None:
        now, last = self._clock.now(), self._looks.get(key)
        age = now - last.at if last else STALE_SECONDS
        if last is not None and last.mark == mark and age < STALE_SECONDS:
            return last
        if last is not None and age < LOOK_SECONDS:
            if not last.again:
                last.again = True
                asyncio.get_running_loop().call_later(LOOK_SECONDS - age, self._again, key)
            return None
        try:
            snapshot = await self._gathered(key, now)
            look = _Look(mark, now, snapshot, await self._unread(snapshot))
        except (ApiError, msgspec.ValidationError):
            return None
        self._looks.pop(key, None)
        self._looks[key] = look
        if len(self._looks) > self._most:
            del self._looks[next(iter(self._looks))]
        return look

    async def _unread(self, snapshot: Snapshot) -> str:
        from serinus.dashboard.istio_cluster import elsewhere

        return await elsewhere(self._client, snapshot)

    async def _gathered(self, key: Key, now: float) -> Snapshot:
        from serinus.engine.explain.snapshot_reader import answered_later, gather, resource_of

        async def answer(ask: Read) -> list[Json]:
            resource, space = resource_of(ask), ask.namespace or key[0]
            try:
                if ask.path:
                    return [msgspec.json.decode((await self._client.raw("GET", ask.path)).body)]
                if resource is None:
                    return []
                if ask.name:
                    return [await self._client.get(resource, ask.name, space)]
                return (await self._client.list(resource, space, labels=ask.labels, fields=ask.fields)).items
            except ApiError as error:
                if error.code == 404 or (error.code == 403 and not ask.needed):
                    return []
                raise

        return await answered_later(gather(await self._client.get(ROLLOUTS, key[1], key[0]), now), answer)
