"""All objects that decisions depend on, kept current by watches, and which Rollouts each change wakes.

The cache keeps only used data. Decoding drops fields that no decision reads. Of pods and ReplicaSets it has only those
with the label of a revision. Ingresses, workloads and objects of other routers are watched only after a Rollout first
names their kind. A cluster that does not use a kind needs no right to read it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from random import Random
from typing import Any, TypeVar

from msgspec import structs

from serinus.analysis.phases import COMPLETED
from serinus.api.analysis import AnalysisRun, AnalysisTemplate
from serinus.api.decoding.reading import converted
from serinus.api.experiment import Experiment
from serinus.api.meta import FieldsWritten, ObjectMeta
from serinus.api.names import EXPERIMENT_NAME, HASH, INSTANCE_ID, LAST_APPLIED
from serinus.api.network import Ingress, Service
from serinus.api.pods import trouble as pod_trouble
from serinus.api.resources import (
    ANALYSIS_RUNS,
    BY_KIND,
    DEPLOYMENTS,
    EXPERIMENTS,
    INGRESSES,
    POD_TEMPLATES,
    PODS,
    REPLICA_SETS,
    ROLLOUTS,
    SERVICES,
    Resource,
)  # fmt: skip
from serinus.api.rollout import Rollout
from serinus.api.served_kind import located, unserved
from serinus.api.workloads import ContainerStatus, Pod, PodStatus, ReplicaSet, Workload
from serinus.engine.core.references import ANY, references
from serinus.kube.client import Client
from serinus.kube.clock import Clock
from serinus.kube.errors import MISDIRECTED
from serinus.kube.informer import Informer, Key, meta
from serinus.kube.served_informer import ServedInformer
from serinus.routing import registry

log = logging.getLogger(__name__)

CONTAINER_MESSAGE = 2 * pod_trouble.LONGEST_MESSAGE
"""Characters to keep of the kubelet's message about a container."""

FORBIDDEN = 403
"""HTTP status for a missing right."""


T = TypeVar("T", AnalysisRun, Experiment)
M = TypeVar("M", bound=ObjectMeta)
W = TypeVar("W", Rollout, Experiment)
Who = tuple[str, Key]
"""(Rollout or Experiment, its key)."""


class _Deployment(Workload, kw_only=True):
    kind: str = "Deployment"  # items of a list have no kind


class _ReplicaSet(Workload, kw_only=True):
    kind: str = "ReplicaSet"


class _PodTemplate(Workload, kw_only=True):
    kind: str = "PodTemplate"


def _checked_template(obj: Any) -> Any:
    """Checks the template and returns it unchanged. msgspec.ValidationError if it is invalid: the informer omits it."""
    converted(obj, AnalysisTemplate)
    return obj


_TRIMMED = {"AnalysisTemplate": _checked_template, "ClusterAnalysisTemplate": _checked_template}

_ON_DEMAND: dict[str, tuple[Resource, Any]] = {
    "Ingress": (INGRESSES, Ingress),
    "workload Deployment": (DEPLOYMENTS, _Deployment),
    "workload ReplicaSet": (REPLICA_SETS, _ReplicaSet),
    "workload PodTemplate": (POD_TEMPLATES, _PodTemplate),
}


class Cache:
    """Calls `wake(key)` with (namespace, name) for every Rollout that must be reconciled again.

    `namespace`: "" for all. `instance_id`: only Rollouts that are labelled with it; "": only those without the label.
    """

    def __init__(
        self,
        client: Client,
        clock: Clock,
        rng: Random,
        wake: Callable[[Key], None],
        *,
        wake_experiment: Callable[[Key], None] = lambda _: None,
        namespace: str = "",
        instance_id: str = "",
    ) -> None:
        self._client, self._clock, self._rng, self._namespace = client, clock, rng, namespace
        self._wake, self._wake_experiment = wake, wake_experiment
        mine = f"{INSTANCE_ID}={instance_id}" if instance_id else f"!{INSTANCE_ID}"
        self.rollouts = self._informer(ROLLOUTS, Rollout, labels=mine, trim=_trimmed_written)
        self.replica_sets = self._informer(REPLICA_SETS, ReplicaSet, labels=HASH, trim=_trimmed_set)
        self.pods = self._informer(PODS, Pod, labels=HASH, trim=_trimmed_pod)
        self.services = self._informer(SERVICES, Service)
        self.analysis_runs = self._informer(ANALYSIS_RUNS, AnalysisRun, labels=mine)
        self.experiments = self._informer(EXPERIMENTS, Experiment, labels=mine, trim=_trimmed_written)
        self.others: dict[str, Informer[Any]] = {}
        """By kind as `references` spells it: the kinds that some Rollout or Experiment names."""
        self._named_by: dict[tuple[str, str, str], set[Who]] = {}
        self._by_uid: dict[str, Who] = {}
        self._by_namespace: dict[str, set[Key]] = {}
        self._sets_of: dict[str, set[Key]] = {}
        self._orphans: dict[str, set[Key]] = {}
        self._pods_of: dict[str, set[Key]] = {}
        self._runs_in: dict[str, set[Key]] = {}
        self._experiments_in: dict[str, set[Key]] = {}
        self._set_owner: dict[str, str] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self.rollouts.on_change(self._rollout_changed)
        self.replica_sets.on_change(self._replica_set_changed)
        self.pods.on_change(self._pod_changed)
        self.analysis_runs.on_change(self._run_changed)
        self.experiments.on_change(self._experiment_changed)
        self.services.on_change(lambda old, new: self._named_changed("Service", old, new))

    async def run(self) -> None:
        """Keeps all informers current until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                for informer in (*self._always(), *self.others.values()):
                    tasks.create_task(informer.run())
                await asyncio.Event().wait()
            finally:
                self._tasks = None

    def _always(self) -> tuple[Informer[Any], ...]:
        return (self.rollouts, self.replica_sets, self.pods, self.services, self.analysis_runs, self.experiments)

    def informers(self) -> tuple[Informer[Any], ...]:
        return (*self._always(), *self.others.values())

    def of_kind(self, kind: str) -> Informer[Any] | None:
        """The informer that shows our writes to objects of this kind."""
        own = next((informer for informer in self._always() if informer.resource.kind == kind), None)
        return own or self.others.get(kind)

    async def synced(self) -> None:
        """Returns once everything has been listed. A kind that only some objects name may fail: only these wait for it."""
        for informer in self._always():
            await informer.synced.wait()
        for informer in list(self.others.values()):
            await informer.answered.wait()

    def missing(self, about: Rollout | Experiment) -> str:
        """A sentence about the first needed list that is missing; "" if none is."""
        for informer in self._always():
            if not informer.synced.is_set():
                return f"{informer.resource.plural} have not been listed yet{_because(informer.error)}"
        for kind, _ in _names(about):
            informer = self.others.get(kind)
            if informer is not None and not informer.synced.is_set() and not self.unreadable(kind):
                return f"{informer.resource.plural} have not been listed yet{_because(informer.error)}"
        return ""

    def unreadable(self, kind: str) -> str:
        """Why objects of a router's kind cannot be read, and the remedy, as a sentence; "" if they can.

        A kind that is served in no version at all has none: `version` is "" then.
        """
        informer = self.others.get(kind)
        if informer is None or (kind != "Ingress" and not isinstance(informer, ServedInformer)):
            return ""
        if isinstance(informer, ServedInformer) and informer.others:
            return unserved(informer.kind, informer.others)
        if informer.error_code == MISDIRECTED and not informer.synced.is_set():
            return informer.error
        if informer.synced.is_set() or informer.error_code != FORBIDDEN:
            return ""
        named = informer.resource.group_resource
        return (
            f"the controller may not read {named} ({informer.error}): grant it the rights that `serinus install` prints"
        )

    def sets_of(self, rollout: Rollout) -> Iterable[ReplicaSet]:
        """ReplicaSets that the Rollout controls, and those of its namespace without a controller."""
        keys = self._sets_of.get(rollout.metadata.uid, set()) | self._orphans.get(rollout.metadata.namespace, set())
        return (self.replica_sets.items[key] for key in sorted(keys))

    def sets_named(self, namespace: str, names: Iterable[str]) -> Iterable[ReplicaSet]:
        return (rs for name in names if (rs := self.replica_sets.items.get((namespace, name))) is not None)

    def experiment(self, uid: str) -> Experiment | None:
        """The Experiment with this uid; None if it does not exist any more."""
        kind, key = self._by_uid.get(uid, ("", ("", "")))
        return self.experiments.items.get(key) if kind == "Experiment" else None

    def runs_of(self, about: Rollout | Experiment) -> Iterable[AnalysisRun]:
        """AnalysisRuns that the object controls, and those whose names may collide with its own."""
        keys = self._runs_in.get(about.metadata.namespace, ())
        return _own(about, (self.analysis_runs.items[key] for key in sorted(keys)))

    def experiments_of(self, rollout: Rollout) -> Iterable[Experiment]:
        """Experiments that the Rollout controls, and those whose names may collide with its own."""
        keys = self._experiments_in.get(rollout.metadata.namespace, ())
        return _own(rollout, (self.experiments.items[key] for key in sorted(keys)))

    def pods_of(self, uid: str) -> Iterable[Pod]:
        """Pods that the ReplicaSet of this uid controls."""
        return (self.pods.items[key] for key in sorted(self._pods_of.get(uid, set())))

    # Changes

    def _rollout_changed(self, old: Rollout | None, new: Rollout | None) -> None:
        if old and new and _same_spec(old.metadata, new.metadata):
            new.spec = old.spec  # only the status changed: keep the values derived from the spec
        key = self._referring("Rollout", old, new)
        if new is None:
            _discard(self._by_namespace, key[0], key)
        else:
            self._by_namespace.setdefault(key[0], set()).add(key)
        self._wake(key)

    def _experiment_changed(self, old: Experiment | None, new: Experiment | None) -> None:
        key = self._referring("Experiment", old, new)
        if new is None:
            _discard(self._experiments_in, key[0], key)
        else:
            self._experiments_in.setdefault(key[0], set()).add(key)
        self._wake_experiment(key)
        self._wake_owner(new or old)

    def _referring(self, kind: str, old: Rollout | Experiment | None, new: Rollout | Experiment | None) -> Key:
        """Index the objects that it names, so that their changes wake it."""
        before = _names(old) if old else frozenset[tuple[str, str]]()
        after = _names(new) if new else frozenset[tuple[str, str]]()
        some = new or old
        assert some is not None
        key = (some.metadata.namespace, some.metadata.name)
        who: Who = (kind, key)
        for named, name in before - after:
            _discard(self._named_by, _place(named, key[0], name), who)
        for named, name in after - before:
            self._named_by.setdefault(_place(named, key[0], name), set()).add(who)
            self._demand(named)
        if old and (new is None or new.metadata.uid != old.metadata.uid):
            self._by_uid.pop(old.metadata.uid, None)
        if new is not None:
            self._by_uid[new.metadata.uid] = who
        return key

    def _wake_one(self, who: Who) -> None:
        kind, key = who
        (self._wake if kind == "Rollout" else self._wake_experiment)(key)

    def _wake_owner(self, obj: AnalysisRun | Experiment | ReplicaSet | None) -> None:
        owner = obj.metadata.controller() if obj else None
        if owner and owner.uid in self._by_uid:
            self._wake_one(self._by_uid[owner.uid])

    def _demand(self, kind: str) -> None:
        """Starts to watch a kind that was not needed before."""
        if kind in self.others or kind == "Service":
            return
        informer = self._on_demand(kind)
        if informer is None:
            return
        informer.on_change(lambda old, new: self._named_changed(kind, old, new))
        informer.on_lost(lambda: self._wake_naming(kind) if self.unreadable(kind) else None)
        self.others[kind] = informer
        if self._tasks is not None:
            self._tasks.create_task(informer.run())
            self._tasks.create_task(self._wake_when_listed(informer))

    def _on_demand(self, kind: str) -> Informer[Any] | None:
        served = registry.kinds().get(kind)
        if served is not None:
            rng, known = Random(self._rng.random()), lambda: self._wake_naming(kind)
            return ServedInformer(
                self._client, served, namespace=self._namespace, clock=self._clock, rng=rng, known=known
            )
        resource, type_ = _ON_DEMAND.get(kind) or (BY_KIND.get(kind), dict)
        if resource is None:
            log.warning("objects of kind %s cannot be watched: the kind is not known", kind)
            return None
        if self._namespace and not resource.namespaced:
            return None  # a Role cannot grant it: a controller of one namespace sees none
        return self._informer(resource, type_, trim=_TRIMMED.get(kind))

    def _wake_naming(self, kind: str) -> None:
        """Wakes all that name the kind: it has been listed, or is no longer served."""
        naming = [who for (named, _, _), those in self._named_by.items() if named == kind for who in those]
        for who in dict.fromkeys(naming):
            self._wake_one(who)

    def resource(self, kind: str) -> Resource | None:
        """The resource for objects of this kind; None for a kind that the API server does not serve."""
        informer = self.others.get(kind)
        if isinstance(informer, ServedInformer):
            return informer.resource if informer.version else None
        return BY_KIND.get(kind)

    def version(self, kind: str) -> str | None:
        """The version in use of another project's kind; "" if it is not served. None for other kinds."""
        informer = self.others.get(kind)
        return informer.version if isinstance(informer, ServedInformer) else None

    async def _wake_when_listed(self, informer: Informer[Any]) -> None:
        """Wakes all once the first list is complete. An empty list causes no change event."""
        await informer.synced.wait()
        for key in self.rollouts.items:
            self._wake(key)
        for key in self.experiments.items:
            self._wake_experiment(key)

    def _named_changed(self, kind: str, old: Any, new: Any) -> None:
        metadata = meta(new if new is not None else old)
        for name in (metadata.name, ANY):
            for who in self._named_by.get(_place(kind, metadata.namespace, name), ()):
                self._wake_one(who)

    def _run_changed(self, old: AnalysisRun | None, new: AnalysisRun | None) -> None:
        run = new or old
        assert run is not None
        key = (run.metadata.namespace, run.metadata.name)
        if new is None:
            _discard(self._runs_in, key[0], key)
        else:
            self._runs_in.setdefault(key[0], set()).add(key)
        if old is None or new is None or _verdict(old) != _verdict(new):
            self._wake_owner(run)

    def _replica_set_changed(self, old: ReplicaSet | None, new: ReplicaSet | None) -> None:
        for rs, arrives in ((old, False), (new, True)):
            if rs is None:
                continue
            key, owner = (rs.metadata.namespace, rs.metadata.name), rs.metadata.controller()
            index, where = (self._orphans, key[0]) if owner is None else (self._sets_of, owner.uid)
            if arrives:
                index.setdefault(where, set()).add(key)
                self._set_owner[rs.metadata.uid] = owner.uid if owner else ""
            else:
                _discard(index, where, key)
                self._set_owner.pop(rs.metadata.uid, None)
            if owner is None:
                for rollout in self._by_namespace.get(key[0], ()):
                    self._wake(rollout)
            else:
                self._wake_owner(rs)
                if (
                    new is None
                    and (of := (key[0], rs.metadata.annotations.get(EXPERIMENT_NAME, ""))) in self.experiments.items
                ):
                    self._wake_experiment(of)  # the name is free: a recreated Experiment may wait for it

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        for pod, arrives in ((old, False), (new, True)):
            owner = pod.metadata.controller() if pod else None
            if pod is None or owner is None:
                continue
            key = (pod.metadata.namespace, pod.metadata.name)
            if arrives:
                self._pods_of.setdefault(owner.uid, set()).add(key)
            else:
                _discard(self._pods_of, owner.uid, key)
            who = self._by_uid.get(self._set_owner.get(owner.uid, ""))
            if who is not None and (_matters(old, new) if who[0] == "Rollout" else _trouble(old) != _trouble(new)):
                self._wake_one(who)

    def _informer(
        self, resource: Resource, type_: Any, *, labels: str = "", trim: Callable[[Any], Any] | None = None
    ) -> Informer[Any]:
        return Informer(
            self._client, resource, type_, namespace=self._namespace, labels=labels, clock=self._clock,
            rng=Random(self._rng.random()), trim=trim,
        )  # fmt: skip


def _names(about: Rollout | Experiment) -> frozenset[tuple[str, str]]:
    """The objects that it names; none on an error. The plan raises the same error and sets the object aside."""
    try:
        return references(about)
    except Exception:
        return frozenset()


def _own(about: Rollout | Experiment, objects: Iterable[T]) -> Iterable[T]:
    """Objects that it controls, and those whose names may collide with its own."""
    uid, start = about.metadata.uid, f"{about.metadata.name}-"
    for obj in objects:
        owner = obj.metadata.controller()
        if obj.metadata.name.startswith(start) or (owner is not None and owner.uid == uid):
            yield obj


def _place(kind: str, namespace: str, name: str) -> tuple[str, str, str]:
    """The index key of an object. Cluster-scoped objects have no namespace."""
    return (kind, "", name) if kind.startswith("Cluster") else (kind, *located(name, namespace))


def _verdict(run: AnalysisRun) -> tuple[Any, ...]:
    """The fields of a run that a Rollout reads. Of measurements it reads only the message of an unfinished last one."""
    phases = [
        (result.name, result.phase, *(m.message for m in result.measurements[-1:] if m.phase not in COMPLETED))
        for result in run.status.metric_results
    ]
    return run.status.phase, run.status.message, run.spec.terminate, run.metadata.deletion_timestamp, phases


def _same_spec(old: ObjectMeta, new: ObjectMeta) -> bool:
    """The API increments the generation with every change of the spec."""
    return old.uid == new.uid and old.generation == new.generation > 0


def _matters(old: Pod | None, new: Pod | None) -> bool:
    """Whether a decision could depend on the difference: labels, annotations, readiness, deletion."""
    return old is None or new is None or _essence(old) != _essence(new)


def _trouble(pod: Pod | None) -> tuple[tuple[str, str], ...]:
    """The fields of its pods that an Experiment reads. Their number comes from the ReplicaSet."""
    return pod_trouble.key(pod) if pod is not None else ()


def _essence(pod: Pod) -> tuple[Any, ...]:
    m = pod.metadata
    state = (pod.status.phase, pod.ready(), pod.unschedulable(), pod_trouble.key(pod))
    return m.uid, m.labels, m.annotations, m.deletion_timestamp, *state


def _trimmed_pod(pod: Pod) -> Pod:
    """Keeps containers only for a pod that is not ready: they have the cause."""
    status = pod.status
    conditions = [c for c in status.conditions if c.type in ("Ready", "PodScheduled")]
    trimmed = PodStatus(status.phase, conditions=conditions)
    if not pod.ready():
        trimmed.reason, trimmed.message = status.reason, status.message
        trimmed.init_container_statuses = [_trimmed_container(c) for c in status.init_container_statuses]
        trimmed.container_statuses = [_trimmed_container(c) for c in status.container_statuses]
    return structs.replace(pod, metadata=_trimmed(pod.metadata), status=trimmed)


def _trimmed_container(one: ContainerStatus) -> ContainerStatus:
    for state in (one.state, one.last_state):
        for part in (state.waiting, state.terminated):
            if part is not None and len(part.message) > CONTAINER_MESSAGE:
                part.message = part.message[:CONTAINER_MESSAGE]
    return one


def _trimmed_set(rs: ReplicaSet) -> ReplicaSet:
    """Keeps managedFields only if another writer changed the template."""
    if not rs.metadata.managed_fields or rs.metadata.template_editor():
        return rs
    return structs.replace(rs, metadata=structs.replace(rs.metadata, managed_fields=[]))


def _trimmed_written(obj: W) -> W:
    """Keeps only the last write of managedFields."""
    last = FieldsWritten(obj.metadata.last_written())
    return structs.replace(obj, metadata=structs.replace(_trimmed(obj.metadata), managed_fields=[last]))


def _trimmed(metadata: M) -> M:
    """Without kubectl's annotation with a copy of the whole object."""
    if LAST_APPLIED not in metadata.annotations:
        return metadata
    annotations = {k: v for k, v in metadata.annotations.items() if k != LAST_APPLIED}
    return structs.replace(metadata, annotations=annotations)


def _discard(index: dict[Any, set[Any]], where: Any, key: Any) -> None:
    if where in index:
        index[where].discard(key)
        if not index[where]:
            del index[where]


def _because(error: str) -> str:
    return f" ({error})" if error else ""
