"""A Rollout of the demo on a node, its Service, and visitors of that Service."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from urllib.request import Request, urlopen

from tests.support.cluster.cluster import BIN
from tests.support.instance.live import eventually
from tests.support.instance.visitors import Visitors, visitors
from tests.support.nodes.images import demo
from tests.support.nodes.node import NODE, Node


class Shop:
    """A Rollout in a namespace of its own, its Service, and the user's commands."""

    def __init__(self, node: Node, namespace: str) -> None:
        self.node, self.namespace = node, namespace
        self.name = "shop"
        node.kubectl("create", "namespace", namespace)
        eventually(lambda: "default" in self.kubectl("get", "serviceaccount", "default", "-o", "name", check=False))

    def kubectl(self, *arguments: str, check: bool = True, given: str | None = None) -> str:
        return self.node.kubectl("-n", self.namespace, *arguments, check=check, given=given)

    def plugin(self, *arguments: str) -> str:
        """`kubectl argo rollouts`, whatever its exit code."""
        done = self._run("kubectl-argo-rollouts", "-n", self.namespace, *arguments)
        return done.stdout + done.stderr

    def upgrade_check(self) -> dict[str, Any]:
        """What a controller of this version would change of the Rollout `shop`, by `serinus upgrade --check`."""
        done = self._run("serinus", "upgrade", "--check", "-o", "json")
        found = json.loads(done.stdout)["rollouts"]
        return next(told for told in found if told["namespace"] == self.namespace)

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(BIN / program), *arguments, "--kubeconfig", str(self.node.plane.kubeconfig())]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)

    def apply(self, *objects: dict[str, Any]) -> None:
        listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("apply", "--server-side", "-f", "-", given=json.dumps(listed))

    def get(self) -> dict[str, Any]:
        return json.loads(self.kubectl("get", "rollout", self.name, "-o", "json"))

    def phase(self) -> str:
        """The phase of the newest generation; empty while the controller has not seen it."""
        found = self.get()
        status = found.get("status", {})
        seen = str(status.get("observedGeneration")) == str(found["metadata"]["generation"])
        return status.get("phase", "") if seen else ""

    def becomes(self, phase: str, seconds: float = 90) -> None:
        eventually(lambda: self.phase() == phase, seconds)

    def pauses_at(self, step: int, seconds: float = 90) -> None:
        """Wait until it is paused at this step, by its index."""
        eventually(lambda: self._step() == step and self.phase() == "Paused", seconds)

    def _step(self) -> int:
        return int(self.get().get("status", {}).get("currentStepIndex", 0))

    def address(self, service: str = "shop") -> str:
        found = self.kubectl("get", "service", service, "-o", "jsonpath={.spec.clusterIP}")
        return f"http://{found}"

    def pods(self, color: str) -> list[str]:
        """The names of the ready pods of a version that are not about to end."""
        found = json.loads(self.kubectl("get", "pods", "-l", f"app={self.name}", "-o", "json"))["items"]
        mine = [pod for pod in found if pod["spec"]["containers"][0]["image"] == demo(color)]
        staying = [pod for pod in mine if "deletionTimestamp" not in pod["metadata"] and _is_ready(pod)]
        return [pod["metadata"]["name"] for pod in staying]

    def created(self) -> Counter[str]:
        """How many objects of each resource were created in its namespace until now, by the API server's audit log."""
        found: Counter[str] = Counter()
        for line in self.node.plane.audit_file.read_text().splitlines():
            entry = json.loads(line)
            about = entry.get("objectRef") or {}
            if entry["verb"] == "create" and about.get("namespace") == self.namespace and "subresource" not in about:
                found[about["resource"]] += entry["responseStatus"]["code"] == 201
        return found

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
        eventually(lambda: self.answers(address, service))
        with visitors(address, service, fresh=True) as asking:
            yield asking
        print(f"{service}: {asking.traffic.total} requests, {asking.traffic.failed} lost")

    def answers(self, gateway: str, host: str) -> bool:
        """Whether a version of the demo answers a request for the host."""
        try:
            with urlopen(Request(f"{gateway}/color", headers={"Host": host}), timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def end(self) -> None:
        """Its pods end while the next test runs, in a namespace of its own."""
        self.node.kubectl("delete", "namespace", self.namespace, "--wait=false")


def _is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(found["type"] == "Ready" and found["status"] == "True" for found in conditions)


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
