"""The controller has the rights that `serinus install` gives: they are enough, and none is too much."""

from __future__ import annotations

import json
from pathlib import Path

from serinus.install.installation import CLUSTER_RULES, NAME, RULES, rules
from serinus.routing.registry import routers
from tests.support.cluster.cluster import ACCOUNT, Cluster
from tests.support.cluster.cluster_instance import ClusterInstance
from tests.support.cluster.rights import UNUSED, given, refused, used
from tests.support.instance.live import eventually

ROLLOUTS = ("routed", "judged", "followed", "templated", "plugged")
ROUTED = routers()["nginx"].permissions
"""The rights of the router that these Rollouts use. Those of other routers are for kinds that this API server does not have."""
RBAC = "rbac.authorization.k8s.io/v1"
OWN = """
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: verdict}
spec:
  metrics:
  - name: job
    provider:
      job:
        spec:
          template:
            spec:
              restartPolicy: Never
              containers: [{name: test, image: sh, command: [sh, -c, "exit 0"]}]
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: own, labels: {argo-rollouts.argoproj.io/controller-instance-id: own}}
spec:
  replicas: 1
  selector: {matchLabels: {app: own}}
  template:
    metadata: {labels: {app: own}}
    spec: {containers: [{name: web, image: "argoproj/rollouts-demo:blue"}]}
  strategy:
    canary:
      steps: [{setWeight: 50}, {analysis: {templates: [{templateName: verdict}]}}]
"""
MANIFEST = Path(__file__).with_name("rights.yaml")


def healthy(there: ClusterInstance, *names: str) -> None:
    def so(name: str) -> bool:
        found = there.get("rollout", name)
        status = found.get("status", {})
        current = str(found["metadata"]["generation"]) == status.get("observedGeneration")
        return current and status.get("phase") == "Healthy"

    for name in names:
        eventually(lambda name=name: so(name), 90)


def test_each_right_of_the_controller_is_used_and_none_is_missing(cluster: Cluster, there: ClusterInstance) -> None:
    """The controller's actions for other tests of this run count too."""
    have = given((*RULES, *ROUTED, *CLUSTER_RULES)) - set(UNUSED)
    there.shell(f"kubectl apply -f {MANIFEST}")
    try:
        healthy(there, *ROLLOUTS)
        for color in ("green", "yellow"):
            for name in ("routed", "judged"):
                there.shell(f"kubectl argo rollouts set image {name} web=argoproj/rollouts-demo:{color}")
            healthy(there, "routed", "judged")
        there.shell("kubectl argo rollouts restart routed")
        there.shell("kubectl argo rollouts set image plugged web=argoproj/rollouts-demo:green")
        eventually(lambda: have <= used(cluster.plane.audit_file, ACCOUNT), 60)
    finally:
        print("never used:", sorted(have - used(cluster.plane.audit_file, ACCOUNT)))
        there.shell("kubectl delete clusteranalysistemplate rights-verdict")
    assert refused(cluster.plane.audit_file, ACCOUNT) == []


def test_without_the_right_to_finalize_owners_no_child_could_be_made(
    cluster: Cluster, there: ClusterInstance, tmp_path: Path
) -> None:
    """Where the API server requires it, as on OpenShift; the audit log does not show it."""
    for kind in ("Rollout", "AnalysisRun", "Experiment"):
        groups = [rule for rule in rules(RULES) if f"{kind.lower()}s/finalizers" not in rule["resources"]]
        role = {"apiVersion": RBAC, "kind": "Role", "metadata": {"name": "poor"}, "rules": groups}
        owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": kind, "name": "some", "uid": "1"}
        child = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "child", "ownerReferences": [{**owner, "blockOwnerDeletion": True}]},
            "spec": {"ports": [{"port": 80}]},
        }
        (tmp_path / "role.json").write_text(json.dumps(role))
        (tmp_path / "child.json").write_text(json.dumps(child))
        there.shell("kubectl apply -f role.json", tmp_path)
        there.shell("kubectl create rolebinding poor --role=poor --user=poor", check=False)
        said = there.shell("kubectl create --as=poor -f child.json", tmp_path, check=False)
        assert "cannot set blockOwnerDeletion" in said


def test_installed_for_one_namespace_it_works_there_with_a_role_alone(
    cluster: Cluster, there: ClusterInstance, tmp_path: Path
) -> None:
    """Its own identity has no right outside; the controller of the whole cluster does not touch its Rollouts."""
    space, account = there.namespace, f"system:serviceaccount:{there.namespace}:{NAME}"
    cluster.apply_installation("--namespaced", "--namespace", space, "--instance-id", "own")
    (tmp_path / "own.yaml").write_text(OWN)
    there.shell("kubectl apply -f own.yaml", tmp_path)
    cluster.run_controller("controller-own", space, "--namespaced", "--instance-id", "own")
    try:
        healthy(there, "own")
        there.shell("kubectl argo rollouts set image own web=argoproj/rollouts-demo:green")
        healthy(there, "own")
        runs = there.shell("kubectl get analysisruns -o jsonpath='{.items[*].status.phase}'")
        assert runs == "Successful"
        lease = there.shell("kubectl get leases -o jsonpath='{.items[*].metadata.name}'")
        assert lease == "argo-rollouts-controller-lock-own"
        assert ("apps", "replicasets", "create") in used(cluster.plane.audit_file, account)
        assert refused(cluster.plane.audit_file, account) == []
    finally:
        cluster.kill("controller-own")


def test_what_is_listed_as_unused_is_really_given() -> None:
    assert set(UNUSED) <= given((*RULES, *ROUTED, *CLUSTER_RULES))
