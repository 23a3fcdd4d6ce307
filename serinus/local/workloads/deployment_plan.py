"""Plans a Deployment: `plan` reads the Deployment and its ReplicaSets and returns actions. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from serinus.api.meta import Json
from serinus.api.names import LAST_APPLIED
from serinus.api.pods.defaults import copied
from serinus.api.pods.identity import pod_template_hash, same_template
from serinus.api.values.label_rules import selects
from serinus.local.workloads import rolling
from serinus.local.workloads.objects import Deployment, ReplicaSet

HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
_NOT_COPIED = {LAST_APPLIED, REVISION, HISTORY, DESIRED, MAXIMUM, "deprecated.deployment.rollback.to"}

APART = 0x5E4195
"""Start of the collision count, so that Deployments have different hashes from Rollouts."""


@dataclass(frozen=True, slots=True)
class Adopt:
    replica_set: ReplicaSet


@dataclass(frozen=True, slots=True)
class ReplicaSetRelease:
    replica_set: ReplicaSet


@dataclass(frozen=True, slots=True)
class Create:
    name: str
    replicas: int
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    selector: Json
    template: Json


@dataclass(frozen=True, slots=True)
class ReplicaSetChange:
    """`replicas`: None keeps the size."""

    replica_set: ReplicaSet
    replicas: int | None
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Delete:
    replica_set: ReplicaSet


Action = Adopt | ReplicaSetRelease | Create | ReplicaSetChange | Delete


@dataclass(frozen=True, slots=True)
class DeploymentPlan:
    """`new`: the ReplicaSet of the current template; `revision`: its number, "" if it does not exist."""

    actions: tuple[Action, ...] = ()
    sets: tuple[ReplicaSet, ...] = ()
    new: ReplicaSet | None = None
    revision: str = ""


@dataclass(frozen=True, slots=True)
class _View:
    deployment: Deployment
    new: ReplicaSet | None
    old: list[ReplicaSet] = field(default_factory=list[ReplicaSet])

    @property
    def all(self) -> list[ReplicaSet]:
        return [*([self.new] if self.new else []), *self.old]

    def fences(self) -> tuple[int, int]:
        spec = self.deployment.spec
        if spec.strategy.type == "Recreate":
            return 0, 0
        update = spec.strategy.rolling_update
        return rolling.fences(
            spec.replicas, update.max_surge if update else None, update.max_unavailable if update else None
        )


def plan(deployment: Deployment, candidates: Sequence[ReplicaSet], *, old_pods: int = 0) -> DeploymentPlan:
    """`candidates`: its own ReplicaSets and the namespace's orphans. `old_pods`: remaining pods of older templates in
    any state (Recreate waits for them)."""
    claims = _claim(deployment, candidates)
    if claims or deployment.metadata.deletion_timestamp is not None:
        return DeploymentPlan(tuple(claims), tuple(_owned(deployment, candidates)))
    sets = sorted(_owned(deployment, candidates), key=lambda r: (r.metadata.creation_timestamp, r.metadata.name))
    new = next((r for r in sets if same_template(_without_hash(r.spec.template), deployment.spec.template)), None)
    view = _View(deployment, new, [r for r in sets if r is not new])
    revision = _next_revision(view)
    actions: list[Action] = []
    if _resized(view) or (deployment.spec.paused and sum(r.spec.replicas > 0 for r in sets) <= 1):
        actions += _scale(view)
    if not actions and not deployment.spec.paused:
        actions += (
            _recreate(view, revision, old_pods)
            if deployment.spec.strategy.type == "Recreate"
            else _roll(view, revision)
        )
        if not actions:
            actions += _history(view)
    actions = _annotate(view, actions, revision)
    return DeploymentPlan(tuple(actions), tuple(sets), new, revision if new else "")


def set_name(deployment: Deployment) -> tuple[str, str]:
    """(name, hash) of the current template's ReplicaSet."""
    # Not the Rollout hash: a Rollout with the same name and template creates its own ReplicaSet.
    digest = pod_template_hash(deployment.spec.template, APART + (deployment.status.collision_count or 0))
    return f"{deployment.metadata.name[: 252 - len(digest)]}-{digest}", digest


def _claim(deployment: Deployment, candidates: Sequence[ReplicaSet]) -> list[Action]:
    actions: list[Action] = []
    if deployment.metadata.deletion_timestamp is not None:
        return actions
    for candidate in candidates:
        controller = candidate.metadata.controller()
        matches = selects(deployment.spec.selector, candidate.metadata.labels)
        if controller is None and matches and candidate.metadata.deletion_timestamp is None:
            actions.append(Adopt(candidate))
        elif controller is not None and controller.uid == deployment.metadata.uid and not matches:
            actions.append(ReplicaSetRelease(candidate))
    return actions


def _owned(deployment: Deployment, candidates: Sequence[ReplicaSet]) -> list[ReplicaSet]:
    owners = ((r, r.metadata.controller()) for r in candidates)
    return [r for r, owner in owners if owner is not None and owner.uid == deployment.metadata.uid]


def _without_hash(template: Json) -> Json:
    metadata = template.get("metadata") or {}
    labels = {k: v for k, v in (metadata.get("labels") or {}).items() if k != HASH}
    return {**template, "metadata": {**metadata, "labels": labels}}


def _size(replica_set: ReplicaSet) -> rolling.Size:
    return rolling.Size(replica_set.metadata.name, replica_set.spec.replicas, replica_set.status.available_replicas)


def _number(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0


def _next_revision(view: _View) -> str:
    highest = max((_number(r.metadata.annotations.get(REVISION)) for r in view.old), default=0)
    mine = _number(view.new.metadata.annotations.get(REVISION)) if view.new else 0
    return str(max(highest + 1, mine))


def _resized(view: _View) -> bool:
    """Whether the Deployment's size has changed since its ReplicaSets were last scaled."""
    active = [r for r in view.all if r.spec.replicas > 0]
    now = str(view.deployment.spec.replicas)
    return any(r.metadata.annotations.get(DESIRED, now) != now for r in active)


def _scale(view: _View) -> list[Action]:
    """Scales a resized or paused Deployment: only sizes change, and the split between templates stays."""
    replicas, active = view.deployment.spec.replicas, [r for r in view.all if r.spec.replicas > 0]
    if len(active) <= 1:
        one = active[0] if active else view.new or (view.old[-1] if view.old else None)
        return [_change(view, one, replicas)] if one is not None and one.spec.replicas != replicas else []
    if view.new is not None and _size(view.new).serving >= replicas == view.new.spec.replicas:
        return [_change(view, r, 0) for r in view.old if r.spec.replicas]
    if view.deployment.spec.strategy.type == "Recreate":
        return []
    allowed = replicas + view.fences()[0] if replicas else 0
    before = max(_number(r.metadata.annotations.get(MAXIMUM)) for r in active) or sum(r.spec.replicas for r in active)
    sizes = rolling.proportional(allowed, before, [_size(r) for r in active])
    # Unchanged ones are annotated too, or they would count as not yet resized.
    return [_change(view, r, sizes.get(r.metadata.name)) for r in active]


def _roll(view: _View, revision: str) -> list[Action]:
    replicas, (surge, unavailable) = view.deployment.spec.replicas, view.fences()
    old = [_size(r) for r in view.old]
    if view.new is None:
        return [_create(view, rolling.next_new(replicas, surge, rolling.Size("", 0, 0), old), revision)]
    size = rolling.next_new(replicas, surge, _size(view.new), old)
    if size != view.new.spec.replicas:
        return [_change(view, view.new, size)]
    # A ReplicaSet whose controller has not observed the last change reports older counts.
    if any(r.status.observed_generation < r.metadata.generation for r in view.all):
        return []
    smaller = rolling.next_old(replicas, unavailable, _size(view.new), old)
    return [_change(view, r, smaller[r.metadata.name]) for r in view.old if r.metadata.name in smaller]


def _recreate(view: _View, revision: str, old_pods: int) -> list[Action]:
    running = [r for r in view.old if r.spec.replicas > 0]
    if running:
        return [_change(view, r, 0) for r in running]
    if old_pods or any(r.status.replicas for r in view.old):
        return []
    if view.new is None:
        return [_create(view, view.deployment.spec.replicas, revision)]
    replicas = view.deployment.spec.replicas
    return [_change(view, view.new, replicas)] if view.new.spec.replicas != replicas else []


def _history(view: _View) -> list[Action]:
    """Deletes old ReplicaSets beyond the limit, oldest revision first, once they have no pods."""
    limit = view.deployment.spec.revision_history_limit
    if limit is None or view.new is None:
        return []
    idle = [
        r
        for r in view.old
        if not r.spec.replicas
        and not r.status.replicas
        and r.metadata.deletion_timestamp is None
        and r.status.observed_generation >= r.metadata.generation
    ]
    idle.sort(key=lambda r: _number(r.metadata.annotations.get(REVISION)))
    return [Delete(r) for r in idle[: max(0, len(view.old) - limit)]]


def _create(view: _View, replicas: int, revision: str) -> Create:
    deployment = view.deployment
    name, digest = set_name(deployment)
    template = copied(deployment.spec.template)
    template["metadata"] = {**(template.get("metadata") or {})}
    labels = {**(template["metadata"].get("labels") or {}), HASH: digest}
    template["metadata"]["labels"] = labels
    match = {"matchLabels": {**deployment.spec.selector.match_labels, HASH: digest}}
    if deployment.spec.selector.match_expressions:
        match["matchExpressions"] = [  # type: ignore[assignment]
            {"key": e.key, "operator": e.operator, **({"values": e.values} if e.values else {})}
            for e in deployment.spec.selector.match_expressions
        ]
    annotations = {**_copied_annotations(deployment), **_sizes(view), REVISION: revision}
    return Create(name, replicas, labels, annotations, match, template)


def _copied_annotations(deployment: Deployment) -> dict[str, str]:
    return {k: v for k, v in deployment.metadata.annotations.items() if k not in _NOT_COPIED}


def _sizes(view: _View) -> dict[str, str]:
    replicas = view.deployment.spec.replicas
    return {DESIRED: str(replicas), MAXIMUM: str(replicas + view.fences()[0])}


def _change(view: _View, replica_set: ReplicaSet, replicas: int | None) -> ReplicaSetChange:
    annotations = {k: v for k, v in _sizes(view).items() if replica_set.metadata.annotations.get(k) != v}
    return ReplicaSetChange(replica_set, replicas, annotations)


def _annotate(view: _View, actions: list[Action], revision: str) -> list[Action]:
    """Adds the new ReplicaSet's annotations: its revision, and the Deployment's own."""
    new = view.new
    if new is None:
        return actions
    desired = {**_copied_annotations(view.deployment), REVISION: revision}
    if not view.deployment.spec.paused:
        desired |= _sizes(view)
    before = new.metadata.annotations.get(REVISION)
    if before and before != revision:
        history = [r for r in new.metadata.annotations.get(HISTORY, "").split(",") if r]
        desired[HISTORY] = ",".join([*history, before])
    missing = {k: v for k, v in desired.items() if new.metadata.annotations.get(k) != v}
    if not missing:
        return actions
    for i, action in enumerate(actions):
        if isinstance(action, ReplicaSetChange) and action.replica_set is new:
            return [
                *actions[:i],
                ReplicaSetChange(new, action.replicas, {**action.annotations, **missing}),
                *actions[i + 1 :],
            ]
    return [ReplicaSetChange(new, None, missing), *actions]
