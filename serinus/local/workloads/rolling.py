"""Computes the current sizes of a Deployment's ReplicaSets. Pure.

The rules are kube-controller-manager's: at most `replicas + maxSurge` pods, at least `replicas - maxUnavailable`
available ones, and unhealthy old pods go first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from serinus.api.values.int_or_percent import scaled


@dataclass(frozen=True, slots=True)
class Size:
    """One ReplicaSet: desired `replicas` and observed `available`."""

    name: str
    replicas: int
    available: int

    @property
    def serving(self) -> int:
        # A count from before the last scale-down includes terminating pods.
        return min(self.available, self.replicas)


def fences(replicas: int, surge: int | str | None, unavailable: int | str | None) -> tuple[int, int]:
    """The allowed (surplus pods, missing pods); never both 0, because an update could not progress."""
    above = scaled(surge, replicas, round_up=True, default="25%")
    missing = scaled(unavailable, replicas, round_up=False, default="25%")
    return above, min(missing, replicas) if above or missing else 1


def next_new(replicas: int, surge: int, new: Size, old: Sequence[Size]) -> int:
    """The new ReplicaSet's next size."""
    if new.replicas >= replicas:
        return replicas
    room = replicas + surge - new.replicas - sum(o.replicas for o in old)
    return new.replicas + max(0, min(room, replicas - new.replicas))


def next_old(replicas: int, unavailable: int, new: Size | None, old: Sequence[Size]) -> dict[str, int]:
    """Next sizes of the old ReplicaSets that shrink; `old` from oldest to youngest."""
    sizes = {o.name: o.replicas for o in old}
    new = new or Size("", 0, 0)
    least = replicas - unavailable
    room = new.replicas + sum(sizes.values()) - least - (new.replicas - new.serving)
    if room <= 0:
        return {}
    unhealthy = room
    for o in old:
        taken = min(unhealthy, o.replicas - o.serving)
        sizes[o.name] -= taken
        unhealthy -= taken
    spare = new.serving + sum(o.serving for o in old) - least
    for o in old:
        taken = max(0, min(spare, sizes[o.name]))
        sizes[o.name] -= taken
        spare -= taken
    return {o.name: sizes[o.name] for o in old if sizes[o.name] != o.replicas}


def proportional(allowed: int, before: int, sets: Sequence[Size]) -> dict[str, int]:
    """Sizes that keep the ratio between ReplicaSets when the Deployment is resized during an update.

    `allowed`: total pods, surge included; `before`: the same at the previous size. The largest ReplicaSet absorbs the
    rounding remainder.
    """
    total = sum(s.replicas for s in sets)
    rest = allowed - total
    sizes: dict[str, int] = {}
    by_size = sorted(sets, key=lambda s: -s.replicas)
    for s in by_size:
        share = (2 * s.replicas * allowed + before) // (2 * before) - s.replicas if before > 0 else 0
        share = max(min(share, rest), 0) if rest > 0 else min(max(share, rest), 0)
        sizes[s.name] = s.replicas + share
        rest -= share
    if by_size:
        first = by_size[0].name
        sizes[first] = max(0, sizes[first] + rest)
    return {s.name: sizes[s.name] for s in sets if sizes[s.name] != s.replicas}
