"""Notifications on a real API server: the controller's role is enough, for its own configuration and for those of other namespaces."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from serinus.install.installation import NAME
from tests.support.cluster.cluster import ACCOUNT, HOME, Cluster
from tests.support.cluster.cluster_instance import ClusterInstance
from tests.support.cluster.rights import refused, used
from tests.support.instance.live import eventually

INSTANCE = "argo-rollouts.argoproj.io/controller-instance-id"


@contextmanager
def receiver() -> Generator[tuple[int, list[str]]]:
    """(port, bodies that arrived), in the network of the calling thread."""
    bodies: list[str] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing on the terminal."""

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port, bodies
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def objects(port: int, instance: str) -> list[dict[str, Any]]:
    template = "webhook: {hook: {method: POST, body: '{{.rollout.metadata.name}} {{.event.reason}} {{.rollout.status.phase}}'}}"
    data = {
        "service.webhook.hook": f"url: http://127.0.0.1:{port}/",
        "template.t": template,
        "trigger.on-rollout-completed": "- send: [t]",
    }
    spec: dict[str, Any] = {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "told"}},
        "template": {
            "metadata": {"labels": {"app": "told"}},
            "spec": {"containers": [{"name": "web", "image": "argoproj/rollouts-demo:blue"}]},
        },
        "strategy": {"canary": {}},
    }
    subscribed = {"notifications.argoproj.io/subscribe.on-rollout-completed.hook": ""}
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "argo-rollouts-notification-configmap"},
            "data": data,
        },
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Rollout",
            "metadata": {"name": "told", "labels": {INSTANCE: instance}, "annotations": subscribed},
            "spec": spec,
        },
    ]


@pytest.mark.parametrize("where", ["of a namespace", "of the whole cluster"])
def test_a_configuration_in_the_rollouts_namespace_is_used_with_the_role_that_is_installed(
    where: str, cluster: Cluster, there: ClusterInstance, tmp_path: Path
) -> None:
    space = there.namespace
    if where == "of a namespace":
        instance, home, account = "told", space, f"system:serviceaccount:{space}:{NAME}"
        flags = ["--namespaced", "--instance-id", instance]
        cluster.apply_installation("--namespaced", "--namespace", space, "--instance-id", instance)
    else:
        instance, home, account = "tenants", HOME, ACCOUNT
        flags = ["--instance-id", instance, "--self-service-notification-enabled"]
    with receiver() as (port, bodies):
        cluster.run_controller("controller-told", home, *flags)
        try:
            (tmp_path / "told.json").write_text(
                json.dumps({"apiVersion": "v1", "kind": "List", "items": objects(port, instance)})
            )
            there.shell("kubectl apply -f told.json", tmp_path)
            eventually(lambda: bool(bodies), 90)
            eventually(lambda: "NotificationSent" in there.shell("kubectl get events -o custom-columns=R:.reason"))
        finally:
            cluster.kill("controller-told")
    assert bodies == ["told RolloutCompleted Healthy"]
    found = used(cluster.plane.audit_file, account)
    assert {("", kind, verb) for kind in ("configmaps", "secrets") for verb in ("list", "watch")} <= found
    assert refused(cluster.plane.audit_file, account) == []
