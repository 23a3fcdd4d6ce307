"""Reads the state in force on the gateway of one machine, as long as a Rollout waits for a weight or for Services.

A pass uses the last state and never waits for the gateway. A Rollout with canary weight 0, or with a confirmed weight,
causes no reads.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from serinus.api.rollout import Rollout
from serinus.controller.cache import Cache
from serinus.engine.core import references
from serinus.engine.status.conditions import promoted
from serinus.kube.informer import Key
from serinus.routing.registry import routers_of
from serinus.routing.router import GatewayState

log = logging.getLogger(__name__)

States = Mapping[str, tuple[tuple[dict[str, int], ...], dict[str, tuple[str, ...]]]]
"""Namespace -> the splits and the servers of its Services, as in a GatewayState."""
FIRST_REST, LONGEST_REST, GROWTH = 0.03, 1.0, 1.25
"""Seconds between two reads. The rest grows while nothing changes."""
NOT_ASKED = "the gateway was not asked yet which weights it has"
NO_ANSWER = "the gateway does not answer which weights it has"


class GatewayReader:
    """`read`: asks the gateway; OSError or TimeoutError if it does not answer. `wake`: called with the key of a waiting
    Rollout when the state of its Services has changed."""

    def __init__(self, read: Callable[[], Awaitable[States]], cache: Cache, wake: Callable[[Key], None]) -> None:
        self._read, self._cache, self._wake = read, cache, wake
        self._states: States = {}
        self._error = NOT_ASKED
        self._waiting: dict[Key, GatewayState] = {}
        """Rollouts that wait -> the state that their last pass had."""
        self._asked = asyncio.Event()

    def known(self, rollout: Rollout) -> GatewayState | None:
        """The last state of the Rollout's Services; None if its routers need none.

        If the Rollout waits for another state, the gateway is read from now on.
        """
        if not any(used.router.capabilities.reads_gateway for used in routers_of(rollout.spec)):
            return None
        key, weights = (rollout.metadata.namespace, rollout.metadata.name), rollout.status.canary.weights
        state = self._of(rollout)
        if weights and weights.canary.weight and (weights.verified is not True or promoted(rollout.status)):
            self._waiting[key] = state
            self._asked.set()
        else:
            self._waiting.pop(key, None)
        return state

    async def refresh(self) -> None:
        """Ask the gateway once."""
        try:
            self._states, self._error = await self._read(), ""
        except (OSError, TimeoutError) as error:
            if self._error != NO_ANSWER and self._waiting:
                log.warning("the gateway is not read: %s", error)
            self._error = NO_ANSWER if self._waiting else NOT_ASKED

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            await self._asked.wait()
            rest = FIRST_REST
            while self._waiting:
                await self.refresh()
                if self._wake_changed():
                    rest = FIRST_REST
                await asyncio.sleep(rest)
                rest = min(LONGEST_REST, rest * GROWTH)
            self._asked.clear()

    def _wake_changed(self) -> bool:
        """Wakes each waiting Rollout whose state differs from that of its last pass. Returns whether there was one."""
        changed = False
        for key, shown in list(self._waiting.items()):
            rollout = self._cache.rollouts.items.get(key)
            if rollout is None:
                del self._waiting[key]
            elif (state := self._of(rollout)) != shown:
                self._waiting[key], changed = state, True
                self._wake(key)
        return changed

    def _of(self, rollout: Rollout) -> GatewayState:
        if self._error:
            return GatewayState(error=self._error)
        splits, servers = self._states.get(rollout.metadata.namespace, ((), {}))
        names = set(references.services(rollout))
        return GatewayState(
            tuple(split for split in splits if not names.isdisjoint(split)),
            {name: addresses for name, addresses in servers.items() if name in names},
        )
