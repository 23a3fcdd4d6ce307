"""The controller process dies at any moment of a canary on a real control plane: the next one goes on, nobody notices."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from cluster import ACCOUNT, Cluster
from cluster_instance import ClusterInstance
from live import WALKTHROUGH, eventually
from visitors import visitors

KILLS = 4


def made_by_controller(cluster: Cluster, there: ClusterInstance) -> Counter[str]:
    """Creations in this namespace, events apart, as the API server's audit log has them.

    A request whose client is killed has the code 504 there, whether the object was made or not: it counts if the object
    exists and no other request made it.
    """
    made: list[tuple[str, str]] = []
    lost: set[tuple[str, str]] = set()
    for line in cluster.plane.audit_file.read_text().splitlines():
        entry = json.loads(line)
        about = entry.get("objectRef") or {}
        ours = entry["user"]["username"] == ACCOUNT and about.get("namespace") == there.namespace
        if not ours or entry["verb"] != "create" or about["resource"] == "events":
            continue
        if entry["responseStatus"]["code"] == 201:
            made.append((about["resource"], about["name"]))
        elif entry["responseStatus"]["code"] == 504:
            lost.add((about["resource"], about["name"]))
    made += [one for one in lost - set(made) if there.shell(f"kubectl get {' '.join(one)} --ignore-not-found -o name")]
    return Counter(resource for resource, _ in made)


def test_a_canary_finishes_though_the_controller_is_killed_again_and_again(
    cluster: Cluster, there: ClusterInstance, tmp_path: Path
) -> None:
    """No request is lost, nothing is made twice: all that a new process knows is what the API tells it."""
    manifest, automatic = tmp_path / "rollout.yaml", WALKTHROUGH / "automatic"
    text = (automatic / "canary-rollout.yaml").read_text()
    text = text.replace("pause: {}", "pause: {duration: 2s}").replace("duration: 30s", "duration: 2s")
    manifest.write_text(text.replace("      steps:", "      scaleDownDelaySeconds: 2\n      steps:"))
    there.shell(f"kubectl apply -f {manifest} -f canary-demo-service.yaml -f canary-demo-ingress.yaml", automatic)
    eventually(lambda: there.get("rollout", "canary-demo").get("status", {}).get("phase") == "Healthy", 60)
    eventually(lambda: there.ask("canary.auto") == (200, '"blue"'))
    with visitors(str(there.status["gateway"]), "canary.auto") as asking:
        manifest.write_text(manifest.read_text().replace(":blue", ":green"))
        there.shell(f"kubectl apply -f {manifest}")
        for kills in range(KILLS):
            # A different moment each time: at once, while pods start, in a pause, at a switch.
            end = asking.traffic.total + 60 * kills
            eventually(lambda end=end: asking.traffic.total >= end)
            cluster.kill("controller")
            cluster.start_controller()
        eventually(lambda: there.get("rollout", "canary-demo")["status"]["phase"] == "Healthy", 120)
        eventually(lambda: asking.colors(50) == {"green": 50}, 60)
    assert made_by_controller(cluster, there) == {"replicasets": 2, "ingresses": 1}


def test_another_controller_takes_over_soon_after_a_kill(cluster: Cluster) -> None:
    """With default settings: the dead one's lease of 4 s is waited for, and one attempt more."""
    eventually(lambda: _leader(cluster), 30)
    dead = _leader(cluster)
    first = cluster.processes.pop("controller")
    try:
        cluster.start_controller()
        first.kill()
        eventually(lambda: _leader(cluster) not in ("", dead), 10)
    finally:
        first.kill()
        first.wait()


def _leader(cluster: Cluster) -> str:
    form = "-o=jsonpath={.spec.holderIdentity}"
    return cluster.kubectl("get", "lease", "argo-rollouts-controller-lock", "-n", "argo-rollouts", form, check=False)
