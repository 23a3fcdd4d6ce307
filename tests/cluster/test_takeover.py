"""An update that waits half-way under Argo Rollouts continues under Serinus on a real control plane: no pod is restarted."""

from __future__ import annotations

from tests.support.cluster.cluster import HOME, Cluster
from tests.support.cluster.cluster_instance import ClusterInstance
from tests.support.cluster.takeover_scene import checked, decided, full, put_all
from tests.support.instance.live import eventually
from tests.support.instance.visitors import visitors
from tests.support.plays.left_behind import left_behind

PLAY, HOST = "nginx-walk", "web.test"
UIDS = "kubectl get pods -l app=web -o jsonpath='{.items[*].metadata.uid}'"


def test_what_argo_rollouts_left_half_way_is_taken_over_without_a_restart(
    cluster: Cluster, there: ClusterInstance
) -> None:
    """As the check reports, no pod, selector or weight changes until a user promotes."""
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
