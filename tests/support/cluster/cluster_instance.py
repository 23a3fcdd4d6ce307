"""The part of an instance that the e2e suite needs, on a cluster: a namespace of its own, requests, kubectl."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.support.instance.live import Instance, eventually

GONE_SECONDS = 90.0
IMAGES = "configmap serinus-images -n kube-system"
"""The settings outside its namespace that a test may change: the rules for images of the whole node."""

PLAYS = "rec-"
"""The prefix of the recorder's namespaces."""

_numbers = itertools.count(1)


class ClusterInstance(Instance):
    """`kubeconfig`: an administrator's. `gateway`: URL of the ingress controller. `kubectl` must reach the cluster."""

    def __init__(self, data: Path, kubeconfig: Path, gateway: str) -> None:
        super().__init__(data)
        self._kubeconfig, self._gateway = kubeconfig, gateway
        self.namespace = f"e2e-{os.getpid()}-{next(_numbers)}"

    def up(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        own = self.data / "kubeconfig"
        config: dict[str, Any] = yaml.safe_load(self._kubeconfig.read_text())
        current = config.get("current-context")
        for context in config["contexts"]:
            if context["name"] == current:
                context["context"]["namespace"] = self.namespace
        own.touch(0o600)
        own.write_text(yaml.safe_dump(config))
        self.status = {"kubeconfig": str(own), "gateway": self._gateway, "ready": True, "pid": 0}
        self._before = self._namespaces()
        self._images = self.shell(f"kubectl get {IMAGES} -o json --ignore-not-found")
        self.shell(f"kubectl create namespace {self.namespace}")
        # Pods are refused until the namespace has its account.
        eventually(lambda: "default" in self.shell("kubectl get serviceaccount default -o name", check=False))

    def serinus(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`up`, `down` and the like have no meaning on a cluster."""
        raise AssertionError(f"`serinus {' '.join(arguments)}` is for one machine: this test does not belong here")

    def down(self) -> None:
        """Remove the test's objects, and return when they are gone: the next test may use the same hosts."""
        self.shell(f"kubectl delete {IMAGES} --ignore-not-found")
        if self._images:
            self._put_back(json.loads(self._images))
        made = [n for n in self._namespaces() if n not in self._before and n.startswith((self.namespace, PLAYS))]
        self.shell(f"kubectl delete namespace --wait=false {' '.join(made)}", check=False)
        eventually(lambda: not set(made) & set(self._namespaces()), GONE_SECONDS)

    def _put_back(self, obj: dict[str, Any]) -> None:
        for name in ("uid", "resourceVersion", "creationTimestamp"):
            del obj["metadata"][name]
        (self.data / "images.json").write_text(json.dumps(obj))
        self.shell("kubectl create -f images.json", self.data)

    def _namespaces(self) -> list[str]:
        return self.shell("kubectl get namespaces -o jsonpath='{.items[*].metadata.name}'").split()

    def logs(self) -> str:
        return self.shell("kubectl get events -o wide --sort-by=.lastTimestamp | tail -40", check=False)
