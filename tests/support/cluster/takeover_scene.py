"""The state left by Argo Rollouts, put on the real control plane without a controller; and the report of `serinus upgrade --check`."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from serinus.api.resources import BY_KIND
from tests.support.cluster.cluster import BIN, Cluster, answer
from tests.support.cluster.cluster_instance import ClusterInstance
from tests.support.plays.left_behind import Left

Json = dict[str, Any]
FIRST = ("AnalysisTemplate", "Deployment", "Service", "Ingress", "Experiment", "ReplicaSet", "AnalysisRun")
"""After the Rollout, in this order: owners before their objects."""
OWN_STATUS = ("Rollout", "AnalysisRun", "Experiment")
"""Kinds whose status only the controller writes. Only a Rollout's status is a subresource in the API."""


def put(there: ClusterInstance, obj: Json, owner: Json | None = None) -> Json:
    """Makes an object, with its status where that is the controller's; returns it as it is stored."""
    obj = {"apiVersion": BY_KIND[obj["kind"]].api_version, **obj}
    metadata = {key: value for key, value in obj["metadata"].items() if key != "owner"}
    metadata.pop("ownerKind", None)
    if owner is not None and "owner" in obj["metadata"]:
        by = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"]}
        by |= {"uid": owner["metadata"]["uid"], "controller": True, "blockOwnerDeletion": True}
        metadata["ownerReferences"] = [by]
    kind, name = str(obj["kind"]), str(metadata["name"])
    (there.data / f"{kind}-{name}.json").write_text(json.dumps({**obj, "metadata": metadata}))
    there.shell(f"kubectl create -f {kind}-{name}.json", there.data)
    if kind in OWN_STATUS and obj.get("status"):
        (there.data / "status.json").write_text(json.dumps({"status": obj["status"]}))
        part = "--subresource=status" if kind == "Rollout" else ""
        there.shell(f"kubectl patch {kind.lower()} {name} {part} --type=merge --patch-file status.json", there.data)
    return there.get(kind, name)


def put_all(there: ClusterInstance, left: Left) -> None:
    (rollout,) = left.of("Rollout")
    made = {"Rollout": put(there, rollout)}
    for kind in FIRST:
        for obj in left.of(kind):
            made[kind] = put(there, obj, made[obj["metadata"].get("ownerKind", "Rollout")])


def retold(left: Left, old: str, new: str) -> Left:
    """The same, with another word for one: a host, an address."""
    return Left(left.about, json.loads(json.dumps(left.objects).replace(old, new)))


def full(there: ClusterInstance, left: Left) -> bool:
    """Whether all ReplicaSets have the pods that they had."""
    return all(
        there.get("replicaset", rs["metadata"]["name"])["status"].get("availableReplicas", 0) == rs["spec"]["replicas"]
        for rs in left.of("ReplicaSet")
    )


def decided(cluster: Cluster, namespace: str) -> bool:
    """Whether the controller has handled the Rollout, and found nothing more to do."""
    series = f'rollout_reconcile_count{{name="web",namespace="{namespace}"}}'
    return series in (answer(cluster.metrics_port, "/metrics") or "")


def checked(cluster: Cluster, *flags: str) -> tuple[int, Json]:
    """Exit code and answer of `serinus upgrade --check`."""
    kubeconfig = str(cluster.plane.kubeconfig())
    command = [str(BIN / "serinus"), "upgrade", "--check", "-o", "json", "--kubeconfig", kubeconfig, *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)
