"""`restartAt`: pods that were born before it are evicted, as many at a time as may be missing.

Evictions respect PodDisruptionBudgets; the ReplicaSets bring new pods. Source: the Rollout resource, section 8.
"""

from __future__ import annotations

from serinus.api.int_or_percent import scaled
from serinus.api.times import format_time, parse_time
from serinus.api.workloads import Pod
from serinus.engine import waits
from serinus.engine.draft import Draft
from serinus.engine.plan import Action

AGAIN = 30.0
"""Seconds until the next look where an eviction was refused and no pod changes."""


def restart(draft: Draft) -> None:
    """Plan evictions; note it as done when every pod is young enough."""
    s, status = draft.sight, draft.status
    at = parse_time(s.spec.restart_at)
    if at is None or s.spec.restart_at == status.restarted_at:
        return
    if s.now < at:
        draft.wait(waits.RESTART.code, f"pods are restarted at {format_time(at)}", until=at)
        return
    pods = [p for rs in s.sets for p in s.pods_of(rs)]
    old = [p for p in pods if (parse_time(p.metadata.creation_timestamp) or 0) < at]
    if not old:
        status.restarted_at = s.spec.restart_at
        return
    draft.wait(waits.RESTART.code, f"{len(old)} pods are older than restartAt", since=at, until=s.now + AGAIN)
    for pod in [p for p in old if not p.metadata.deletion_timestamp][: max(0, _allowed(draft, pods))]:
        because = f"pods from before {s.spec.restart_at} are restarted (restartAt)"
        draft.act(Action("evict", "Pod", pod.metadata.name, because, uid=pod.metadata.uid))


def _allowed(draft: Draft, pods: list[Pod]) -> int:
    s = draft.sight
    given = s.canary.max_unavailable if s.canary else None
    missing = max(1, min(s.replicas, scaled(given, s.replicas, round_up=False, default="25%")))
    wanted = max(s.replicas, sum(draft.size(rs) for rs in s.sets))
    return sum(1 for p in pods if p.ready() and not p.metadata.deletion_timestamp) - (wanted - missing)
