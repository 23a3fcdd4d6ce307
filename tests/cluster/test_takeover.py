"""An update that waits half-way under Argo Rollouts goes on under Serinus on a real control plane: no pod is restarted."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from cluster import BIN, HOME, Cluster, answer
from cluster_instance import ClusterInstance
from left_behind import Left, left_behind
from live import eventually
from recordings import ABSENT, RECORDINGS
from visitors import visitors

from serinus.api.resources import BY_KIND

Json = dict[str, Any]
PLAY, HOST = "nginx-walk", "web.test"
UIDS = "kubectl get pods -l app=web -o jsonpath='{.items[*].metadata.uid}'"

pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason=ABSENT)


def put(there: ClusterInstance, obj: Json, owner: Json | None = None) -> Json:
    """Makes an object, with its status where that is the controller's; returns it as it is stored."""
    obj = {"apiVersion": BY_KIND[obj["kind"]].api_version, **obj}
    metadata = {key: value for key, value in obj["metadata"].items() if key != "owner"}
    if owner is not None and "owner" in obj["metadata"]:
        by = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"]}
        by |= {"uid": owner["metadata"]["uid"], "controller": True, "blockOwnerDeletion": True}
        metadata["ownerReferences"] = [by]
    kind, name = str(obj["kind"]), str(metadata["name"])
    (there.data / f"{kind}-{name}.json").write_text(json.dumps({**obj, "metadata": metadata}))
    there.shell(f"kubectl create -f {kind}-{name}.json", there.data)
    if kind == "Rollout":
        (there.data / "status.json").write_text(json.dumps({"status": obj["status"]}))
        there.shell(
            f"kubectl patch rollout {name} --subresource=status --type=merge --patch-file status.json", there.data
        )
    return there.get(kind, name)


def put_all(there: ClusterInstance, left: Left) -> None:
    (rollout,) = left.of("Rollout")
    made = put(there, rollout)
    for kind in ("Service", "Ingress", "ReplicaSet"):
        for obj in left.of(kind):
            put(there, obj, made)


def full(there: ClusterInstance, left: Left) -> bool:
    """Whether all ReplicaSets have the pods that they had."""
    return all(
        there.get("replicaset", rs["metadata"]["name"])["status"].get("availableReplicas", 0) == rs["spec"]["replicas"]
        for rs in left.of("ReplicaSet")
    )


def decided(cluster: Cluster, namespace: str) -> bool:
    """Whether the controller has looked at the Rollout, and found nothing more to do."""
    series = f'rollout_reconcile_count{{name="web",namespace="{namespace}"}}'
    return series in (answer(cluster.metrics_port, "/metrics") or "")


def checked(cluster: Cluster, *flags: str) -> tuple[int, Json]:
    """Exit code and answer of `serinus upgrade --check`."""
    command = [
        str(BIN / "serinus"),
        "upgrade",
        "--check",
        "-o",
        "json",
        "--kubeconfig",
        str(cluster.plane.kubeconfig()),
    ]
    done = subprocess.run([*command, *flags], capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_what_argo_rollouts_left_half_way_is_taken_over_without_a_restart(
    cluster: Cluster, there: ClusterInstance
) -> None:
    """The check says so before, and it is so: not a pod, not a selector, not a weight, until somebody promotes."""
    left = next(one for one in left_behind(PLAY) if "get rollout" in one.about)
    cluster.kill("controller")
    try:
        put_all(there, left)
        eventually(lambda: full(there, left), 60)
        code, found = checked(cluster, "-n", HOME)
        (told,) = [one for one in found["rollouts"] if one["namespace"] == there.namespace]
        assert (code, found["lacking"], told.get("refused", "")) == (0, {}, "")
        assert not {"pods", "traffic"} & set(told["changes"])
        before = sorted(there.shell(UIDS).split())
    finally:
        cluster.start_controller()
    with visitors(str(there.status["gateway"]), HOST) as asking:
        eventually(lambda: decided(cluster, there.namespace), 30)
        assert 5 < asking.share("green") < 45
        assert there.get("rollout", "web")["status"]["phase"] == "Paused"
        assert sorted(there.shell(UIDS).split()) == before
        there.shell("kubectl argo rollouts promote web")
        eventually(lambda: there.get("rollout", "web")["status"]["phase"] == "Healthy", 120)
        eventually(lambda: asking.colors(50) == {"green": 50}, 60)
    green = "kubectl get pods -l app=web,rollouts-pod-template-hash=77f97bbcbf -o jsonpath='{.items[*].metadata.uid}'"
    assert set(there.shell(green).split()) & set(before), "the pods that were there go on"
    restarts = "kubectl get pods -o jsonpath='{.items[*].status.containerStatuses[*].restartCount}'"
    assert set(there.shell(restarts).split()) == {"0"}
