"""`doctor`: checks that the routing objects of the namespace's Rollouts exist and their kinds are installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from serinus.api.decoding.reading import converted
from serinus.api.resources import BY_KIND, ROLLOUTS, SECRETS
from serinus.api.rollout import Rollout
from serinus.api.served_kind import Discovered, ServedKind, discovery, kind_name, located, unserved
from serinus.kube.errors import ApiError, NotFound
from serinus.routing import registry
from serinus.routing.router import ANY

if TYPE_CHECKING:
    from serinus.cli.cluster.session import Session

Json = dict[str, Any]
Row = tuple[str, str, str]
"""(object, finding, fix; "" without a problem)."""


PRIMARY_CLUSTER = "istio.argoproj.io/primary-cluster=true"
"""Label of a Secret with the kubeconfig of the cluster in which Argo Rollouts writes Istio's objects."""


def checked(session: Session, controller: str) -> Iterator[Row]:
    """Nothing if the user may not read Rollouts: another check reports that. `controller`: its namespace."""
    try:
        rollouts = session.client.list(ROLLOUTS, session.namespace).get("items") or []
    except ApiError:
        return
    objects = _Objects(session)
    with_istio: list[str] = []
    for rollout in rollouts:
        try:
            typed = converted(rollout, Rollout)
        except msgspec.ValidationError:
            continue  # `lint` and the Rollout's status report the error
        if any(used.router.key == "istio" for used in registry.routers_of(typed.spec)):
            with_istio.append(typed.metadata.name)
        yield from _of_rollout(typed, objects)
    if with_istio:
        yield from _other_clusters(session, controller, with_istio)


def _other_clusters(session: Session, controller: str, rollouts: list[str]) -> Iterator[Row]:
    """Secrets that name another cluster for Istio's objects; none that the user may not list."""
    for namespace in dict.fromkeys((controller, session.namespace)):
        try:
            secrets = session.client.list(SECRETS, namespace, labels=PRIMARY_CLUSTER).get("items") or []
        except ApiError:
            continue
        for secret in secrets:
            problem = (
                f"its label {PRIMARY_CLUSTER.partition('=')[0]} has no effect: Serinus writes the VirtualServices and "
                "DestinationRules of a Rollout in the Rollout's own cluster"
            )
            fix = (
                f"Put the objects of {', '.join(rollouts)} into this cluster, or leave these Rollouts to Argo Rollouts."
            )
            yield f"Secret {namespace}/{secret['metadata']['name']}", problem, fix


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

    def __init__(self, session: Session) -> None:
        self._session = session
        self._found: dict[str, Discovered] = {}

    def exists(self, kind: str, namespace: str, name: str) -> bool | str | None:
        """None if the kind is not served; a sentence if the user may not read the object."""
        resource = self._discovered(kind).resource
        if resource is None or name == ANY:
            return None if resource is None else True
        try:
            self._session.client.get(resource, namespace, name)
        except NotFound:
            return False
        except ApiError as error:
            return error.message or str(error)
        return True

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
            return self._session.client.call("GET", path)
        except ApiError:
            return None
