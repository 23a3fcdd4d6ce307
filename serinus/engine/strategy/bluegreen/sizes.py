"""Sizes of the versions of a blue-green Rollout: whole versions, and their scale-down after the switch."""

from __future__ import annotations

from serinus.api.messages.counted import counted
from serinus.api.workloads import ReplicaSet
from serinus.engine.core import wait_reasons
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.context import hash_of, revision_of
from serinus.engine.status import scale_down_delay
from serinus.engine.strategy.bluegreen.versions import Versions

DEFAULT_ABORT_DELAY = 30


def must_serve(builder: PlanBuilder, versions: Versions, rs: ReplicaSet) -> int | None:
    """Pods that must serve during a restart; None if the size cannot grow for it."""
    if rs is versions.stable:
        return builder.context.replicas
    return versions.size_of_new(builder) if rs is versions.new and not builder.status.abort else None


def resize(builder: PlanBuilder, versions: Versions) -> bool:
    """Plan all sizes. Returns whether an aborted version is retired: it has no pods any more, or loses them now."""
    s, status, new, stable = builder.context, builder.status, versions.new, versions.stable
    _keep_deadline(builder, versions)
    if stable is not None and stable is not new:
        scale_down_delay.drop_deadline(builder, stable)
        builder.scale(stable, s.replicas, f"the stable version has {counted(s.replicas, 'pod')}")
    retired = False
    if status.abort:
        retired = _retire_aborted(builder, versions)
    else:
        size = versions.size_of_new(builder)
        builder.scale(new, size, f"the new version gets {counted(size, 'pod')} before it takes over")
    serves = s.named(versions.active)
    if serves is not None and serves is not new and serves is not stable:
        scale_down_delay.drop_deadline(builder, serves)  # its delay restarts when the requests have left it again
        builder.scale(
            serves, s.replicas, f"requests go to it: {counted(s.replicas, 'replica is', 'replicas are')} wanted"
        )
    _retire_superseded(builder, versions)
    return retired


def _keep_deadline(builder: PlanBuilder, versions: Versions) -> None:
    """The deadline of the new version stays during a fast rollback to it, as the record that it has its pods."""
    s, new = builder.context, versions.new
    if versions.fast_back and versions.active != hash_of(new):
        if versions.changed and new.spec.replicas and not scale_down_delay.has_deadline(new):
            scale_down_delay.mark(builder, new, s.scale_down_delay, "it had its pods when it was gone back to")
    elif not builder.status.abort:
        scale_down_delay.drop_deadline(builder, new)


def _retire_superseded(builder: PlanBuilder, versions: Versions) -> None:
    """Scale down versions that no Service and no part of the status leads to, after their delay."""
    s, status, stored = builder.context, builder.status, builder.context.rollout.status
    leading = {versions.active, status.stable_rs, status.current_pod_hash}
    if s.replicas:  # else no pods are wanted, and the preview Service has no ready pods to move to
        leading.add(versions.preview)
    leading |= {stored.blue_green.active_selector, stored.stable_rs}
    free = sorted((r for r in s.others if hash_of(r) not in leading), key=revision_of, reverse=True)
    limit = versions.strategy.scale_down_delay_revision_limit
    scale_down_delay.retire(builder, free, delay=lambda _: s.scale_down_delay, limit=limit)


def _retire_aborted(builder: PlanBuilder, versions: Versions) -> bool:
    """Scale down the aborted version after the delay, once the observed active Service selects another one.

    Returns whether the delay has passed.
    """
    new, stable, delay = versions.new, versions.stable, versions.strategy.abort_scale_down_delay_seconds
    delay = DEFAULT_ABORT_DELAY if delay is None else delay
    size = builder.size(new)
    stable_serves = stable is not None and stable.status.available_replicas >= builder.context.replicas
    if versions.active == hash_of(new) or not stable_serves:
        builder.wait(
            wait_reasons.ABORTED.code,
            "the aborted version keeps its pods until the stable one has all of the traffic",
        )
    elif delay == 0:
        builder.scale(new, versions.size_of_new(builder), "aborted: abortScaleDownDelaySeconds 0 keeps the pods")
    elif size > 0 and not scale_down_delay.has_deadline(new):
        scale_down_delay.set_deadline(builder, new, delay, "the update was aborted and no traffic leads to it")
    elif size == 0 or scale_down_delay.passed(builder, new):
        if size and versions.preview == hash_of(new):
            builder.wait(wait_reasons.ABORTED.code, "the preview Service leaves the aborted version before its pods go")
        else:
            builder.scale(new, 0, "aborted: its scale-down delay has passed")
        return True
    return False
