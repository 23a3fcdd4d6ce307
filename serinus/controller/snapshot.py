"""Takes all objects that a decision about one Rollout may depend on from the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from serinus.api.experiment import Experiment
from serinus.api.meta import Json
from serinus.api.network import Service
from serinus.api.rollout import Rollout
from serinus.api.served_kind import located, name_from
from serinus.api.workloads import Pod
from serinus.controller.cache import Cache
from serinus.engine.core import references
from serinus.engine.core.plan import Snapshot
from serinus.engine.experiment.trial import ExperimentSnapshot
from serinus.kube.informer import Key
from serinus.routing.router import GatewayState, Objects, ReadBack


def snapshot(
    cache: Cache,
    key: Key,
    now: float,
    *,
    read_back: Callable[[Rollout], dict[str, ReadBack]] | None = None,
    gateway: Callable[[Rollout], GatewayState | None] | None = None,
) -> Snapshot | None:
    """The snapshot of the Rollout at `now` (seconds since the epoch); None if it is missing or being deleted.

    `read_back`: the weights in force on load balancers, and `gateway`: the state in force on the gateway of one machine,
    if the controller reads them.
    """
    rollout = cache.rollouts.items.get(key)
    if rollout is None or rollout.metadata.deletion_timestamp:
        return None
    space = key[0]
    sets = tuple(cache.sets_of(rollout))
    pods: list[Pod] = []
    for rs in sets:
        pods += cache.pods_of(rs.metadata.uid)
    services: dict[str, Service] = {}
    for name in references.services(rollout):
        if (service := cache.services.items.get((space, name))) is not None:
            services[name] = service
    routed = router_objects(cache, rollout)
    objects = dict(routed.others)
    asked = references.analyses(rollout)
    if asked:
        objects |= _templates(cache, space, asked)
    work = references.workload(rollout)
    return Snapshot(
        now=now,
        rollout=rollout,
        replica_sets=sets,
        pods=tuple(pods),
        services=services,
        ingresses=routed.ingresses,
        objects=objects,
        analysis_runs=tuple(cache.runs_of(rollout)),
        experiments=tuple(cache.experiments_of(rollout)),
        workload=_named(cache, f"workload {work[0]}", space, work[1]) if work else None,
        served=routed.served,
        unreadable=_unreadable(cache, rollout),
        read_back=read_back(rollout) if read_back else None,
        gateway=gateway(rollout) if gateway else None,
    )


def _unreadable(cache: Cache, rollout: Rollout) -> dict[str, str]:
    kinds = {kind for kind, _ in references.router_objects(rollout)}
    return {kind: trouble for kind in sorted(kinds) if (trouble := cache.unreadable(kind))}


def router_objects(cache: Cache, rollout: Rollout) -> Objects:
    """The objects that the Rollout's routers read, and the served versions of their kinds."""
    space = rollout.metadata.namespace
    objects = Objects(space, {}, {}, {})
    for kind, name in references.router_objects(rollout):
        if (version := cache.version(kind)) is not None:
            objects.served[kind] = version
        for own, obj in _router_objects(cache, kind, space, name):
            if kind == "Ingress":
                objects.ingresses[own] = obj
            else:
                objects.others[f"{kind}/{own}"] = obj
    return objects


def _router_objects(cache: Cache, kind: str, space: str, name: str) -> Iterator[tuple[str, Any]]:
    """(name as the Rollout has it, object) for each object of a reference: one, none, or all of a namespace."""
    where, own = located(name, space)
    if own != references.ANY:
        obj = _named(cache, kind, where, own)
        if obj is not None:
            yield name_from(where, own, space), obj
        return
    informer = cache.others.get(kind)
    for (namespace, each), obj in informer.items.items() if informer else ():
        if namespace == where:
            yield name_from(where, each, space), obj


def experiment_snapshot(cache: Cache, key: Key, now: float) -> ExperimentSnapshot | None:
    """The snapshot of the Experiment at `now` (seconds since the epoch); None if it is missing or being deleted."""
    experiment = cache.experiments.items.get(key)
    if experiment is None or experiment.metadata.deletion_timestamp:
        return None
    space, spec = key[0], experiment.spec
    names = {t.service.name or f"{key[1]}-{t.name}" for t in spec.templates if t.service is not None}
    services = {name: service for name in names if (service := cache.services.items.get((space, name))) is not None}
    sets = tuple(cache.sets_named(space, [f"{key[1]}-{t.name}" for t in spec.templates]))
    asked: list[Json] = [
        {"templates": [{"templateName": a.template_name, "clusterScope": a.cluster_scope}]} for a in spec.analyses
    ]
    sets = tuple(cache.sets_named(space, [f"{key[1]}-{t.name}" for t in spec.templates]))
    owners = {owner.uid for service in (*sets, *services.values()) if (owner := service.metadata.controller())}
    return ExperimentSnapshot(
        now=now,
        experiment=experiment,
        replica_sets=sets,
        pods=tuple(pod for rs in sets for pod in cache.pods_of(rs.metadata.uid)),
        services=services,
        with_weight=_with_weight(cache, experiment),
        analysis_runs=tuple(cache.runs_of(experiment)),
        objects=_templates(cache, space, asked),
        others={
            uid: other for uid in owners if (other := cache.experiment(uid)) is not None and other is not experiment
        },
    )


def _with_weight(cache: Cache, experiment: Experiment) -> frozenset[str]:
    """The Services of experiments that have a weight, as the status of the owning Rollout records it."""
    owner = experiment.metadata.controller()
    rollout = cache.rollouts.items.get((experiment.metadata.namespace, owner.name)) if owner else None
    weights = rollout.status.canary.weights if rollout and owner and rollout.metadata.uid == owner.uid else None
    return frozenset(each.service_name for each in weights.additional) if weights else frozenset()


def _templates(cache: Cache, space: str, asked: list[Json]) -> dict[str, Json]:
    """The templates that analyses name, and the templates that these name in turn, by "Kind/name"."""
    templates: dict[str, Json] = {}
    pending = [ref for analysis in asked for ref in references.templates(analysis.get("templates") or [])]
    while pending:
        kind, name = pending.pop()
        template = _named(cache, kind, "" if kind.startswith("Cluster") else space, name)
        if template is None or f"{kind}/{name}" in templates:
            continue
        templates[f"{kind}/{name}"] = template
        pending += references.templates((template.get("spec") or {}).get("templates") or [])
    return templates


def _named(cache: Cache, kind: str, space: str, name: str) -> Any:
    informer = cache.services if kind == "Service" else cache.others.get(kind)
    return informer.items.get((space, name)) if informer else None
