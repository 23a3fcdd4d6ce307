"""`workloadRef`: the Rollout follows another object's template, and may empty the Deployment that it takes over from.

Source: the Rollout resource, section 7. The Deployment is never scaled up again: deleting the Rollout leaves it at 0.
"""

from __future__ import annotations

from serinus.api.messages.counted import counted
from serinus.api.names import WORKLOAD_GENERATION
from serinus.api.values.times import parse_time
from serinus.engine.core import wait_reasons
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.context import revision_of
from serinus.engine.core.plan import Action
from serinus.engine.status.conditions import find, promoted

DRAIN = 3.0
"""Seconds; gateways follow a Service within a fraction of one, and the stored time is truncated to whole seconds."""


def follow(builder: PlanBuilder) -> None:
    """Record the generation of the followed workload: on the Rollout, and in its status once it is observed there."""
    s, meta = builder.context, builder.context.rollout.metadata
    work = s.snapshot.workload
    if s.spec.workload_ref is None or work is None:
        builder.status.workload_observed_generation = ""
        return
    generation = str(work.metadata.generation)
    builder.status.workload_observed_generation = generation
    if meta.annotations.get(WORKLOAD_GENERATION) != generation:
        patch = {"metadata": {"annotations": {WORKLOAD_GENERATION: generation}}}
        because = f"{work.kind} {work.metadata.name} is followed at its generation {generation}"
        builder.act(Action("patch", "Rollout", meta.name, because, patch, uid=meta.uid))


def scale_down(builder: PlanBuilder) -> None:
    """Scale down the Deployment as the Rollout's first revision gets pods (`workloadRef.scaleDown`)."""
    s, work, reference = builder.context, builder.context.snapshot.workload, builder.context.spec.workload_ref
    if reference is None or work is None or work.kind != "Deployment" or s.new is None or revision_of(s.new) != 1:
        return
    have, stored = work.spec.replicas or 0, s.rollout.status
    if reference.scale_down == "onsuccess":
        want = 0 if promoted(builder.status) and stored.phase == "Healthy" else have
    elif reference.scale_down == "progressively":
        missing = max(0, s.replicas - stored.ready_replicas) if stored.ready_replicas > 0 else have
        want = 0 if stored.phase == "Healthy" else missing
    else:
        return
    if want == 0 and have and (stored.phase != "Healthy" or _still_asked(builder)):
        return
    if want != have:
        because = f"{counted(stored.ready_replicas, 'ready pod')} of the Rollout in place of the Deployment's ({reference.scale_down})"
        patch = {"spec": {"replicas": want}}
        meta = work.metadata
        builder.act(
            Action(
                "patch", "Deployment", meta.name, because, patch, uid=meta.uid, resource_version=meta.resource_version
            )
        )


def _still_asked(builder: PlanBuilder) -> bool:
    """Whether gateways may not have followed the Services yet. These moved when the Rollout became healthy."""
    healthy = find(builder.context.rollout.status, "Healthy")
    since = parse_time(healthy.last_transition_time) if healthy else None
    until = (since or 0) + DRAIN
    if builder.context.now >= until:
        return False
    builder.wait(
        wait_reasons.SCALE_DOWN.code, "the Deployment's last pods serve until gateways have followed", until=until
    )
    return True
