"""Sizes while an update is held: they follow `spec.replicas` in the proportions of the current step.

An update is held while `spec.paused` is true, a router refuses, or the spec or an object that it names is invalid. It
is also held after an inconclusive analysis until a user decides. A ReplicaSet records the `spec.replicas` that its size
belongs to (the annotation desired-replicas). If that is unchanged, the size stays: a pause can stop an update between
two sizes. Autoscalers and users scale a Rollout at any time, and the update may be held for days.

A version that is kept whole has one right size, `spec.replicas`. It is restored when another writer scales the
ReplicaSet.
"""

from __future__ import annotations

from serinus.api.messages.counted import counted
from serinus.api.names import DESIRED_REPLICAS
from serinus.api.workloads import ReplicaSet
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.context import hash_of
from serinus.engine.replicasets.replicas import SurgeLimits, approximate, next_basic, share
from serinus.engine.replicasets.routes import service_names
from serinus.engine.replicasets.services import canary_weight_of, leads_to
from serinus.engine.status import scale_down_delay
from serinus.engine.status.conditions import find, promoted
from serinus.engine.strategy.scaling.basic import trim
from serinus.engine.strategy.scaling.routed import follow_traffic
from serinus.engine.strategy.scaling.scale_plan import ScalePlan, Sizes, count_of


def follow_replicas(builder: PlanBuilder, scale: ScalePlan | None) -> None:
    """Plan the sizes. `scale`: the steps' sizes; None if the steps are invalid. Then the gateway's weights decide."""
    s = builder.context
    sets = [rs for rs in s.sets if rs in (s.new, s.stable) or rs.spec.replicas]
    for rs in sets:
        _restore_record(builder, rs)
    if not any(_outdated(builder, rs) for rs in sets):
        return
    if s.blue_green is not None and s.canary is None:
        _blue_green(builder)
    elif s.canary is None or s.blue_green is not None:
        _promoted(builder)
    elif s.routing is not None:
        _routed(builder, scale)
    else:
        _by_pods(builder, scale)


def changed(builder: PlanBuilder, rs: ReplicaSet) -> bool:
    """Whether `spec.replicas` differs from the one that the ReplicaSet's size belongs to."""
    if builder.created(rs) or rs.metadata.deletion_timestamp:
        return False
    return _made_for(builder, rs) != builder.context.replicas


def _outdated(builder: PlanBuilder, rs: ReplicaSet) -> bool:
    """Whether the size needs a check: `spec.replicas` has changed, or a version that is kept whole was scaled."""
    if changed(builder, rs):
        return True
    resized = builder.size(rs) != builder.context.replicas and not builder.created(rs)
    return resized and not rs.metadata.deletion_timestamp and _kept_whole(builder, rs)


def _kept_whole(builder: PlanBuilder, rs: ReplicaSet) -> bool:
    s, status = builder.context, builder.status
    if not builder.size(rs) and find(status, "Healthy") is None:
        return False  # paused from the beginning: the first version has no pods until it is resumed
    if s.blue_green is not None and s.canary is None:
        return hash_of(rs) in _leading(builder) and not scale_down_delay.has_deadline(rs)
    if promoted(status):
        return rs is s.new
    dynamic = s.canary is None or s.canary.dynamic_stable_scale
    return s.routing is not None and not dynamic and hash_of(rs) == status.stable_rs


def _leading(builder: PlanBuilder) -> set[str]:
    """The versions that the Services of a blue-green Rollout may select."""
    return {builder.status.stable_rs, builder.status.blue_green.active_selector}


def _begun(builder: PlanBuilder, rs: ReplicaSet) -> bool:
    """Whether the version has pods, or has none only because none were wanted."""
    return builder.size(rs) > 0 or _made_for(builder, rs) == 0


def _restore_record(builder: PlanBuilder, rs: ReplicaSet) -> None:
    """Restore the record after another writer removed it. Without it, a later change of `spec.replicas` is missed."""
    if _recorded(rs) is None and not rs.metadata.deletion_timestamp:
        record = str(_made_for(builder, rs))
        builder.annotate(rs, {DESIRED_REPLICAS: record}, f"the annotation {DESIRED_REPLICAS} was removed")


def _recorded(rs: ReplicaSet) -> int | None:
    value = rs.metadata.annotations.get(DESIRED_REPLICAS, "")
    return int(value) if value.isdecimal() else None


def _made_for(builder: PlanBuilder, rs: ReplicaSet) -> int:
    """The `spec.replicas` of the size: as recorded here, else on other ReplicaSets, else the present one."""
    own = _recorded(rs)
    if own is not None:
        return own
    others = [
        recorded for other in builder.context.sets if other.spec.replicas and (recorded := _recorded(other)) is not None
    ]
    return max(others, default=builder.context.replicas)


def _promoted(builder: PlanBuilder) -> bool:
    """Scale the stable version if no update is in progress. Returns whether that is the case."""
    s = builder.context
    if not promoted(builder.status) or s.new is None:
        return False
    if _outdated(builder, s.new):
        builder.scale(s.new, s.replicas, f"{counted(s.replicas, 'replica is', 'replicas are')} wanted")
    return True


def _routed(builder: PlanBuilder, scale: ScalePlan | None) -> None:
    s = builder.context
    if _promoted(builder) or s.canary is None:
        return
    stable, new = s.named(builder.status.stable_rs), s.new
    # The stored status may lack the weight in force. This pass has planned that weight again.
    known = [weights for weights in (s.rollout.status.canary.weights, builder.status.canary.weights) if weights]
    given = max((weights.canary.weight for weights in known), default=0)
    rest = max((weights.stable.weight for weights in known), default=s.max_weight)
    rest = min(s.max_weight, rest + canary_weight_of(builder, stable))
    least = share(given, s.replicas, s.max_weight), share(rest, s.replicas, s.max_weight)
    if new is not None and builder.size(new) and leads_to(builder, service_names(s.canary, builder.status)[0], new):
        least = max(least[0], min(1, s.replicas)), least[1]
    before = at = None
    if scale is not None:
        index = builder.status.current_step_index or 0
        before, at = scale.targets(index - 1) if index else Sizes(0, s.replicas), scale.targets(index)
    if stable is not None and _outdated(builder, stable):
        size = s.replicas
        if s.canary.dynamic_stable_scale:
            size = max(least[1], _between(builder, stable, before and before.stable, at and at.stable))
            follow_traffic(builder, stable, size)
        else:
            builder.scale(stable, size, f"the stable version has {counted(size, 'pod')}")
    if new is None or builder.status.abort or not changed(builder, new) or not (least[0] or _begun(builder, new)):
        return
    size = max(least[0], _between(builder, new, before and before.new, at and at.new))
    builder.scale(
        new,
        size,
        f"{counted(s.replicas, 'replica is', 'replicas are')} wanted, and {size} of the new version where the update stands",
    )


def _scaled(builder: PlanBuilder, rs: ReplicaSet) -> int:
    """The size in its present proportion, rounded down, so that no share grows with few replicas."""
    made_for, size = _made_for(builder, rs), builder.size(rs)
    return size * builder.context.replicas // made_for if made_for else size


def _between(builder: PlanBuilder, rs: ReplicaSet, before: int | None, at: int | None) -> int:
    """The size of a version between two steps. The sizes of both steps bound it, if they are known."""
    size = min(builder.size(rs), _scaled(builder, rs))
    return size if before is None or at is None else min(max(size, min(before, at)), max(before, at))


def _by_pods(builder: PlanBuilder, scale: ScalePlan | None) -> None:
    """Without a router: maxSurge and maxUnavailable limit how many pods change at a time."""
    s, n = builder.context, builder.context.replicas
    stable, new = s.named(builder.status.stable_rs), s.new
    if new is None or builder.created(new):
        return
    stable = None if stable is new else stable
    limits = scale.limits if scale else SurgeLimits(1, 0)
    want, keep = n, 0
    if stable is not None:
        want, keep = _divided(builder, scale, limits, new, stable)
    others = [r for r in s.others if r is not stable]
    if scale is not None:
        trim(builder, scale)
    sizes = next_basic(
        n,
        (want, keep),
        limits,
        count_of(builder, new),
        count_of(builder, stable, ready=True) if stable else None,
        tuple(count_of(builder, r) for r in others),
    )
    because = f"{counted(n, 'replica is', 'replicas are')} wanted, divided as where the update stands"
    if stable is not None:
        builder.scale(stable, sizes[1], because, settled=sizes[1] == keep)
    builder.scale(new, sizes[0], because, settled=sizes[0] == want)


def _divided(
    builder: PlanBuilder, scale: ScalePlan | None, limits: SurgeLimits, new: ReplicaSet, stable: ReplicaSet
) -> tuple[int, int]:
    """(new, stable) sizes for `spec.replicas`."""
    n, want = builder.context.replicas, builder.size(new)
    steps: tuple[tuple[int, int], ...] = ()
    if scale is not None:
        index = builder.status.current_step_index or 0
        weights = scale.weight(index - 1) if index else 0, scale.weight(index)
        steps = tuple(approximate(n, weight, 100, limits.surge) for weight in weights)
    if _begun(builder, new) and changed(builder, new):
        want = _between(builder, new, steps[0][0], steps[1][0]) if steps else _scaled(builder, new)
    keep = next((rest for given, rest in steps if given == want), max(0, n - want))
    if scale is not None and keep == 0 and n and builder.size(stable) and scale.leads_to_stable():
        keep = 1  # its Service selects it
        want = min(want, n + limits.surge - 1)
    return want, keep


def _blue_green(builder: PlanBuilder) -> None:
    """Whole versions: the stable one, the active one, and the new one unless it is kept small for a preview."""
    s, status = builder.context, builder.status
    leading = _leading(builder)
    for rs in s.sets:
        whole = hash_of(rs) in leading or builder.size(rs) == _made_for(builder, rs)
        current = hash_of(rs) == status.current_pod_hash and not status.abort
        if not _outdated(builder, rs) or scale_down_delay.has_deadline(rs):
            continue
        if hash_of(rs) in leading or (current and _begun(builder, rs)):
            size = s.replicas if whole else builder.size(rs)
            builder.scale(rs, size, f"{counted(s.replicas, 'replica is', 'replicas are')} wanted")


def count_pods(builder: PlanBuilder) -> None:
    """Write the numbers of pods into the status. Autoscalers read them in any state of the update."""
    s, status = builder.context, builder.status
    live = [rs for rs in s.sets if not builder.created(rs)]
    active = s.named(status.blue_green.active_selector) if s.blue_green else None
    counted = [active] if active else live
    status.replicas = sum(rs.status.replicas for rs in live)
    status.hpa_replicas = sum(rs.status.replicas for rs in counted)
    status.ready_replicas = sum(rs.status.ready_replicas for rs in counted)
    status.available_replicas = sum(rs.status.available_replicas for rs in counted)
    current = s.named(status.current_pod_hash)
    status.updated_replicas = current.status.replicas if current else 0
