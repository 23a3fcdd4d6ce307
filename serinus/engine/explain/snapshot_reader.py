"""The snapshot of one Rollout, read from the API by clients without a cache: `serinus why`, the dashboard's page.

This module sends no requests. `gather` yields each read, takes the answer and returns the snapshot, so blocking and
asynchronous callers share it. A forbidden object is not a missing object. If a needed read is forbidden there is no
snapshot, and `why.glance` explains the status alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any

from serinus.api.analysis import AnalysisRun
from serinus.api.decoding.reading import converted
from serinus.api.experiment import Experiment
from serinus.api.meta import Json, LabelSelector, ObjectMeta
from serinus.api.names import HASH
from serinus.api.network import Ingress, Service
from serinus.api.pods.trouble import unexplained
from serinus.api.resources import BY_KIND, Resource
from serinus.api.rollout import Rollout
from serinus.api.served_kind import Discovered, ServedKind, discovery, located, name_from, unserved
from serinus.api.values.selectors import Selector
from serinus.api.workloads import Pod, PodEvent, ReplicaSet, Workload
from serinus.engine.core import references
from serinus.engine.core.plan import Snapshot
from serinus.engine.status.conditions import TRAFFIC_VERIFIED
from serinus.routing import registry
from serinus.routing.router import GatewayState, ReadBack, Router

ASKED_PODS = 3
"""Pods whose Events are read. Pods of one version usually have the same trouble."""


@dataclass(frozen=True, slots=True)
class Read:
    """One object by name, or, without a name, all with the labels; namespaced kinds in the Rollout's namespace.

    `fields`: a field selector beside the labels. `needed`: without it there is no snapshot; a forbidden read that is
    not needed counts as empty.
    """

    kind: str
    name: str = ""
    labels: str = ""
    needed: bool = True
    fields: str = ""
    namespace: str = ""
    """"" for the Rollout's."""
    resource: Resource | None = None
    """None for the built-in kind of this name."""
    path: str = ""
    """A discovery path of the API, instead of an object."""


def resource_of(ask: Read) -> Resource | None:
    """The resource of the read; None for an unknown kind."""
    return ask.resource or BY_KIND.get(ask.kind)


Asking = Generator[Read, list[Json], Snapshot]
"""Takes the objects found, which may be empty."""


def gather(rollout: Json, now: float) -> Asking:
    """The contents of a controller's cache for this Rollout at `now`. msgspec.ValidationError if undecodable."""
    typed = converted(rollout, Rollout)
    uid = typed.metadata.uid
    workload = yield from _workload(typed)
    labels = _labels(typed.spec.selector or ((workload or {}).get("spec") or {}).get("selector"))
    sets = [
        rs for rs in _typed((yield Read("ReplicaSet", labels=labels)), ReplicaSet) if _owner(rs.metadata) in ("", uid)
    ]
    owned = {rs.metadata.uid for rs in sets}
    pods = [pod for pod in _typed((yield Read("Pod", labels=labels)), Pod) if _owner(pod.metadata) in owned]
    hashes = sorted({h for rs in sets if (h := rs.metadata.labels.get(HASH))})
    of_them = f"{HASH} in ({','.join(hashes)})"
    services: dict[str, Service] = {}
    ingresses: dict[str, Ingress] = {}
    objects: dict[str, Json] = {}
    for name in sorted(references.services(typed)):
        for obj in (yield Read("Service", name)):
            services[name] = converted(obj, Service, own=False)
    served, unreadable = yield from _router_objects(typed, services, ingresses, objects)
    analyses = references.analyses(typed)
    if analyses:
        objects |= yield from _templates(analyses)
    runs = (yield Read("AnalysisRun", labels=of_them, needed=bool(analyses))) if hashes else []
    experiments = (yield Read("Experiment", labels=of_them)) if _experiments(typed) and hashes else []
    return Snapshot(
        now,
        typed,
        tuple(sets),
        tuple(pods),
        services,
        ingresses,
        objects,
        tuple(run for run in _typed(runs, AnalysisRun) if _owner(run.metadata) == uid),
        tuple(e for e in _typed(experiments, Experiment) if _owner(e.metadata) == uid),
        converted(workload, Workload, own=False) if workload else None,
        pod_events=(yield from _pod_events(pods, now)),
        served=served,
        unreadable=unreadable,
        read_back=_read_back(typed, ingresses),
        gateway=_gateway(typed),
    )


def _read_back(rollout: Rollout, ingresses: dict[str, Ingress]) -> dict[str, ReadBack] | None:
    """The weights of load balancers as the controller recorded them. Only the controller reads the load balancers."""
    message = _unconfirmed(rollout, lambda router: router.key == "alb")
    if not message:
        return None
    return {name: ReadBack(one.metadata.resource_version, error=message) for name, one in ingresses.items()}


def _gateway(rollout: Rollout) -> GatewayState | None:
    """The state of the gateway as the controller recorded it. Only the controller of one machine reads the gateway."""
    message = _unconfirmed(rollout, lambda router: router.capabilities.reads_gateway)
    return GatewayState(error=message) if message else None


def _unconfirmed(rollout: Rollout, is_meant: Callable[[Router[Any]], bool]) -> str:
    """Why the controller does not count the weight as confirmed; "" for a Rollout without such a router."""
    if not any(is_meant(used.router) for used in registry.routers_of(rollout.spec)):
        return ""
    return next((c.message for c in rollout.status.conditions if c.type == TRAFFIC_VERIFIED), "")


def _router_objects(
    rollout: Rollout, services: dict[str, Service], ingresses: dict[str, Ingress], objects: dict[str, Json]
) -> Generator[Read, list[Json], tuple[dict[str, str], dict[str, str]]]:
    """Adds the objects that the routers name. Returns the versions of other projects' kinds, and which are unreadable."""
    unreadable: dict[str, str] = {}
    space, served, resources = rollout.metadata.namespace, dict[str, str](), dict[str, Resource | None]()
    for kind, name in sorted(references.router_objects(rollout)):
        if kind in registry.kinds() and kind not in resources:
            known = registry.kinds()[kind]
            resource, others = yield from _discovered(kind, known)
            resources[kind], served[kind] = resource, resource.version if resource else ""
            if others:
                unreadable[kind] = unserved(known, others)
        if kind in resources and resources[kind] is None:
            continue
        where, own = located(name, space)
        read = Read(kind, "" if own == references.ANY else own, namespace=where, resource=resources.get(kind))
        for obj in (yield read):
            named = name_from(where, obj["metadata"]["name"], space)
            if kind == "Service":
                services[named] = converted(obj, Service, own=False)
            elif kind == "Ingress":
                ingresses[named] = converted(obj, Ingress, own=False)
            else:
                objects[f"{kind}/{named}"] = obj
    return served, unreadable


def _discovered(kind: str, known: ServedKind) -> Generator[Read, list[Json], Discovered]:
    asking = discovery(known)
    try:
        path = next(asking)
        while True:
            path = asking.send(next(iter((yield Read(kind, path=path))), None))
    except StopIteration as end:
        return end.value


def _pod_events(pods: list[Pod], now: float) -> Generator[Read, list[Json], tuple[PodEvent, ...]]:
    """Warnings about unready pods whose status gives no cause. Only Events report volumes and probes."""
    events: list[PodEvent] = []
    for pod in sorted((p for p in pods if unexplained(p, now)), key=lambda p: p.metadata.name)[:ASKED_PODS]:
        fields = f"involvedObject.uid={pod.metadata.uid},type=Warning"
        events += _typed((yield Read("Event", fields=fields, needed=False)), PodEvent)
    return tuple(events)


def answered(asking: Asking, answer: Callable[[Read], list[Json]]) -> Snapshot:
    """The snapshot, for a blocking caller."""
    try:
        ask = next(asking)
        while True:
            ask = asking.send(answer(ask))
    except StopIteration as end:
        return end.value


async def answered_later(asking: Asking, answer: Callable[[Read], Awaitable[list[Json]]]) -> Snapshot:
    """The same, for an event loop."""
    try:
        ask = next(asking)
        while True:
            ask = asking.send(await answer(ask))
    except StopIteration as end:
        return end.value


def _workload(rollout: Rollout) -> Generator[Read, list[Json], Json | None]:
    named = references.workload(rollout)
    objects = (yield Read(*named)) if named else []
    return objects[0] if objects else None


def _templates(analyses: list[Json]) -> Generator[Read, list[Json], dict[str, Json]]:
    """The templates that the analyses name, including nested ones, by "Kind/name"."""
    templates: dict[str, Json] = {}
    pending = [ref for analysis in analyses for ref in references.templates(analysis.get("templates") or [])]
    asked: set[references.Reference] = set()
    while pending:
        kind, name = pending.pop()
        if (kind, name) in asked:
            continue
        asked.add((kind, name))
        for template in (yield Read(kind, name)):
            templates[f"{kind}/{name}"] = template
            pending += references.templates((template.get("spec") or {}).get("templates") or [])
    return templates


def _experiments(rollout: Rollout) -> bool:
    canary = rollout.spec.strategy.canary
    return canary is not None and any(step.experiment is not None for step in canary.steps)


def _labels(selector: LabelSelector | Json | None) -> str:
    """The selector as a query. If the selector is invalid, the label that every ReplicaSet and pod of a Rollout has;
    owner references then select.
    """
    try:
        return Selector.of(selector).text() or HASH
    except ValueError:
        return HASH


def _typed(items: list[Json], kind: type[Any]) -> list[Any]:
    return [converted(item, kind, own=kind not in (ReplicaSet, Pod)) for item in items]


def _owner(meta: ObjectMeta) -> str:
    """UID of its controller; "" without one."""
    controller = meta.controller()
    return controller.uid if controller else ""
