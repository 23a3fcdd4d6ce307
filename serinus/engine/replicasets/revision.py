"""The ReplicaSet of the current template: created if missing, renumbered if reused, its annotations kept up to date.

Source: the Rollout resource, section 2.
"""

from __future__ import annotations

import msgspec

from serinus.api.messages.counted import counted
from serinus.api.meta import Json, LabelSelector, OwnerReference
from serinus.api.names import (
    DESIRED_REPLICAS,
    EPHEMERAL_METADATA,
    HASH,
    LAST_APPLIED,
    NOTIFICATION_PENDING,
    NOTIFICATION_THREADS,
    NOTIFIED,
    REVISION,
    REVISION_HISTORY,
    TEMPLATE_HASH,
    TEMPLATE_METADATA,
)
from serinus.api.pods.defaults import with_defaults
from serinus.api.pods.identity import same_template
from serinus.api.pods.template_metadata import injected, own_template
from serinus.api.rollout import PodMetadata
from serinus.api.workloads import ReplicaSet, ReplicaSetMeta, ReplicaSetSpec
from serinus.engine.core import wait_reasons
from serinus.engine.core.builder import PlanBuilder, difference
from serinus.engine.core.context import DEFAULT_HISTORY_LIMIT, hash_of, revision_of
from serinus.engine.core.plan import Action, Event
from serinus.engine.replicasets import affinity
from serinus.engine.replicasets.ephemeral_metadata import merged, notes
from serinus.engine.status.promotion import note_replaced

NOT_COPIED = frozenset(
    {LAST_APPLIED, REVISION, REVISION_HISTORY, DESIRED_REPLICAS}
    | {NOTIFIED, NOTIFICATION_PENDING, NOTIFICATION_THREADS}
    | {EPHEMERAL_METADATA, TEMPLATE_METADATA, TEMPLATE_HASH}
)


def owner_reference(builder: PlanBuilder) -> Json:
    meta = builder.context.rollout.metadata
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "name": meta.name,
        "uid": meta.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def adopt_orphans(builder: PlanBuilder) -> None:
    """Adopt matching ReplicaSets without a controller (from an older controller, or orphaned on purpose)."""
    for rs in builder.context.orphans:
        owners = [msgspec.to_builtins(o) for o in rs.metadata.owner_references] + [owner_reference(builder)]
        builder.act(
            Action(
                "patch",
                "ReplicaSet",
                rs.metadata.name,
                f"ReplicaSet {rs.metadata.name} matches the selector and nobody controls it",
                {"metadata": {"ownerReferences": owners}},
                uid=rs.metadata.uid,
                resource_version=rs.metadata.resource_version,
            )
        )


def ensure_new(builder: PlanBuilder, metadata: PodMetadata | None) -> ReplicaSet:
    """The new ReplicaSet: planned with size 0 if missing (with `metadata` injected into its pods), else updated."""
    s = builder.context
    note_replaced(builder)
    if s.new is None:
        s.new = _create(builder, metadata)
    else:
        _keep_in_step(builder, s.new)
    if not builder.missing(s.new):
        _copy_revision(builder, s.new)
    return s.new


def wait_for_the_name(builder: PlanBuilder) -> None:
    """A ReplicaSet waits while another of its name is being deleted. The end of the deletion starts a pass."""
    if not builder.actions:
        return
    leaving = {rs.metadata.name for rs in builder.context.sets if rs.metadata.deletion_timestamp}
    held = [a.name for a in builder.actions if a.verb == "create" and a.kind == "ReplicaSet" and a.name in leaving]
    for name in held:
        builder.wait(wait_reasons.PODS.code, f"ReplicaSet {name} is being deleted: it is made anew when it is gone")
    if held:
        builder.actions = [a for a in builder.actions if not (a.verb == "create" and a.name in held)]


def _next_revision(builder: PlanBuilder, rs: ReplicaSet | None) -> int:
    own, highest = revision_of(rs) if rs else 0, 0
    for other in builder.context.sets:
        if other is not rs:
            highest = max(highest, revision_of(other))
    return own if own > highest else highest + 1


def _copied(builder: PlanBuilder) -> dict[str, str]:
    return {k: v for k, v in builder.context.rollout.metadata.annotations.items() if k not in NOT_COPIED}


def _create(builder: PlanBuilder, metadata: PodMetadata | None) -> ReplicaSet:
    s, rollout = builder.context, builder.context.rollout
    pod_hash, revision = s.computed_hash, _next_revision(builder, None)
    name = f"{rollout.metadata.name}-{pod_hash}"
    labels: dict[str, str] = {**((s.template.get("metadata") or {}).get("labels") or {}), HASH: pod_hash}
    annotations = {**_copied(builder), REVISION: str(revision), DESIRED_REPLICAS: str(s.replicas)}
    annotations |= notes(s.template, metadata)
    template = _template(builder, pod_hash, metadata)
    selector = {**s.selector, "matchLabels": {**s.selector.get("matchLabels", {}), HASH: pod_hash}}
    spec: Json = {"replicas": 0, "selector": selector, "template": template}
    if s.spec.min_ready_seconds:
        spec["minReadySeconds"] = s.spec.min_ready_seconds
    body: Json = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "namespace": rollout.metadata.namespace,
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [owner_reference(builder)],
        },
        "spec": spec,
    }
    meta = ReplicaSetMeta(
        name=name,
        namespace=rollout.metadata.namespace,
        labels=labels,
        annotations=annotations,
        owner_references=[
            OwnerReference("argoproj.io/v1alpha1", "Rollout", rollout.metadata.name, rollout.metadata.uid, True, True)
        ],
    )
    rs = ReplicaSet(meta, ReplicaSetSpec(0, s.spec.min_ready_seconds, LabelSelector(), template))
    event = Event("NewReplicaSetCreated", f"Created ReplicaSet {name} (revision {revision})")
    builder.create(rs, body, f"the pod template changed: revision {revision} needs a ReplicaSet of its own", (event,))
    return rs


def _template(builder: PlanBuilder, pod_hash: str, metadata: PodMetadata | None) -> Json:
    """The pod template of the ReplicaSet of this hash: the Rollout's, with the additions of Rollouts."""
    s, rollout = builder.context, builder.context.rollout
    template = merged(merged(s.template, PodMetadata(labels={HASH: pod_hash})), metadata)
    stable = rollout.status.stable_rs
    rule = affinity.desired(s, stable, pod_hash)
    return affinity.kept_apart(template, rule, stable, rollout.metadata.namespace) if rule else template


def _restored(builder: PlanBuilder, rs: ReplicaSet) -> Json | None:
    """Merge patch that restores the Rollout's template after another writer changed it; None if it is equivalent."""
    meta, template = rs.metadata, builder.context.template
    if not meta.template_editor():
        return None
    if same_template(own_template(rs.spec.template, meta.annotations, meta.labels, template), template):
        return None
    desired = _template(builder, hash_of(rs), injected(meta.annotations))
    return difference(rs.spec.template, with_defaults(desired))


def _keep_in_step(builder: PlanBuilder, rs: ReplicaSet) -> None:
    """Sync the Rollout's annotations, revision number, minReadySeconds and pod template to an existing ReplicaSet."""
    have, desired = rs.metadata.annotations, _copied(builder)
    revision = _next_revision(builder, rs)
    if revision != revision_of(rs):
        desired[REVISION] = str(revision)
        if REVISION in have:
            history = [h for h in have.get(REVISION_HISTORY, "").split(",") if h]
            desired[REVISION_HISTORY] = ",".join([*history, have[REVISION]])
    notes = {k: v for k, v in desired.items() if have.get(k) != v}
    if notes and hash_of(rs) != builder.context.computed_hash:
        notes[TEMPLATE_HASH] = builder.context.computed_hash  # not worth a separate write: a takeover writes nothing
    patch: Json = {"metadata": {"annotations": notes}} if notes else {}
    if rs.spec.min_ready_seconds != builder.context.spec.min_ready_seconds:
        patch["spec"] = {"minReadySeconds": builder.context.spec.min_ready_seconds}
    rollout = builder.context.rollout
    stable = rollout.status.stable_rs
    rule = affinity.desired(builder.context, stable, hash_of(rs))
    restored = _restored(builder, rs)
    apart = affinity.affinity_patch(rs.spec.template, rule, stable, rollout.metadata.namespace) if rule else None
    events: tuple[Event, ...] = ()
    if restored:
        patch["spec"] = {**patch.get("spec", {}), "template": restored}
        message = (
            f"{rs.metadata.template_editor()} changed the pod template of ReplicaSet {rs.metadata.name}: it is the Rollout's "
            "again. Pods made meanwhile keep the changed one until they are restarted"
        )
        events = (Event("ReplicaSetTemplateRestored", message, "Warning"),)
    elif apart:
        patch["spec"] = {**patch.get("spec", {}), **apart}
    if not patch:
        return
    planned = builder.act(
        Action(
            "patch",
            "ReplicaSet",
            rs.metadata.name,
            events[0].message if events else "the ReplicaSet carries the Rollout's notes and its revision number",
            patch,
            uid=rs.metadata.uid,
            resource_version=rs.metadata.resource_version,
            events=events,
        )
    )
    if planned:
        rs.metadata.annotations = {**have, **notes}


def _copy_revision(builder: PlanBuilder, rs: ReplicaSet) -> None:
    meta, revision = builder.context.rollout.metadata, rs.metadata.annotations.get(REVISION, "")
    if meta.annotations.get(REVISION) == revision:
        return
    event = Event("RolloutUpdated", f"Rollout updated to revision {revision}")
    patch: Json = {"metadata": {"annotations": {REVISION: revision}}}
    builder.act(
        Action(
            "patch",
            "Rollout",
            meta.name,
            f"the current template is revision {revision}",
            patch,
            uid=meta.uid,
            events=(event,),
        )
    )


def trim_history(builder: PlanBuilder) -> None:
    """Delete the oldest superseded ReplicaSets beyond revisionHistoryLimit, once they are empty."""
    s = builder.context
    limit = DEFAULT_HISTORY_LIMIT if s.spec.revision_history_limit is None else s.spec.revision_history_limit
    if len(s.others) <= limit:
        return
    old = [r for r in s.others if not r.metadata.deletion_timestamp]
    for rs in old[: max(0, len(old) - limit)]:
        if (
            rs.status.replicas == 0
            and builder.size(rs) == 0
            and rs.status.observed_generation >= rs.metadata.generation
        ):
            builder.act(
                Action(
                    "delete",
                    "ReplicaSet",
                    rs.metadata.name,
                    f"only {counted(limit, 'old revision is', 'old revisions are')} kept (revisionHistoryLimit)",
                    uid=rs.metadata.uid,
                    resource_version=rs.metadata.resource_version,
                )
            )
