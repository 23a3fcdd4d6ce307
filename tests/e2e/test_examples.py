"""The examples, typed as their READMEs have them, while visitors ask 100 times a second: none of them is lost."""

from __future__ import annotations

from pathlib import Path

from live import Instance, eventually
from readme import Readme
from visitors import visitors


def replicas(instance: Instance, name: str) -> list[int]:
    """Sizes of a Rollout's ReplicaSets, the oldest first."""
    form = "-o jsonpath='{range .items[*]}{.spec.replicas} {end}' --sort-by=.metadata.creationTimestamp"
    return [int(n) for n in instance.shell(f"kubectl get rs -l app={name} {form}").split()]


def test_blue_green(instance: Instance, tmp_path: Path):
    with Readme("examples/blue-green", instance, tmp_path) as readme:
        readme.type("kubectl apply")
        readme.type("curl")
        with visitors(instance.status["gateway"], "shop.test") as there:
            readme.type("kubectl argo rollouts set image shop shop=argoproj/rollouts-demo:green")
            readme.type("curl")
            assert set(instance.colors("preview.shop.test", 20)) == {"green"}
            assert there.colors(100) == {"blue": 100}, "nobody sees what is not promoted"
            readme.type("kubectl argo rollouts promote")
            assert there.colors(100) == {"green": 100}
            readme.type("kubectl argo rollouts undo")
            assert there.colors(100) == {"blue": 100}
            before = there.traffic.total
            readme.type("kubectl argo rollouts set image shop shop=argoproj/rollouts-demo:red")
            assert there.colors(there.traffic.total - before)["red"] == 0
            readme.type("kubectl argo rollouts undo")
            eventually(lambda: sorted(replicas(instance, "shop")) == [0, 0, 3])
            assert there.colors(100) == {"blue": 100}
        readme.type("kubectl delete")
        eventually(lambda: not instance.shell("kubectl get pods,rs -o name"))
