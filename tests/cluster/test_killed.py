"""The controller process dies at any moment of a canary on a real control plane: the next one continues without an effect on users."""

from __future__ import annotations

from pathlib import Path

from tests.support.cluster.cluster import Cluster
from tests.support.cluster.cluster_instance import ClusterInstance
from tests.support.cluster.creations import made_by_controller
from tests.support.instance.live import WALKTHROUGH, eventually
from tests.support.instance.visitors import visitors

KILLS = 4


def test_a_canary_finishes_though_the_controller_is_killed_again_and_again(
    cluster: Cluster, there: ClusterInstance, tmp_path: Path
) -> None:
    """No request is lost and nothing is created twice: a new process has only the state in the API."""
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
