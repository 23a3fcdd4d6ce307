"""Serinus is removed as in docs/operations.md: workloads keep serving, and continue under it when it is installed again."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support.cluster.cluster import BIN, Cluster
from tests.support.cluster.cluster_instance import ClusterInstance
from tests.support.instance.live import WALKTHROUGH, eventually
from tests.support.instance.visitors import visitors

UIDS = "kubectl get pods -o jsonpath='{.items[*].metadata.uid}'"


def test_without_serinus_workloads_serve_and_heal_and_it_can_come_back(
    cluster: Cluster, there: ClusterInstance, tmp_path: Path
) -> None:
    automatic = WALKTHROUGH / "automatic"
    there.shell("kubectl apply -f .", automatic)
    eventually(lambda: there.get("rollout", "canary-demo").get("status", {}).get("phase") == "Healthy", 60)
    eventually(lambda: there.ask("canary.auto") == (200, '"blue"'))
    with visitors(str(there.status["gateway"]), "canary.auto") as asking:
        before = there.shell(UIDS)
        cluster.kill("controller")  # the effect of deleting its Deployment
        try:
            printed = subprocess.run(
                [str(BIN / "serinus"), "install", "--no-crds"], capture_output=True, text=True, check=True, timeout=60
            ).stdout
            (tmp_path / "all.yaml").write_text(printed)
            there.shell(f"kubectl delete --ignore-not-found -f {tmp_path / 'all.yaml'}")
            assert there.shell("kubectl get clusterrole argo-rollouts --ignore-not-found") == ""
            assert there.shell("kubectl get rollouts -o name") == "rollout.argoproj.io/canary-demo\n"
            assert asking.colors(100) == {"blue": 100}
            assert there.shell(UIDS) == before
            # More pods, and a new one for one that dies, are the ReplicaSet's own.
            name = there.shell("kubectl get rs -o jsonpath='{.items[0].metadata.name}'")
            there.shell(f"kubectl scale rs {name} --replicas=2")
            eventually(lambda: there.get("rs", name)["status"].get("availableReplicas") == 2, 60)
            grown = set(there.shell(UIDS).split())
        finally:
            cluster.apply_installation()
            cluster.start_controller()
        there.shell("kubectl argo rollouts set image canary-demo canary-demo=argoproj/rollouts-demo:green")
        eventually(lambda: there.get("rollout", "canary-demo")["status"]["phase"] == "Paused", 60)
        # The size is the Rollout's again: one pod of each version. Which one of two about equally old pods stays is chance.
        pods = set(eventually(lambda: len(found := there.shell(UIDS).split()) == 2 and found, 60))
        assert grown & pods, "nothing was restarted"
        # For good: the pods outlive the Rollout, and its Services select all of them.
        there.shell("kubectl delete rollout canary-demo --cascade=orphan")
        selector = "kubectl get service canary-demo -o jsonpath='{.spec.selector}'"
        eventually(lambda: "rollouts-pod-template-hash" not in there.shell(selector))
        assert asking.colors(200)[""] == 0
        assert pods <= set(there.shell(UIDS).split())
