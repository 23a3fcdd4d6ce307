"""Why one Rollout waits, for its page: the engine's own answer, as `serinus why` has it.

The list keeps too little of each object for that (pod templates, Services, Ingresses, analysis templates are not there), so
the page gathers what the engine looks at, a handful of requests. It does so again when something of the Rollout has changed,
and not more often than a person can read.
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
"""At least so long between two looks at one Rollout."""

STALE_SECONDS = 10.0
"""What nothing told of (a Service is changed, and no controller works) is seen after this long."""

KEPT = 32
"""Rollouts whose last look is kept: more than anybody has open."""


@dataclass
class _Look:
    mark: str
    at: float
    snapshot: Snapshot
    again: bool = False
    """Whether another look is due already."""


class Reasons:
    """`again` is called with the key of a Rollout whose reasons are to be asked for once more."""

    def __init__(self, client: Client, clock: Clock, again: Callable[[Key], None]) -> None:
        self._client, self._clock, self._again = client, clock, again
        self._looks: dict[Key, _Look] = {}

    async def of(self, key: Key, mark: str) -> Why | None:
        """The reasons now; None while it is too soon to look again, or where that fails: the status tells some.

        `mark`: differs whenever something of the Rollout does.
        """
        # Imported here for the reason that `service.detail` gives.
        from serinus.engine.explain.why import explain

        look = await self._look(key, mark)
        return None if look is None else explain(msgspec.structs.replace(look.snapshot, now=self._clock.now()))

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
            found = _Look(mark, now, await self._gathered(key, now))
        except (ApiError, msgspec.ValidationError):
            return None
        self._looks.pop(key, None)
        self._looks[key] = found
        if len(self._looks) > KEPT:
            del self._looks[next(iter(self._looks))]
        return found

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
