"""The order of the Events of one pass: that of Argo Rollouts, which scripts and its own tests compare."""

from __future__ import annotations

from collections.abc import Iterable

from serinus.engine.core.plan import Event, Plan

_FIRST = {"RolloutUpdated": 0, "NewReplicaSetCreated": 1, "RolloutNotCompleted": 2, "SkipSteps": 3}
"""These come first for a new version, whichever write carries them."""
_LAST = {"RolloutCompleted": 9}
"""The first version is promoted before it gets its size."""


def ordered(plan: Plan, done: Iterable[int], *, status: bool) -> list[Event]:
    """The Events of the completed actions (by index) and, with `status`, those of the status.

    They have the order of the decisions: a completed step before the sizes of the next, a new size before the promotion
    that it completes.
    """
    # Events decided after n actions follow action n - 1. The size of a ReplicaSet that the pass creates follows both.
    placed = [
        (float(index) if event.after is None else event.after - 0.25, event)
        for index in done
        for event in plan.actions[index].events
    ]
    if status:
        last = len(plan.actions)
        placed += [((last if event.after is None else event.after) - 0.5, event) for event in plan.events]
    ranks = _FIRST | _LAST
    sequence = sorted(placed, key=lambda one: (ranks.get(one[1].reason, len(_FIRST)), one[0]))
    return [event for _, event in sequence]
