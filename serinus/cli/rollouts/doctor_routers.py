"""`doctor`: checks that the routing objects of the namespace's Rollouts exist and their kinds are installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from serinus.api.decoding.reading import converted
from serinus.api.names import ISTIO_GROUP
from serinus.api.resources import BY_KIND, ROLLOUTS
from serinus.api.rollout import Rollout
from serinus.api.served_kind import Discovered, ServedKind, discovery, kind_name, located, unserved
from serinus.cli.cluster.istio_cluster import IstioCluster, istio_cluster
from serinus.kube.errors import ApiError, NotFound
from serinus.routing import registry
from serinus.routing.istio_cluster import is_about_istio
from serinus.routing.router import ANY

if TYPE_CHECKING:
    from serinus.cli.cluster.session import Session
    from serinus.kube.sync import SyncClient

Json = dict[str, Any]
Row = tuple[str, str, str]
"""(object, finding, fix; "" without a problem)."""
ISTIO = {kind.key for kind in registry.kinds().values() if kind.group == ISTIO_GROUP}


def checked(session: Session, controller: str) -> Iterator[Row]:
    """Nothing if the user may not read Rollouts: another check reports that. `controller`: its namespace."""
    try:
        rollouts = session.client.list(ROLLOUTS, session.namespace).get("items") or []
    except ApiError:
        return
    readable: list[Rollout] = []
    for rollout in rollouts:
        with suppress(msgspec.ValidationError):  # `lint` and the Rollout's status report the error
            readable.append(converted(rollout, Rollout))
    with_istio = [r.metadata.name for r in readable if any(ref.kind in ISTIO for ref in registry.references(r))]
    mesh = istio_cluster(session, controller) if with_istio else IstioCluster(session.client)
    if mesh.source:
        yield from _other_clusters(mesh, with_istio)
    objects = _Objects(session, mesh.client)
    for rollout in readable:
        yield from _of_rollout(rollout, objects)


def _other_clusters(mesh: IstioCluster, rollouts: list[str]) -> Iterator[Row]:
    """The Secret that names another cluster for Istio's objects."""
    if mesh.problem:
        yield (
            mesh.source,
            mesh.problem,
            f"Correct the Secret. Until then no traffic of {', '.join(rollouts)} is divided.",
        )
    else:
        server = mesh.client.connection.server
        yield mesh.source, f"Istio's objects of {', '.join(rollouts)} are in the cluster {server}", ""


def _of_rollout(rollout: Rollout, objects: _Objects) -> Iterator[Row]:
    """A router that this version does not support comes first, without a lookup of its objects."""
    named, canary = f"Rollout {rollout.metadata.name}", rollout.spec.strategy.canary
    for name in registry.without_router(canary.traffic_routing if canary else None):
        fix = f"This version has {registry.known()}. The controller leaves the Rollout as it is."
        yield f"{named}, trafficRouting.{name}", "this version of Serinus has no such router", fix
    for finding in registry.unreadable(rollout.spec):
        yield f"{named}, {finding.path}", finding.message, "Correct the field: serinus lint names its line."
    told: set[str] = set()
    for ref in registry.references(rollout):
        where, name = located(ref.name, rollout.metadata.namespace)
        if ref.made or (name == ANY and ref.kind in told):
            continue
        kind, found = kind_name(ref.kind), objects.exists(ref.kind, where, name)
        what = f"{named}, {kind} {ref.name}" if name != ANY else f"{named}, {kind} by labels"
        if found is None:
            if ref.kind not in told:
                problem, _, fix = unserved(registry.kinds()[ref.kind], objects.others(ref.kind)).partition(": ")
                yield what, problem, f"{fix[:1].upper()}{fix[1:]}."
            told.add(ref.kind)
        elif isinstance(found, str):
            yield what, found, f"Ask for the right to read {kind} objects in namespace {where}."
        elif found:
            yield what, "is there", ""
        else:
            yield what, "is missing", f"Create the {kind} {ref.name}: no traffic can be divided without it."


class _Objects:
    """Reads each kind and each object from the API server once."""

    def __init__(self, session: Session, mesh: SyncClient) -> None:
        """`mesh`: of the cluster with Istio's objects."""
        self._own, self._mesh = session.client, mesh
        self._found: dict[str, Discovered] = {}

    def exists(self, kind: str, namespace: str, name: str) -> bool | str | None:
        """None if the kind is not served; a sentence if the user may not read the object."""
        resource = self._discovered(kind).resource
        if resource is None or name == ANY:
            return None if resource is None else True
        try:
            self._client(resource.group).get(resource, namespace, name)
        except NotFound:
            return False
        except ApiError as error:
            return error.message or str(error)
        return True

    def _client(self, group: str) -> SyncClient:
        return self._mesh if group == ISTIO_GROUP else self._own

    def others(self, kind: str) -> tuple[str, ...]:
        """The versions in which an unserved kind is served, unknown to Serinus."""
        return self._discovered(kind).others

    def _discovered(self, kind: str) -> Discovered:
        if kind not in self._found:
            served = registry.kinds().get(kind)
            self._found[kind] = Discovered(BY_KIND[kind]) if served is None else self._asked(served)
        return self._found[kind]

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
        except ApiError:
            return None
