"""Whether Istio's objects of a Rollout are in another cluster, which the dashboard does not read.

A labelled Secret in the controller's namespace names that cluster (`serinus/routing/istio_cluster.py`). Its credentials
are the controller's: the dashboard names the Secret and shows what the controller reported. An object that is not in
this cluster is then not called missing.
"""

from __future__ import annotations

from typing import Any

from serinus.api.names import CONTROLLER_LEASE, ISTIO_GROUP, PRIMARY_CLUSTER
from serinus.api.resources import LEASES, SECRETS, Resource
from serinus.engine.core.plan import Snapshot
from serinus.engine.core.references import router_objects
from serinus.kube.client import Client
from serinus.kube.errors import ApiError, Forbidden

Json = dict[str, Any]
LABELS = f"{PRIMARY_CLUSTER}=true"
REPORTED = "the reasons above are those that the controller reported"


async def elsewhere(client: Client, snapshot: Snapshot) -> str:
    """Why Istio's objects of the Rollout are not read here, as a sentence; "" if they are in this cluster or not used.

    ApiError if the API server does not answer.
    """
    named = sorted((k, name) for k, name in router_objects(snapshot.rollout) if k.partition(".")[2] == ISTIO_GROUP)
    if not named:
        return ""
    secrets = await _listed(client, SECRETS, labels=LABELS)
    if secrets is None:
        lost = [f"{kind.partition('.')[0]} {name}" for kind, name in named if f"{kind}/{name}" not in snapshot.objects]
        return f"{lost[0]} is not in this cluster. {_unknown()}; {REPORTED}" if lost else ""
    if not secrets:
        return ""
    leases = await _listed(client, LEASES)
    homes = None if leases is None else {_space(each) for each in leases if _name(each).startswith(CONTROLLER_LEASE)}
    candidates = sorted(f"{_space(each)}/{_name(each)}" for each in secrets if homes is None or _space(each) in homes)
    if not candidates:
        return ""
    return f"Istio's objects are in the cluster that Secret {candidates[0]} names, which the dashboard does not read; {REPORTED}"


def _unknown() -> str:
    return f"A Secret with the label {LABELS} may name another cluster, and your rights do not allow to list Secrets"


async def _listed(client: Client, resource: Resource, labels: str = "") -> list[Json] | None:
    """The objects of all namespaces; None if the user may not list them."""
    try:
        return (await client.list(resource, type=dict, labels=labels)).items
    except Forbidden:
        return None
    except ApiError as error:
        if error.code == 403:
            return None
        raise


def _space(obj: Json) -> str:
    return str(obj["metadata"].get("namespace") or "")


def _name(obj: Json) -> str:
    return str(obj["metadata"].get("name") or "")
