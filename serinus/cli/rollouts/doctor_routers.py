"""`doctor`: checks that the routing objects of the namespace's Rollouts exist and their kinds are installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from serinus.api.decoding.reading import converted
from serinus.api.names import ISTIO_GROUP
from serinus.api.resources import BY_KIND, ROLLOUTS
from serinus.api.rollout import Rollout
from serinus.api.served_kind import Discovered, ServedKind, discovery, kind_name, located, unserved
from serinus.cli.cluster.istio_cluster import ControllerHome, IstioCluster, istio_cluster
from serinus.kube.errors import ApiError, NotFound
from serinus.routing import registry
from serinus.routing.istio_cluster import is_about_istio
from serinus.routing.router import ANY

if TYPE_CHECKING:
    from serinus.cli.cluster.session import Session
    from serinus.kube.sync import SyncClient

Json = dict[str, Any]
ISTIO = {kind.key for kind in registry.kinds().values() if kind.group == ISTIO_GROUP}


class RouterRow(NamedTuple):
    """`what`: the object. `fix`: what to do; "" without a problem. `warns`: a warning, Rollouts may work."""

    what: str
    result: str
    fix: str = ""
    warns: bool = False


def checked(session: Session, home: ControllerHome) -> Iterator[RouterRow]:
    """Nothing if the user may not read Rollouts: another check reports that. `home`: the controller's namespace."""
    try:
        rollouts = session.client.list(ROLLOUTS, session.namespace).get("items") or []
    except ApiError:
        return
    readable: list[Rollout] = []
    for rollout in rollouts:
        with suppress(msgspec.ValidationError):  # `lint` and the Rollout's status report the error
            readable.append(converted(rollout, Rollout))
    with_istio = [r.metadata.name for r in readable if any(ref.kind in ISTIO for ref in registry.references(r))]
    mesh = istio_cluster(session, home) if with_istio else IstioCluster(session.client)
    yield from _istio(mesh, ", ".join(with_istio))
    objects = _Objects(session, mesh.client)
    for rollout in readable:
        yield from _of_rollout(rollout, objects, mesh)


def _istio(mesh: IstioCluster, rollouts: str) -> Iterator[RouterRow]:
    """The Secret that names another cluster for Istio's objects, or why one may do so."""
    if mesh.problem:
        fix = f"Correct the Secret. Until then no traffic of {rollouts} is divided."
        yield RouterRow(mesh.source, mesh.problem, fix)
    elif mesh.source:
        server = mesh.client.connection.server
        yield RouterRow(mesh.source, f"Istio's objects of {rollouts} are in the cluster {server}")
    elif mesh.doubt:
        fix = "Ask for this right, or read the status of the Rollouts: the controller knows the cluster."
        yield RouterRow(f"Istio's objects of {rollouts}", f"looked up in {mesh.named}; {mesh.doubt}", fix, warns=True)


def _of_rollout(rollout: Rollout, objects: _Objects, mesh: IstioCluster) -> Iterator[RouterRow]:
    """A router that this version does not support comes first, without a lookup of its objects."""
    named, canary = f"Rollout {rollout.metadata.name}", rollout.spec.strategy.canary
    for name in registry.without_router(canary.traffic_routing if canary else None):
        fix = f"This version has {registry.known()}. The controller leaves the Rollout as it is."
        yield RouterRow(f"{named}, trafficRouting.{name}", "this version of Serinus has no such router", fix)
    for finding in registry.unreadable(rollout.spec):
        yield RouterRow(f"{named}, {finding.path}", finding.message, "Correct the field: serinus lint names its line.")
    told: set[str] = set()
    for ref in registry.references(rollout):
        where, name = located(ref.name, rollout.metadata.namespace)
        in_mesh = ref.kind in ISTIO
        if ref.made or ref.kind in told or (in_mesh and mesh.problem):
            continue
        kind = kind_name(ref.kind)
        what = f"{named}, {kind} {ref.name}" if name != ANY else f"{named}, {kind} by labels"
        try:
            exists = objects.exists(ref.kind, where, name)
        except ApiError as error:
            told |= {ref.kind} if error.code != 403 else set()
            yield _unread(what, error, f"{kind} objects in namespace {where}", mesh if in_mesh else None)
            continue
        there = f" in {mesh.named}" if in_mesh and mesh.asked else ""
        if exists is None:
            told.add(ref.kind)
            problem, _, fix = unserved(registry.kinds()[ref.kind], objects.others(ref.kind)).partition(": ")
            yield _lacking(what, problem, there, f"{fix[:1].upper()}{fix[1:]}.", mesh)
        elif exists:
            yield RouterRow(what, f"is there{there}")
        else:
            fix = f"Create the {kind} {ref.name}{there}: no traffic can be divided without it."
            yield _lacking(what, "is missing", there, fix, mesh)


def _lacking(what: str, problem: str, there: str, fix: str, mesh: IstioCluster) -> RouterRow:
    """`there`: the cluster that the command reads, if there may be another one."""
    if there and mesh.doubt:
        return RouterRow(
            what, f"{problem}{there}", "Read the status of the Rollout: the controller may ask another cluster.", True
        )
    return RouterRow(what, f"{problem}{there}", fix)


def _unread(what: str, error: ApiError, which: str, mesh: IstioCluster | None) -> RouterRow:
    """`which`: the objects that cannot be read. `mesh`: their cluster, for Istio's objects."""
    refused = error.code in (401, 403)
    if mesh is not None and mesh.source:
        fix = (
            f"Grant the user of {mesh.source} the right to read {which}."
            if refused
            else "Open the way to this cluster."
        )
        return RouterRow(what, f"cannot be read in {mesh.named}: {error.message or error}", fix)
    fix = f"Ask for the right to read {which}." if refused else "Try again when the API server answers."
    return RouterRow(what, error.message or str(error), fix)


class _Objects:
    """Reads each kind and each object from the API server once."""

    def __init__(self, session: Session, mesh: SyncClient) -> None:
        """`mesh`: of the cluster with Istio's objects."""
        self._own, self._mesh = session.client, mesh
        self._by_kind: dict[str, Discovered] = {}

    def exists(self, kind: str, namespace: str, name: str) -> bool | None:
        """None if the kind is not served. ApiError if the API server does not answer, or refuses."""
        resource = self._discovered(kind).resource
        if resource is None or name == ANY:
            return None if resource is None else True
        try:
            self._client(resource.group).get(resource, namespace, name)
        except NotFound:
            return False
        return True

    def _client(self, group: str) -> SyncClient:
        return self._mesh if group == ISTIO_GROUP else self._own

    def others(self, kind: str) -> tuple[str, ...]:
        """The versions in which an unserved kind is served, unknown to Serinus."""
        return self._discovered(kind).others

    def _discovered(self, kind: str) -> Discovered:
        if kind not in self._by_kind:
            served = registry.kinds().get(kind)
            self._by_kind[kind] = Discovered(BY_KIND[kind]) if served is None else self._asked(served)
        return self._by_kind[kind]

    def _asked(self, kind: ServedKind) -> Discovered:
        asking = discovery(kind)
        try:
            path = next(asking)
            while True:
                path = asking.send(self._answer(path))
        except StopIteration as end:
            return end.value

    def _answer(self, path: str) -> Json | None:
        try:
            return (self._mesh if is_about_istio(path) else self._own).call("GET", path)
        except NotFound:
            return None
