"""Events behind a host while requests continue: whole releases, rollbacks, and takeovers.

Each names the event and the versions that may answer meanwhile; `requests_ledger.py` judges.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.support.cluster import requests_manifests as manifests
from tests.support.cluster.requests_scene import Scene
from tests.support.instance.live import eventually

Scenario = Callable[[Scene], None]


def _stands(scene: Scene, *objects: manifests.Json) -> None:
    scene.apply(manifests.ingress(scene.host), *objects)
    scene.phase("Healthy")
    scene.begin("blue")


def _canary(scene: Scene) -> None:
    _stands(scene, *map(manifests.service, ("web", "web-canary")), manifests.rollout(manifests.canary()))


def _promote(scene: Scene, color: str, *before: str) -> None:
    """From the pause that waits for it, until only the pods of the new version are left."""
    scene.phase("Paused")
    scene.typed("kubectl argo rollouts promote web")
    scene.healthy(color, *before)
    scene.pods(3)


def _abort(scene: Scene, about: str) -> None:
    """Of green, back to blue."""
    scene.typed("kubectl argo rollouts abort web")
    scene.ledger.now(about, "green", "blue")
    scene.phase("Degraded")
    scene.only("blue")


def _to_the_end(scene: Scene, color: str, before: str) -> None:
    scene.ledger.now(f"canary of {color}", color, before)
    scene.image(color)
    scene.weight(50)
    _promote(scene, color, before)


def canary_to_the_end(scene: Scene) -> None:
    """Step by step to a new version; then to the next one at once, past all steps."""
    _canary(scene)
    _to_the_end(scene, "green", "blue")
    scene.ledger.now("full promotion of yellow", "yellow", "green")
    scene.image("yellow")
    scene.phase("Paused")
    scene.typed("kubectl argo rollouts promote --full web")
    scene.healthy("yellow", "green")
    scene.pods(3)


def canary_aborted_and_retried(scene: Scene) -> None:
    """Half-way back, tried again, back by another release, and the one after that promoted."""
    _canary(scene)
    scene.ledger.now("canary of green", "green", "blue")
    scene.image("green")
    scene.weight(50)
    _abort(scene, "abort at 50 %")
    scene.pods(3)
    scene.ledger.now("retry", "green", "blue")
    scene.typed("kubectl argo rollouts retry rollout web")
    scene.weight(50)
    scene.ledger.now("a third version at 50 % of the second", "yellow", "green", "blue")
    scene.image("yellow")
    scene.weight(50)
    _promote(scene, "yellow", "blue", "green")


def canary_undone(scene: Scene) -> None:
    """In the middle of an update, and after it."""
    _canary(scene)
    scene.ledger.now("canary of green", "green", "blue")
    scene.image("green")
    scene.weight(50)
    scene.ledger.now("undo at 50 %", "green", "blue")
    scene.typed("kubectl argo rollouts undo web")
    scene.healthy("blue", "green")
    scene.pods(3)
    _to_the_end(scene, "green", "blue")
    scene.ledger.now("undo after the end", "green", "blue")
    scene.typed("kubectl argo rollouts undo web")
    scene.weight(50)
    scene.typed("kubectl argo rollouts promote --full web")
    scene.healthy("blue", "green")


def pod_by_pod(scene: Scene) -> None:
    """Without a router: the Service leads to the pods of both."""
    _stands(scene, manifests.service("web"), manifests.rollout(manifests.pod_by_pod()))
    scene.ledger.now("pod by pod to green", "green", "blue")
    scene.image("green")
    scene.phase("Paused")
    _abort(scene, "abort")
    scene.ledger.now("retry", "green", "blue")
    scene.typed("kubectl argo rollouts retry rollout web")
    _promote(scene, "green", "blue")


def blue_green(scene: Scene) -> None:
    """A switch, the way back while the old pods still are there, and an abort before a switch."""
    _stands(scene, *map(manifests.service, ("web", "web-preview")), manifests.rollout(manifests.blue_green()))
    for color, before in (("green", "blue"), ("yellow", "green")):
        # No request reaches a version that is not promoted.
        scene.image(color)
        scene.phase("Paused")
        scene.ledger.now(f"switch to {color}", color, before)
        scene.typed("kubectl argo rollouts promote web")
        scene.healthy(color, before)
    scene.ledger.now("undo", "yellow", "green")
    scene.typed("kubectl argo rollouts undo web")
    eventually(lambda: scene.status().get("phase") in ("Paused", "Healthy"))
    scene.typed("kubectl argo rollouts promote web")
    scene.healthy("green", "yellow")
    scene.image("red")
    scene.phase("Paused")
    scene.typed("kubectl argo rollouts abort web")
    scene.phase("Degraded")
    scene.pods(3)


def _workload(scene: Scene, size: int) -> None:
    eventually(
        lambda: (
            int(scene.typed("kubectl get deployment web -o jsonpath='{.spec.replicas}'") or 0) == size
            and int(scene.typed("kubectl get deployment web -o jsonpath='{.status.readyReplicas}'") or 0) == size
        ),
        120,
    )


def _from_a_deployment(scene: Scene, mode: str) -> None:
    scene.apply(manifests.deployment(), manifests.service("web"), manifests.ingress(scene.host))
    scene.begin("blue")
    scene.apply(manifests.service("web-canary"), manifests.follower(mode))
    scene.phase("Healthy")
    _workload(scene, 0)
    scene.pods(3)
    scene.ledger.now("the Deployment's next version", "green", "blue")
    scene.typed("kubectl set image deployment/web web=argoproj/rollouts-demo:green")
    scene.weight(34)
    _promote(scene, "green", "blue")
    # And back, as examples/from-deployment has it.
    scene.typed("""kubectl patch rollout web --type=merge -p '{"spec":{"workloadRef":{"scaleDown":"never"}}}'""")
    scene.typed("kubectl scale deployment web --replicas=3 && kubectl rollout status deployment/web")
    patch = '[{"op":"replace","path":"/spec/strategy","value":{"canary":{}}}]'
    scene.typed(f"kubectl patch rollout web --type=json -p '{patch}'")
    selector = "kubectl get service web -o jsonpath='{.spec.selector}'"
    eventually(lambda: scene.typed(selector) == '{"app":"web"}')
    scene.typed("kubectl delete rollout web && kubectl delete service web-canary")
    scene.pods(3)
    scene.only("green")


def from_a_deployment_on_success(scene: Scene) -> None:
    _from_a_deployment(scene, "onsuccess")


def from_a_deployment_progressively(scene: Scene) -> None:
    _from_a_deployment(scene, "progressively")
