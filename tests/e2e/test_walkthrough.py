"""The walkthrough, typed as written: the real kubectl, the user's own manifests, real requests."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from tests.support.instance.live import WALKTHROUGH, Instance, eventually


def weight_of(instance: Instance, ingress: str) -> str:
    annotations = instance.get("ingress", ingress)["metadata"]["annotations"]
    return annotations.get("nginx.ingress.kubernetes.io/canary-weight", "")


def test_a_canary_by_hand(instance: Instance):
    manual = WALKTHROUGH / "manual"
    shell = instance.shell
    assert (
        shell("kubectl apply -f prod_deployment.yaml", manual)
        == "deployment.apps/prod created\nservice/prod-service created\n"
    )
    assert "condition met" in shell("kubectl wait pods -l app=prod --for condition=Ready --timeout=90s", manual)
    assert shell("kubectl apply -f prod_ingress.yaml", manual) == "ingress.networking.k8s.io/prod-ingress created\n"
    eventually(lambda: instance.ask("canary.demo") == (200, '"blue"'))
    assert "squares" in instance.ask("canary.demo", "/")[1]
    assert set(instance.colors("canary.demo", 50)) == {"blue"}

    shell("kubectl apply -f canary_deployment.yaml", manual)
    assert "condition met" in shell("kubectl wait pods -l app=canary --for condition=Ready --timeout=90s", manual)
    created = "ingress.networking.k8s.io/canary-ingress-canary created\n"
    assert shell("kubectl apply -f canary_ingress.yaml", manual) == created
    eventually(lambda: "green" in instance.colors("canary.demo", 5))
    assert 80 <= instance.colors("canary.demo", 500).count("green") <= 120
    assert set(instance.colors("canary.demo", 20, {"X-Canary": "always"})) == {"green"}
    assert set(instance.colors("canary.demo", 20, {"X-Canary": "never"})) == {"blue"}

    shell("kubectl annotate ingress canary-ingress-canary --overwrite nginx.ingress.kubernetes.io/canary-weight=100")
    eventually(lambda: set(instance.colors("canary.demo", 10)) == {"green"})


def test_an_automatic_canary_and_its_promotion(instance: Instance, tmp_path: Path):
    """Parts 2 and 3; only the 30 s pauses are 2 s here."""
    automatic = tmp_path / "automatic"
    shutil.copytree(WALKTHROUGH / "automatic", automatic)
    manifest = automatic / "canary-rollout.yaml"
    manifest.chmod(0o644)
    manifest.write_text(manifest.read_text().replace("duration: 30s", "duration: 2s"))
    shell = instance.shell

    assert shell("kubectl apply -f canary-rollout.yaml", automatic) == "rollout.argoproj.io/canary-demo created\n"
    message = eventually(lambda: instance.get("rollout", "canary-demo").get("status", {}).get("message"))
    assert re.search(r'[Ss]ervice.*"canary-demo', message), message
    assert shell("kubectl apply -f canary-demo-service.yaml", automatic) == (
        "service/canary-demo created\nservice/canary-demo-canary created\n"
    )
    created = "ingress.networking.k8s.io/canary-demo created\n"
    assert shell("kubectl apply -f canary-demo-ingress.yaml", automatic) == created
    eventually(lambda: instance.get("rollout", "canary-demo")["status"].get("phase") == "Healthy")
    eventually(lambda: instance.ask("canary.auto") == (200, '"blue"'))
    assert set(instance.colors("canary.auto", 50)) == {"blue"}
    assert re.match(r"NAME +STRATEGY +STATUS", shell("kubectl argo rollouts list rollouts"))

    manifest.write_text(manifest.read_text().replace(":blue", ":green"))
    assert shell("kubectl apply -f canary-rollout.yaml", automatic) == "rollout.argoproj.io/canary-demo configured\n"
    eventually(lambda: instance.get("rollout", "canary-demo")["status"].get("phase") == "Paused")
    eventually(lambda: "green" in instance.colors("canary.auto", 5))
    assert instance.colors("canary.auto", 10, {"X-Canary": "always"}) == ["green"] * 10
    assert 80 <= instance.colors("canary.auto", 500).count("green") <= 120
    assert len(shell("kubectl get pods -l deployment=canary -o name").splitlines()) == 1
    assert len(shell("kubectl get pods -l deployment=stable -o name").splitlines()) == 1
    assert weight_of(instance, "canary-demo-canary-demo-canary") == "20"
    stable, canary = (instance.get("service", n)["spec"]["selector"] for n in ("canary-demo", "canary-demo-canary"))
    assert stable["rollouts-pod-template-hash"] != canary["rollouts-pod-template-hash"]
    tree = shell("kubectl argo rollouts get rollout canary-demo --no-color")
    assert "CanaryPauseStep" in tree
    assert "Step:          1/6" in tree

    assert shell("kubectl argo rollouts promote canary-demo") == "rollout 'canary-demo' promoted\n"
    eventually(lambda: weight_of(instance, "canary-demo-canary-demo-canary") == "50")
    eventually(lambda: weight_of(instance, "canary-demo-canary-demo-canary") == "70")
    eventually(lambda: instance.get("rollout", "canary-demo")["status"].get("phase") == "Healthy")
    # The Rollout is Healthy once all requests go to the new version, by a weight of 100. The stable Service follows, then weight 0.
    eventually(lambda: instance.get("service", "canary-demo")["spec"]["selector"] == canary | {})
    eventually(lambda: weight_of(instance, "canary-demo-canary-demo-canary") == "0")
    eventually(lambda: set(instance.colors("canary.auto", 50)) == {"green"})
    assert shell("kubectl argo rollouts status canary-demo --watch=false") == "Healthy\n"
