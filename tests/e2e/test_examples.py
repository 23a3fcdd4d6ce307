"""The examples, typed as their READMEs have them, while visitors send 100 requests a second: no request is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.instance.live import Instance, eventually
from tests.support.instance.readme import Readme
from tests.support.instance.visitors import visitors


def replicas(instance: Instance, name: str) -> list[int]:
    """Sizes of a Rollout's ReplicaSets, the oldest first: several may be of the same second."""
    return [rs["spec"]["replicas"] for rs in sorted(sets_of(instance, name), key=lambda rs: first_revision(rs))]


def sets_of(instance: Instance, name: str) -> list[dict[str, Any]]:
    return json.loads(instance.shell(f"kubectl get rs -l app={name} -o json"))["items"]


def first_revision(rs: dict[str, Any]) -> int:
    notes = rs["metadata"]["annotations"]
    history = notes.get("rollout.argoproj.io/revision-history") or notes["rollout.argoproj.io/revision"]
    return int(history.split(",")[0])


def test_blue_green(instance: Instance, tmp_path: Path):
    with Readme("examples/blue-green", instance, tmp_path) as readme:
        readme.type("kubectl apply")
        readme.type("sleep 2\ncurl")
        with visitors(instance.status["gateway"], "shop.test") as there:
            readme.type("kubectl argo rollouts set image shop shop=argoproj/rollouts-demo:green")
            readme.type("sleep 2\ncurl")
            assert set(instance.colors("preview.shop.test", 20)) == {"green"}
            assert there.colors(100) == {"blue": 100}, "nobody sees what is not promoted"
            readme.type("kubectl argo rollouts promote")
            there.all_become("green")
            readme.type("kubectl argo rollouts undo")
            there.all_become("blue")
            before = there.traffic.total
            readme.type("kubectl argo rollouts set image shop shop=argoproj/rollouts-demo:red")
            assert there.colors(there.traffic.total - before)["red"] == 0
            readme.type("kubectl argo rollouts undo")
            eventually(lambda: replicas(instance, "shop")[::2] == [3, 0])  # of blue and red; green's delay continues
            assert there.colors(100) == {"blue": 100}
        readme.type("kubectl delete")
        eventually(lambda: not instance.shell("kubectl get pods,rs -o name"))


@pytest.mark.long
def test_pod_by_pod(instance: Instance, tmp_path: Path):
    with Readme("examples/pod-by-pod", instance, tmp_path) as readme:
        readme.type("kubectl apply")
        readme.type("sleep 2\ncurl")
        with visitors(instance.status["gateway"], "queue.test") as there:
            readme.type("kubectl argo rollouts set image")
            assert replicas(instance, "queue") == [4, 1]
            assert 17 <= there.share("green") <= 23
            readme.type("kubectl argo rollouts abort")
            eventually(lambda: replicas(instance, "queue") == [5, 0])
            there.all_become("blue")
            readme.type("kubectl argo rollouts retry")
            assert 17 <= there.share("green") <= 23
            readme.type("kubectl argo rollouts promote")
            eventually(lambda: replicas(instance, "queue") == [0, 5])
            there.all_become("green")
        readme.type("kubectl delete")


@pytest.mark.long
def test_header_only(instance: Instance, tmp_path: Path):
    always = {"X-Canary": "always"}
    with Readme("examples/header-only", instance, tmp_path) as readme:
        readme.type("kubectl apply")
        readme.type("sleep 2\ncurl")
        with visitors(instance.status["gateway"], "desk.test") as there:
            readme.type("kubectl argo rollouts set image")
            readme.type("sleep 2\ncurl")
            assert set(instance.colors("desk.test", 20, always)) == {"green"}
            readme.type("kubectl argo rollouts promote")
            assert replicas(instance, "desk") == [2, 2]
            assert set(instance.colors("desk.test", 20, always)) == {"green"}
            assert {seen.color for seen in list(there.traffic.answers)} == {"blue"}, "only for who asks for it"
            readme.type("kubectl argo rollouts promote")
            readme.type("sleep 2\ncurl")
            there.all_become("green")
        readme.type("kubectl delete")


@pytest.mark.long
def test_scaled_in_the_middle_of_a_canary(instance: Instance, tmp_path: Path):
    scale = f"/apis/argoproj.io/v1alpha1/namespaces/{instance.namespace}/rollouts/web/scale"
    with Readme("examples/hpa", instance, tmp_path) as readme:
        readme.type("kubectl apply")
        readme.type("kubectl get --raw")
        eventually(lambda: instance.ask("web.test") == (200, '"blue"'))
        with visitors(instance.status["gateway"], "web.test") as there:
            readme.type("kubectl argo rollouts set image")
            assert replicas(instance, "web") == [8, 2]
            assert 23 <= there.share("green") <= 27
            assert instance.get("rollout", "web")["status"]["HPAReplicas"] == 10
            readme.type("kubectl scale")
            assert replicas(instance, "web") == [2, 1]
            assert 23 <= there.share("green") <= 27
            # An autoscaler replaces the Scale that it has read.
            put = f"""kubectl get --raw {scale} | sed 's/"replicas":2}}/"replicas":3}}/' | kubectl replace --raw {scale} -f -"""
            assert '"spec":{"replicas":3}' in instance.shell(put)
            eventually(lambda: replicas(instance, "web") == [3, 1])
            patch = (
                """kubectl patch rollout web --subresource=scale --type=merge -p '{"spec":{"replicas":2}}' -o yaml"""
            )
            assert "spec:\n  replicas: 2\n" in instance.shell(patch)
            readme.type("kubectl argo rollouts promote")
            there.all_become("green")
            eventually(lambda: replicas(instance, "web") == [0, 2])
        readme.type("kubectl delete")


def pods(instance: Instance, owner: str) -> int:
    """How many pods the ReplicaSets of a Deployment or of a Rollout have."""
    sets = sets_of(instance, "site")
    return sum(rs["status"].get("replicas", 0) for rs in sets if rs["metadata"]["ownerReferences"][0]["kind"] == owner)


@pytest.mark.long
@pytest.mark.parametrize("mode", ["progressively", "onsuccess"])
def test_from_a_deployment_and_back(mode: str, instance: Instance, tmp_path: Path):
    with Readme("examples/from-deployment", instance, tmp_path) as readme:
        manifest = readme.folder / "rollout.yaml"
        manifest.write_text(manifest.read_text().replace("progressively", mode))
        readme.type("kubectl apply")
        readme.type("sleep 2\ncurl")
        with visitors(instance.status["gateway"], "site.test") as there:
            readme.type("kubectl apply -f canary-service.yaml -f rollout.yaml")
            eventually(lambda: (pods(instance, "Deployment"), pods(instance, "Rollout")) == (0, 3))
            readme.type("kubectl set image")
            assert 30 <= there.share("green", 600) <= 38
            readme.type("kubectl argo rollouts promote")
            there.all_become("green")
            readme.type("kubectl patch rollout site --type=merge")
            assert pods(instance, "Deployment") == 3
            readme.type("kubectl patch rollout site --type=json")
            readme.type("kubectl delete rollout")
            eventually(lambda: (pods(instance, "Deployment"), pods(instance, "Rollout")) == (3, 0))
            there.all_become("green")
        readme.type("kubectl delete")


@pytest.mark.long
def test_notifications(instance: Instance, tmp_path: Path):
    with Readme("examples/notifications", instance, tmp_path) as readme:
        readme.type("python3 receiver.py")
        readme.type("kubectl create namespace")
        readme.type("kubectl apply")
        readme.type("timeout 60")
        readme.type("kubectl argo rollouts notifications history")
        readme.type("kubectl delete")
