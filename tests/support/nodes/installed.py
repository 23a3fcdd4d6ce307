"""The controller on a node, installed as a user installs it: its Deployment runs the image of this run."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import yaml

from serinus.install.installation import NAME
from tests.support.cluster.cluster import BIN
from tests.support.instance.live import eventually
from tests.support.instance.visitors import Visitors, visitors
from tests.support.nodes.images import CONTROLLER, demo
from tests.support.nodes.node import NODE, Node
from tests.support.nodes.python_files import interpreter

HOME = "argo-rollouts"
LEASE = "argo-rollouts-controller-lock"
RELEASED = Path(os.environ["SERINUS_IMAGE"]) if os.environ.get("SERINUS_IMAGE") else None
"""An archive of `make image`, dist/serinus-VERSION-ARCH.oci.tar, whose image the controller has in place of the tests' own."""
PYTHON = "/opt/serinus/bin/python" if RELEASED else str(interpreter())
"""In the controller's image."""
REPOSITORY = Path(__file__).parents[3]
CONTROLLERS = f"app.kubernetes.io/name={NAME}"


def install(node: Node, directory: Path) -> None:
    """By kustomize, with the image of this run in place of the published one; returns when both controllers are ready."""
    name, tag = CONTROLLER.rsplit(":", 1)
    if RELEASED:
        name, tag = "localhost/serinus-released", RELEASED.name.split("-")[1]
        node.import_images(RELEASED, name)
    released = _image(REPOSITORY / "install" / "controller" / "controller.yaml")
    base = os.path.relpath(REPOSITORY / "install", directory.resolve())
    images = [{"name": released.rsplit(":", 1)[0], "newName": name, "newTag": tag}]
    (directory / "kustomization.yaml").write_text(yaml.safe_dump({"resources": [base], "images": images}))
    node.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(directory))
    node.kubectl("rollout", "status", f"deployment/{NAME}", "-n", HOME, "--timeout=120s")


def leader(node: Node) -> str:
    """The pod of the controller that leads; empty while none does."""
    path = "jsonpath={.spec.holderIdentity}"
    holder = node.kubectl("get", "lease", LEASE, "-n", HOME, "-o", path, check=False)
    return next((name for name in controllers(node) if name in holder), "")


def controllers(node: Node) -> list[str]:
    """The names of the controller's pods."""
    path = "jsonpath={.items[*].metadata.name}"
    return node.kubectl("get", "pods", "-n", HOME, "-l", CONTROLLERS, "-o", path).split()


def _image(manifest: Path) -> str:
    objects = yaml.safe_load_all(manifest.read_text())
    deployment = next(found for found in objects if found["kind"] == "Deployment")
    return deployment["spec"]["template"]["spec"]["containers"][0]["image"]


class Shop:
    """A Rollout `shop` in a namespace of its own, its Service, and the user's commands."""

    def __init__(self, node: Node, namespace: str) -> None:
        self.node, self.namespace = node, namespace
        node.kubectl("create", "namespace", namespace)
        eventually(lambda: "default" in self.kubectl("get", "serviceaccount", "default", "-o", "name", check=False))

    def kubectl(self, *arguments: str, check: bool = True, given: str | None = None) -> str:
        return self.node.kubectl("-n", self.namespace, *arguments, check=check, given=given)

    def plugin(self, *arguments: str) -> str:
        """`kubectl argo rollouts`, whatever its exit code."""
        command = [str(BIN / "kubectl-argo-rollouts"), "--kubeconfig", str(self.node.plane.kubeconfig())]
        words = [*command, "-n", self.namespace, *arguments]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=180)
        return done.stdout + done.stderr

    def apply(self, *objects: dict[str, Any]) -> None:
        listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("apply", "--server-side", "-f", "-", given=json.dumps(listed))

    def get(self) -> dict[str, Any]:
        return json.loads(self.kubectl("get", "rollout", "shop", "-o", "json"))

    def phase(self) -> str:
        """The phase of the newest generation; empty while the controller has not seen it."""
        found = self.get()
        status = found.get("status", {})
        seen = str(status.get("observedGeneration")) == str(found["metadata"]["generation"])
        return status.get("phase", "") if seen else ""

    def becomes(self, phase: str, seconds: float = 90) -> None:
        eventually(lambda: self.phase() == phase, seconds)

    def address(self, service: str = "shop") -> str:
        found = self.kubectl("get", "service", service, "-o", "jsonpath={.spec.clusterIP}")
        return f"http://{found}"

    def allowed(self) -> int:
        """The evictions that its PodDisruptionBudget allows now."""
        return int(self.kubectl("get", "pdb", "shop", "-o", "jsonpath={.status.disruptionsAllowed}") or 0)

    def drain(self) -> str:
        """Evict its pods from the node, as far as its PodDisruptionBudget allows within seconds; what kubectl said."""
        only = ["--pod-selector=app=shop", "--ignore-daemonsets", "--force", "--timeout=12s"]
        return self.node.kubectl("drain", NODE, *only, check=False)

    @contextmanager
    def visited(self, service: str = "shop") -> Generator[Visitors]:
        """Visitors of a Service from its first answer on: kube-proxy writes its rules a moment after the pods are ready."""
        address = self.address(service)
        eventually(lambda: _answers(address))
        with visitors(address, service, fresh=True) as asking:
            yield asking
        print(f"{service}: {asking.traffic.total} requests, {asking.traffic.failed} lost")

    def end(self) -> None:
        """Its pods end while the next test runs, in a namespace of its own."""
        self.node.kubectl("delete", "namespace", self.namespace, "--wait=false")


def _answers(address: str) -> bool:
    try:
        with urlopen(f"{address}/color", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def rollout(strategy: dict[str, Any], *, color: str = "blue", replicas: int = 4, **container: Any) -> dict[str, Any]:
    """Of the demo. `container`: fields that replace those of its container."""
    probe = {"httpGet": {"path": "/color", "port": 8080}, "periodSeconds": 1}
    resources = {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}}
    # Requests reach a pod for as long as it takes kube-proxy to see its end.
    grace = {"preStop": {"sleep": {"seconds": 5}}}
    app = {
        "name": "shop",
        "lifecycle": grace,
        "image": demo(color),
        "ports": [{"containerPort": 8080}],
        "readinessProbe": probe,
    }
    template = {
        "metadata": {"labels": {"app": "shop"}},
        "spec": {"containers": [{**app, "resources": resources, **container}]},
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "shop"},
        "spec": {
            "replicas": replicas,
            "progressDeadlineSeconds": 60,
            "selector": {"matchLabels": {"app": "shop"}},
            "template": template,
            "strategy": strategy,
        },
    }


def service(name: str = "shop") -> dict[str, Any]:
    spec = {"selector": {"app": "shop"}, "ports": [{"port": 80, "targetPort": 8080}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
