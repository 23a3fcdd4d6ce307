"""The number of pods of each side of a canary: integer arithmetic only.

Rules and worked examples: canary strategy, section 2 ("Replica arithmetic"). Weights are parts of `max_weight` (100
unless the router has another); sizes are pods. `size` is a ReplicaSet's spec.replicas, `avail` its available pods.
"""

from __future__ import annotations

import msgspec


class Count(msgspec.Struct, frozen=True):
    """One ReplicaSet in numbers."""

    size: int
    avail: int


class SurgeLimits(msgspec.Struct, frozen=True):
    """How far the sum of pods may leave the wanted number: pods above, pods missing."""

    surge: int
    unavailable: int


NONE = Count(0, 0)


def approximate(replicas: int, weight: int, max_weight: int, surge: int) -> tuple[int, int]:
    """(canary, stable) pods whose ratio is nearest to `weight`, without a router."""
    if replicas == 0:
        return 0, 0
    zero_ok = weight in (0, max_weight) or (replicas == 1 and surge == 0)
    candidates: list[tuple[int, int]] = []
    for total in (replicas, replicas + 1) if surge > 0 else (replicas,):
        low, over = divmod(total * weight, max_weight)
        high = low + bool(over)
        rounded_up = high < total or zero_ok
        if rounded_up:
            candidates.append((high, total))
        # Round a half up, but down if no stable pod would remain. A higher weight never means fewer canary pods.
        if (2 * over != max_weight or not rounded_up) and (low > 0 or zero_ok):
            candidates.append((low, total))
    if not candidates:
        return 0, replicas
    # The distance |canary * max_weight / total - weight|, in whole numbers: times replicas * (replicas + 1).
    canary, total = min(
        candidates, key=lambda c: abs(c[0] * max_weight - weight * c[1]) * (replicas * (replicas + 1) // c[1])
    )
    return canary, total - canary


def next_basic(
    replicas: int,
    target: tuple[int, int],
    limits: SurgeLimits,
    canary: Count,
    stable: Count | None,
    others: tuple[Count, ...] = (),
) -> tuple[int, int]:
    """The next (canary, stable) sizes towards `target`, within the limits. `stable` is None with only one version."""
    want_canary, want_stable = target if stable is not None else (replicas, 0)
    old = stable or NONE
    c, s = canary.size, old.size
    room = replicas + limits.surge - (c + s + sum(o.size for o in others))
    if s < want_stable and room > 0:
        grown = min(room, want_stable - s)
        s, room = s + grown, room - grown
    if c < want_canary and room > 0:
        c += min(room, want_canary - c)
    if any(o.size for o in others):
        return c, s
    return _shrink(replicas, (want_canary, want_stable), limits, canary, stable, c, s)


def make_room(
    replicas: int, target: tuple[int, int], limits: SurgeLimits, canary: Count, stable: Count, others: tuple[Count, ...]
) -> tuple[int, tuple[int, int]]:
    """(stable size, target) that let the canary grow although a superseded version uses all surge.

    If that version serves and the stable one has pods that do not, the update would be stuck: these pods end first.
    `avail` of `stable` counts all ready pods, including those within minReadySeconds.
    """
    room = replicas + limits.surge - canary.size - stable.size - sum(o.size for o in others)
    useless, missing = stable.size - stable.avail, target[0] - canary.size
    if room > 0 or useless <= 0 or missing <= 0 or not any(o.avail for o in others):
        return stable.size, target
    left = stable.size - min(useless, missing)
    return left, (target[0], min(target[1], left))


def _shrink(
    replicas: int, target: tuple[int, int], limits: SurgeLimits, canary: Count, stable: Count | None, c: int, s: int
) -> tuple[int, int]:
    """Remove pods from the side with too many, never below `replicas - unavailable` available ones."""
    want_canary, want_stable = target
    old = stable or NONE
    least = replicas - limits.unavailable
    growing = want_canary >= canary.size
    pool = min(canary.size, canary.avail) + old.size if growing else canary.size + min(old.size, old.avail)
    room = pool - least
    if room <= 0:
        return c, s
    if growing:
        if stable is None or old.size <= want_stable:
            return c, s
        drained, other = max(want_stable, old.size - room), c
        drained, other = _balance(replicas, limits, drained, other, old.avail, canary.avail, least)
        return other, drained
    if canary.size <= want_canary:
        return c, s
    drained, other = max(want_canary, canary.size - room), s
    drained, other = _balance(replicas, limits, drained, other, canary.avail, old.avail, least)
    return drained, other


def _balance(
    replicas: int, limits: SurgeLimits, drained: int, other: int, drained_avail: int, other_avail: int, least: int
) -> tuple[int, int]:
    other -= max(0, drained + other - replicas - limits.surge)
    have = min(drained_avail, drained) + min(other_avail, other)
    other += min(max(0, other_avail - other), max(0, least - have))
    drained -= max(0, drained + other - replicas - limits.surge)
    return drained, other


def trim_others(others: tuple[Count, ...], available: int, least: int) -> tuple[int, ...]:
    """Sizes of superseded ReplicaSets without a router.

    `others` in order of creation; `available` counts the available pods of all ReplicaSets; at least `least` of them
    stay. Unavailable pods end first and without limit, then available ones from the newest ReplicaSet while enough
    remain.
    """
    sizes = [min(o.size, o.avail) for o in others]
    spare = available - least
    for i in reversed(range(len(sizes))):
        cut = min(sizes[i], max(0, spare))
        sizes[i] -= cut
        spare -= cut
    return tuple(sizes)


def at_least(count: int, least: int, replicas: int) -> int:
    """`minPodsPerReplicaSet`: a version that gets traffic has this many pods, as far as `replicas` allows."""
    return 0 if count == 0 else max(count, min(least, replicas))


def share(weight: int, replicas: int, max_weight: int) -> int:
    """Pods that `weight` needs, rounded up."""
    return -(-weight * replicas // max_weight)


class Routed(msgspec.Struct, frozen=True):
    """The wanted sizes with a router."""

    replicas: int
    weight: int
    max_weight: int = 100
    min_pods: int = 1
    scale: int | None = None
    """`setCanaryScale.replicas`, which overrides the weight."""
    dynamic_stable: bool = False
    recorded: tuple[int, int] | None = None
    """(canary, stable) weights last written, for dynamicStableScale."""
    aborted: bool = False

    def canary(self) -> int:
        if self.scale is not None:
            base = at_least(self.scale, self.min_pods, self.replicas) if self.dynamic_stable else self.scale
        else:
            base = at_least(share(self.weight, self.replicas, self.max_weight), self.min_pods, self.replicas)
        if self.dynamic_stable and self.aborted and self.recorded:
            carried = at_least(share(self.recorded[0], self.replicas, self.max_weight), self.min_pods, self.replicas)
            return max(base, carried)
        return base

    def stable(self) -> int:
        if not self.dynamic_stable:
            return self.replicas
        weight = 0 if self.scale is not None else self.weight
        need = share(max(0, self.max_weight - weight), self.replicas, self.max_weight)
        if self.recorded:
            need = max(need, share(self.recorded[1], self.replicas, self.max_weight))
        return at_least(need, self.min_pods, self.replicas)


def capacity(avail: int, replicas: int, max_weight: int) -> int:
    """The largest weight for `avail` pods if `replicas` pods carry all (promise: weight never exceeds capacity)."""
    return max_weight if replicas <= 0 else min(max_weight, max_weight * avail // replicas)
