"""Gives each pod a loopback address: on Linux, all of 127.0.0.0/8 is local and needs no privilege.

The first choice depends on the pod's uid, so instances on one machine rarely collide. An address is skipped if another
program listens on it or if it was in use moments ago.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Callable, Iterable

from serinus.api.messages.counted import counted
from serinus.kube.clock import Clock

POOL = "127.77.0.0/16"
REST = 60.0
"""Seconds before an address is reused: a gateway may still hold connections to its last pod."""


class PoolExhausted(Exception):
    """No address is free; the message has the fix."""


class Addresses:
    """`occupied()`: addresses on which other programs listen now."""

    def __init__(self, clock: Clock, pool: str = POOL, occupied: Callable[[], Iterable[str]] = lambda: ()) -> None:
        self._clock, self._pool, self._occupied = clock, ipaddress.ip_network(pool), occupied
        self._taken: dict[str, str] = {}
        self._resting: dict[str, float] = {}

    def take(self, uid: str, preferred: str = "") -> str:
        """The pod's address: `preferred` (its previous one) if it is in the pool and free, else a new one."""
        holder = self._taken.get(preferred)
        if preferred and holder in (None, uid) and ipaddress.ip_address(preferred) in self._pool:
            self._taken[preferred] = uid
            return preferred
        now = self._clock.now()
        self._resting = {ip: until for ip, until in self._resting.items() if until > now}
        size = self._pool.num_addresses
        strangers = set(self._occupied())
        start = int.from_bytes(hashlib.sha256(uid.encode()).digest()[:8], "big")
        for i in range(size):
            number = (start + i) % size
            address = str(self._pool[number])
            # .0 and .255 are valid here, but look wrong to users and to some programs.
            if number % 256 in (0, 255) or address in self._taken or address in self._resting or address in strangers:
                continue
            self._taken[address] = uid
            return address
        raise PoolExhausted(
            f"all {counted(size, 'address', 'addresses')} of {self._pool} are in use: delete pods, or give a larger pool"
        )

    def release(self, uid: str) -> None:
        for address in [a for a, holder in self._taken.items() if holder == uid]:
            del self._taken[address]
            self._resting[address] = self._clock.now() + REST
