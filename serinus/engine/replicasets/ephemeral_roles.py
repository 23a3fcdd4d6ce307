"""Which metadata each version carries by its role, on its ReplicaSet and on its running pods.

During an update the new version has canaryMetadata (previewMetadata) and the stable one stableMetadata
(activeMetadata). A promoted version has the stable one's metadata. Source: canary strategy, section 7.
"""

from __future__ import annotations

from serinus.api.rollout import PodMetadata
from serinus.api.workloads import ReplicaSet
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.context import RolloutContext
from serinus.engine.core.plan import Action
from serinus.engine.replicasets.ephemeral_metadata import MetadataTargets, has_no_role_metadata, never_had_role_metadata
from serinus.engine.status.conditions import promoted


def _roles(s: RolloutContext) -> tuple[PodMetadata | None, PodMetadata | None]:
    """(metadata of the new version, metadata of the stable one)."""
    if s.canary:
        return s.canary.canary_metadata, s.canary.stable_metadata
    if s.blue_green:
        return s.blue_green.preview_metadata, s.blue_green.active_metadata
    return None, None


def for_new(s: RolloutContext) -> PodMetadata | None:
    """The metadata of a new ReplicaSet at its creation."""
    trial, charge = _roles(s)
    return trial if s.stable is not None and s.new is not s.stable else charge


def keep_in_step(builder: PlanBuilder) -> None:
    """Plan the changes of ReplicaSets first (so that new pods are right), then of their running pods."""
    s = builder.context
    trial, charge = _roles(s)
    new_wants = charge if promoted(builder.status) else trial
    for rs in s.sets:
        metadata, template = (new_wants, s.template) if rs is s.new else (charge if rs is s.stable else None, None)
        if metadata is None and template is None and never_had_role_metadata(rs):
            continue
        if not has_no_role_metadata(rs, metadata, template):
            _one(builder, rs, MetadataTargets(rs, metadata, template))


def _one(builder: PlanBuilder, rs: ReplicaSet, targets: MetadataTargets) -> None:
    patch = targets.replica_set_patch()
    role = "its role changed: pods carry the labels and annotations of the new one"
    if patch:
        planned = builder.act(
            Action(
                "patch",
                "ReplicaSet",
                rs.metadata.name,
                role,
                patch,
                uid=rs.metadata.uid,
                resource_version=builder.version(rs),
            )
        )
        if not planned:
            return  # its new pods would differ from these
    if builder.size(rs) == 0 or not any(targets.values.values()):
        return
    for pod in builder.context.pods_of(rs):
        change = None if pod.metadata.deletion_timestamp else targets.pod_patch(pod)
        if change:
            builder.act(Action("patch", "Pod", pod.metadata.name, role, change, uid=pod.metadata.uid))
