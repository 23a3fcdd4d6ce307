"""The pods that Prometheus scrapes: a file of targets, written when a pod is added or deleted.

Debian builds Prometheus without kubernetes_sd_configs, so Prometheus cannot read the pods from the API.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from serinus.api.meta import ObjectMeta
from serinus.api.resources import PODS
from serinus.kube.client import Client
from serinus.kube.clock import SystemClock
from serinus.kube.informer import Informer

PORT = 8080
"""The port of the demo application."""
POD_HASH = "rollouts-pod-template-hash"


class ServingStatus(msgspec.Struct):
    phase: str = ""
    pod_ip: str = msgspec.field(default="", name="podIP")


class ServingPod(msgspec.Struct):
    metadata: ObjectMeta
    status: ServingStatus = msgspec.field(default_factory=ServingStatus)


class DemoTargets:
    """The targets file. Run `pods` concurrently with Prometheus."""

    def __init__(self, client: Client, namespace: str, labels: str, file: Path) -> None:
        self.file = file
        self.pods = Informer(client, PODS, ServingPod, namespace=namespace, labels=labels, clock=SystemClock())
        self.pods.on_change(lambda _old, _new: self._write())

    def _write(self) -> None:
        # Prometheus must never read half a file.
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps(targets(self.pods.items.values())))
        os.replace(new, self.file)


def targets(pods: Iterable[ServingPod]) -> list[dict[str, Any]]:
    """For Prometheus's file_sd_configs: the running pods, with their name and version as labels."""
    return [
        {
            "targets": [f"{pod.status.pod_ip}:{PORT}"],
            "labels": {"pod": pod.metadata.name, "pod_template_hash": pod.metadata.labels.get(POD_HASH, "")},
        }
        for pod in pods
        if pod.status.phase == "Running" and pod.status.pod_ip and not pod.metadata.deletion_timestamp
    ]
