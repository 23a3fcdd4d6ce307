"""The leading controllers of an API server, from their Leases: for `doctor` and `upgrade --check`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from serinus.api.names import NOTIFICATION_NAMESPACES
from serinus.api.values.times import age_words, parse_time
from serinus.install.installation import IN_PROCESS, LEASE

Json = dict[str, Any]
STALE = 60.0
"""Seconds without a renewal after which a controller counts as stopped. The longest lease duration is 15."""


class Leader(NamedTuple):
    """A running controller. `seconds`: since it last renewed its Lease.

    `notifications`: the namespaces whose configurations it reads (`all`, `own`); "" if it does not say.
    """

    namespace: str
    lease: str
    identity: str
    seconds: float
    notifications: str = ""

    @property
    def in_process(self) -> bool:
        """Whether it is part of the `serinus up` that serves this API. It then runs as long as the API answers."""
        return self.identity.startswith(f"{IN_PROCESS}_")

    def told(self) -> str:
        if self.in_process:
            return f"part of the serinus up that serves this API (process {self.identity.rpartition('_')[2]})"
        return f"{self.identity} leads in namespace {self.namespace}, seen {age_words(self.seconds)} ago"


def ours(leases: Iterable[Json]) -> list[Json]:
    """The Leases of Rollout controllers, held or not."""
    names = [(str((lease.get("metadata") or {}).get("name") or ""), lease) for lease in leases]
    return [lease for name, lease in names if name == LEASE or name.startswith(f"{LEASE}-")]


def leaders(leases: Iterable[Json], now: float) -> list[Leader]:
    candidates: list[Leader] = []
    for lease in ours(leases):
        meta, spec = lease["metadata"], lease.get("spec") or {}
        renewed = parse_time(str(spec.get("renewTime") or ""))
        if not spec.get("holderIdentity") or renewed is None:
            continue
        leader = Leader(
            str(meta.get("namespace") or ""),
            str(meta["name"]),
            spec["holderIdentity"],
            max(0.0, now - renewed),
            str((meta.get("annotations") or {}).get(NOTIFICATION_NAMESPACES) or ""),
        )
        if leader.in_process or leader.seconds < STALE:
            candidates.append(leader)
    return candidates
