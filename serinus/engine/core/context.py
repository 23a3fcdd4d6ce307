"""The observed state of one Rollout: its ReplicaSets by role, and its settings with defaults.

Vocabulary: *new* is the ReplicaSet of the current template, *stable* the one whose hash is `status.stableRS`, *others*
the rest. This module decides nothing: it only names the objects of the snapshot.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import attrgetter

from msgspec import structs

from serinus.api.analysis import AnalysisRun
from serinus.api.derived import latest, once
from serinus.api.experiment import Experiment
from serinus.api.meta import Json
from serinus.api.names import HASH, REVISION, REVISION_HISTORY, TEMPLATE_HASH
from serinus.api.pods.identity import pod_template_hash, same_template
from serinus.api.pods.template_metadata import own_template
from serinus.api.rollout import BlueGreenStrategy, CanaryStep, CanaryStrategy, Rollout, RolloutSpec, TrafficRouting
from serinus.api.values.selectors import Selector
from serinus.api.workloads import Pod, ReplicaSet
from serinus.engine.core.plan import Snapshot

DEFAULT_SCALE_DOWN_DELAY = 30
DEFAULT_PROGRESS_DEADLINE = 600
DEFAULT_HISTORY_LIMIT = 10


def hash_of(rs: ReplicaSet | None) -> str:
    """The revision's identity, which is stored on the ReplicaSet and never recomputed."""
    return "" if rs is None else rs.metadata.labels.get(HASH, "")


def revision_of(rs: ReplicaSet) -> int:
    text = rs.metadata.annotations.get(REVISION, "")
    return int(text) if text.isdigit() else 0


def born(rs: ReplicaSet) -> tuple[str, int]:
    """Sort key by creation. Timestamps have whole seconds; within one second, the first revision decides."""
    first = rs.metadata.annotations.get(REVISION_HISTORY, "").split(",")[0]
    return rs.metadata.creation_timestamp, int(first) if first.isdigit() else revision_of(rs)


def serving(rs: ReplicaSet) -> int:
    """Its available pods, without those removed by a scale-down. The status still counts them for a moment."""
    return min(rs.spec.replicas, rs.status.available_replicas)


_AGE = attrgetter("metadata.creation_timestamp", "metadata.name")


def by_age(sets: list[ReplicaSet]) -> list[ReplicaSet]:
    return sorted(sets, key=_AGE)


@dataclass(slots=True)
class RolloutContext:
    """A snapshot sorted by role. `new` is None until its ReplicaSet is planned."""

    snapshot: Snapshot
    template: Json
    """The pod template: the Rollout's own, or its workload's."""
    selector: Json
    """matchLabels/matchExpressions of the Rollout's spec, or of its workload's."""
    computed_hash: str
    sets: list[ReplicaSet]
    """All ReplicaSets of this Rollout, oldest first."""
    new: ReplicaSet | None
    stable: ReplicaSet | None
    others: list[ReplicaSet]
    orphans: list[ReplicaSet] = field(default_factory=list[ReplicaSet])
    """Matching ReplicaSets without a controller, for adoption."""

    rollout: Rollout = field(init=False)
    spec: RolloutSpec = field(init=False)
    now: float = field(init=False)
    replicas: int = field(init=False)
    canary: CanaryStrategy | None = field(init=False)
    blue_green: BlueGreenStrategy | None = field(init=False)
    routing: TrafficRouting | None = field(init=False)
    steps: list[CanaryStep] = field(init=False)
    max_weight: int = field(init=False)
    _ready_pods: dict[str, int] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.now, self.rollout = self.snapshot.now, self.snapshot.rollout
        self.spec = spec = self.rollout.spec
        self.replicas = 1 if spec.replicas is None else spec.replicas
        self.canary, self.blue_green = spec.strategy.canary, spec.strategy.blue_green
        self.routing = routing = self.canary.traffic_routing if self.canary else None
        self.steps = self.canary.steps if self.canary else []
        self.max_weight = routing.max_traffic_weight if routing and routing.max_traffic_weight else 100

    @property
    def scale_down_delay(self) -> int:
        """Seconds for which a superseded ReplicaSet keeps its pods after traffic has left it."""
        if self.blue_green:
            seconds = self.blue_green.scale_down_delay_seconds
            return DEFAULT_SCALE_DOWN_DELAY if seconds is None else seconds
        if not self.canary or not self.routing or self.canary.dynamic_stable_scale:
            return 0
        seconds = self.canary.scale_down_delay_seconds
        return DEFAULT_SCALE_DOWN_DELAY if seconds is None else seconds

    @property
    def selector_text(self) -> str:
        """The selector in the form of `kubectl -l`."""

        def text() -> str:
            return Selector.of(self.selector).text()

        return text() if self.spec.workload_ref else once(self.spec, "selector", text)

    def selector_of(self, pod_hash: str) -> str:
        """As `selector_text`, for the pods of one revision."""

        def text() -> str:
            labels = {**self.selector.get("matchLabels", {}), HASH: pod_hash}
            return Selector.of({**self.selector, "matchLabels": labels}).text()

        return text() if self.spec.workload_ref else latest(self.spec, "selector of a revision", pod_hash, text)

    @property
    def analysis_runs(self) -> list[AnalysisRun]:
        """The Rollout's own."""
        uid = self.rollout.metadata.uid
        return [r for r in self.snapshot.analysis_runs if (owner := r.metadata.controller()) and owner.uid == uid]

    @property
    def experiments(self) -> list[Experiment]:
        """The Rollout's own."""
        uid = self.rollout.metadata.uid
        return [e for e in self.snapshot.experiments if (owner := e.metadata.controller()) and owner.uid == uid]

    def others_have_pods(self) -> bool:
        return any(rs.spec.replicas or rs.status.replicas for rs in self.others)

    def cramped(self) -> bool:
        """Whether the cluster has no room for more pods, so that some must end before others start."""
        for rs in self.sets:
            for condition in rs.status.conditions:
                if condition.type == "ReplicaFailure":
                    return True
        return any(pod.unschedulable() for pod in self.snapshot.pods)

    def pods_of(self, rs: ReplicaSet) -> list[Pod]:
        return [p for p in self.snapshot.pods if (owner := p.metadata.controller()) and owner.uid == rs.metadata.uid]

    @property
    def ready_pods(self) -> dict[str, int]:
        """uid of a ReplicaSet → its pods that are ready and not being deleted. Only ReplicaSets with pods."""
        if self._ready_pods is None:
            self._ready_pods = {}
            for pod in self.snapshot.pods:
                if owner := pod.metadata.controller():
                    stays = pod.ready() and not pod.metadata.deletion_timestamp
                    self._ready_pods[owner.uid] = self._ready_pods.get(owner.uid, 0) + stays
        return self._ready_pods

    def named(self, pod_hash: str) -> ReplicaSet | None:
        for rs in self.sets if pod_hash else ():  # called several times in each pass: a plain loop is the fastest
            if rs.metadata.labels.get(HASH) == pod_hash:
                return rs
        return None


def build_context(snapshot: Snapshot) -> RolloutContext:
    """Sort the ReplicaSets of a (valid) Rollout by role."""
    rollout = snapshot.rollout
    template, selector, computed = _identity(snapshot)
    owned, orphans = claim(snapshot, selector)
    new = find_new(owned, computed, template)
    if new is not None:
        # A pass records its writes on this copy (revision.py). The cache's object does not change.
        copy = structs.replace(new, metadata=structs.replace(new.metadata))
        owned[owned.index(new)] = new = copy
    stable_hash = rollout.status.stable_rs
    stable = next((r for r in owned if stable_hash and hash_of(r) == stable_hash), None)
    others = [r for r in owned if r is not new and r is not stable]
    return RolloutContext(snapshot, template, selector, computed, owned, new, stable, others, orphans)


def build_context_from_status(snapshot: Snapshot) -> RolloutContext:
    """The versions by the status, for a spec that cannot identify them. No template, no orphans."""
    owned, _ = claim(snapshot, {})
    status = snapshot.rollout.status

    def named(pod_hash: str) -> ReplicaSet | None:
        return next((r for r in owned if pod_hash and hash_of(r) == pod_hash), None)

    new, stable = named(status.current_pod_hash), named(status.stable_rs)
    return RolloutContext(
        snapshot, {}, {}, "", owned, new, stable, [r for r in owned if r is not new and r is not stable]
    )


def _identity(snapshot: Snapshot) -> tuple[Json, Json, str]:
    """(pod template, selector, hash); memoized if they depend only on the Rollout's spec."""
    collisions, spec = snapshot.rollout.status.collision_count, snapshot.rollout.spec

    def identify() -> tuple[Json, Json, str]:
        template, selector = resolve(snapshot)
        return template, selector, pod_template_hash(template, collisions)

    return identify() if spec.workload_ref else once(spec, ("identity", collisions), identify)


def resolve(snapshot: Snapshot) -> tuple[Json, Json]:
    """(pod template, selector). A workloadRef provides the template, and the selector if the Rollout has none."""
    spec, work = snapshot.rollout.spec, snapshot.workload
    template, selector = spec.template, spec.selector
    if spec.workload_ref and work:
        template = work.template or work.spec.template
        selector = selector or work.spec.selector
    if selector is None:
        return template, {}
    out: Json = {}
    if selector.match_labels:
        out["matchLabels"] = dict(selector.match_labels)
    if selector.match_expressions:
        out["matchExpressions"] = [
            {"key": e.key, "operator": e.operator, **({"values": e.values} if e.values else {})}
            for e in selector.match_expressions
        ]
    return template, out


def claim(snapshot: Snapshot, selector: Json) -> tuple[list[ReplicaSet], list[ReplicaSet]]:
    """(owned, orphans). The Rollout controls the owned ones. Orphans match the selector and have no controller."""
    uid, owned, orphans = snapshot.rollout.metadata.uid, list[ReplicaSet](), list[ReplicaSet]()
    for rs in by_age(list(snapshot.replica_sets)):
        owner = rs.metadata.controller()
        if owner is not None and owner.uid == uid:
            owned.append(rs)
        elif (
            owner is None
            and not rs.metadata.deletion_timestamp
            and HASH in rs.metadata.labels
            and Selector.of(selector).matches(rs.metadata.labels)
        ):
            orphans.append(rs)
    return owned, orphans


def find_new(owned: list[ReplicaSet], computed: str, template: Json) -> ReplicaSet | None:
    """The ReplicaSet of this template: by its hash, else by the recorded hash of an equivalent template, else by
    meaning. Promise: equivalent templates are one revision.

    A ReplicaSet whose template another writer changed is not compared by meaning: its pods have another template.
    """
    for rs in owned:  # the usual case
        if rs.metadata.labels.get(HASH) == computed and not rs.metadata.deletion_timestamp:
            return rs
    live = [r for r in owned if not r.metadata.deletion_timestamp]
    for rs in live:
        if rs.metadata.annotations.get(TEMPLATE_HASH) == computed:
            return rs
    for rs in live:
        if rs.metadata.template_editor():
            continue
        own = own_template(rs.spec.template, rs.metadata.annotations, rs.metadata.labels, template)
        if same_template(own, template):
            return rs
    return None
