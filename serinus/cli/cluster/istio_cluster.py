"""The API server with Istio's objects, for commands: that of the labelled Secret in the controller's namespace, if any.

A command says which cluster it asked where that is another one, or where it cannot know. An object that is not in the
session's own cluster is then not called missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from serinus.api.names import ISTIO_GROUP
from serinus.api.resources import LEASES, SECRETS
from serinus.cli.cluster.leaders import leaders
from serinus.install.installation import NAME
from serinus.kube.errors import MISDIRECTED, ApiError

if TYPE_CHECKING:
    from serinus.cli.cluster.session import Session
    from serinus.kube.sync import SyncClient


class ControllerHome(NamedTuple):
    """The controller's namespace. `known`: False if the user may not list the Leases, and it is the default one."""

    namespace: str
    known: bool = True


class IstioCluster(NamedTuple):
    """`source`: the Secret that names it, "" for the session's own cluster. `problem`: why the Secret gives no connection.

    `doubt`: why Istio's objects may be in another cluster than the session's own, as a sentence; "" if they are not.
    """

    client: SyncClient
    source: str = ""
    problem: str = ""
    doubt: str = ""

    @property
    def named(self) -> str:
        """The cluster that the command reads, as a noun: `this cluster, URL`."""
        server = self.client.connection.server
        return f"the cluster {server} of {self.source}" if self.source else f"this cluster, {server}"

    @property
    def asked(self) -> str:
        """The sentence that names the cluster; "" if it is the session's own and no other is possible."""
        if self.source:
            return f"Istio's objects in {self.named}"
        return f"Istio's objects in {self.named}; {self.doubt}" if self.doubt else ""


def istio_cluster(session: Session, home: ControllerHome) -> IstioCluster:
    """The session's own cluster, with a doubt, if the user may not list Secrets."""
    from serinus.kube.configuration.config import from_secret
    from serinus.kube.configuration.kubeconfig import ConfigError
    from serinus.kube.sync import SyncClient
    from serinus.routing.istio_cluster import LABELS, primary_cluster

    own, where = IstioCluster(session.client), f"namespace {home.namespace}"
    try:
        secrets = session.client.list(SECRETS, home.namespace, labels=LABELS).get("items") or []
    except ApiError as error:
        text = f"a Secret of {where} with the label {LABELS} may name another cluster, and Secrets cannot be listed"
        return own._replace(doubt=f"{text}: {error.message or error}")
    try:
        kubeconfig = primary_cluster(secrets, home.namespace)
        if kubeconfig is not None:
            return IstioCluster(SyncClient(from_secret(kubeconfig[1], kubeconfig[0])), kubeconfig[0])
    except (ValueError, ConfigError) as error:
        named = f"Secret {home.namespace}/{secrets[0]['metadata']['name']}"
        return IstioCluster(session.client, named, f"no cluster for Istio's objects: {error}")
    if home.known:
        return own
    text = f"a Secret of the controller's namespace with the label {LABELS} may name another cluster"
    return own._replace(doubt=f"{text}, and Leases, which name that namespace, cannot be listed")


class Clients:
    """The client for the kinds of each API group. The Secret is read for the first kind of Istio's."""

    def __init__(self, session: Session, now: float) -> None:
        self._session, self._now = session, now
        self.mesh: IstioCluster | None = None
        """The cluster with Istio's objects; None before the first read of one."""

    def of(self, group: str) -> SyncClient:
        """ApiError with MISDIRECTED if a Secret for Istio's objects gives no connection."""
        if group != ISTIO_GROUP:
            return self._session.client
        if self.mesh is None:
            self.mesh = istio_cluster(self._session, home(self._session, self._now))
        if self.mesh.problem:
            raise ApiError(MISDIRECTED, "Misdirected", self.mesh.problem)
        return self.mesh.client

    def unknown(self, group: str, what: str, error: ApiError) -> ApiError | None:
        """The error that names the cluster in which `what` was read; None if the session's own is the only one.

        An object that a cluster does not have is missing, unless another cluster may have it.
        """
        mesh = self.mesh
        if group != ISTIO_GROUP or mesh is None or mesh.problem or not mesh.asked:
            return None
        if mesh.doubt and error.code == 404:
            return ApiError(MISDIRECTED, "Misdirected", f"{what} is not in {mesh.named}; {mesh.doubt}")
        if mesh.doubt or error.code == 404:
            return None
        message = f"{mesh.named} does not let Istio's objects be read: {error.message or error}"
        return ApiError(MISDIRECTED, "Misdirected", message)


def home(session: Session, now: float) -> ControllerHome:
    """The namespace of the leading controller; that of an installation if none leads or Leases may not be listed."""
    try:
        leading = leaders(session.client.list(LEASES).get("items") or [], now)
    except ApiError:
        return ControllerHome(NAME, known=False)
    return ControllerHome(leading[0].namespace if leading else NAME)
