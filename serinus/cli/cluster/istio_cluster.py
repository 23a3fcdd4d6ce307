"""The API server with Istio's objects, for commands: that of the labelled Secret in the controller's namespace, if any."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from serinus.api.names import ISTIO_GROUP
from serinus.api.resources import LEASES, SECRETS
from serinus.cli.cluster.leaders import leaders
from serinus.install.installation import NAME
from serinus.kube.errors import ApiError

if TYPE_CHECKING:
    from serinus.cli.cluster.session import Session
    from serinus.kube.sync import SyncClient


class IstioCluster(NamedTuple):
    """`source`: the Secret that names it, "" for the session's own cluster. `problem`: why the Secret gives no connection."""

    client: SyncClient
    source: str = ""
    problem: str = ""


def istio_cluster(session: Session, controller: str) -> IstioCluster:
    """The session's own cluster if the user may not list Secrets. `controller`: the controller's namespace."""
    from serinus.kube.configuration.config import from_secret
    from serinus.kube.configuration.kubeconfig import ConfigError
    from serinus.kube.sync import SyncClient
    from serinus.routing.istio_cluster import LABELS, primary_cluster

    try:
        secrets = session.client.list(SECRETS, controller, labels=LABELS).get("items") or []
    except ApiError:
        return IstioCluster(session.client)
    try:
        found = primary_cluster(secrets, controller)
        if found is None:
            return IstioCluster(session.client)
        return IstioCluster(SyncClient(from_secret(found[1], found[0])), found[0])
    except (ValueError, ConfigError) as error:
        named = f"Secret {controller}/{secrets[0]['metadata']['name']}"
        return IstioCluster(session.client, named, f"no cluster for Istio's objects: {error}")


class Clients:
    """The client for the kinds of each API group. The Secret is read for the first kind of Istio's."""

    def __init__(self, session: Session, now: float) -> None:
        self._session, self._now = session, now
        self._mesh: SyncClient | None = None

    def of(self, group: str) -> SyncClient:
        if group != ISTIO_GROUP:
            return self._session.client
        if self._mesh is None:
            self._mesh = istio_cluster(self._session, home(self._session, self._now)).client
        return self._mesh


def home(session: Session, now: float) -> str:
    """The namespace of the leading controller; that of an installation if none leads or Leases may not be listed."""
    try:
        leading = leaders(session.client.list(LEASES).get("items") or [], now)
    except ApiError:
        return NAME
    return leading[0].namespace if leading else NAME
