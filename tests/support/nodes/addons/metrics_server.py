"""Kubernetes' metrics-server on a node, built once from its Go module: the CPU and memory of pods, for autoscalers."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.cluster.binary import build_module, built
from tests.support.nodes.archive import Image, write_archive, write_layer
from tests.support.nodes.images import NOBODY
from tests.support.nodes.node import Node
from tests.support.nodes.python_files import libraries

VERSION = "v0.8.0"
MODULE = "sigs.k8s.io/metrics-server/cmd/metrics-server"
NAME = "metrics-server"
IMAGE = f"localhost/{NAME}:tested"
API = "v1beta1.metrics.k8s.io"
PORT = 10250
RBAC = "rbac.authorization.k8s.io"
Json = dict[str, Any]


def metrics_server() -> Path:
    """The program; it is built if missing. NoBinary if the build is impossible."""
    return built(
        f"{NAME}-{VERSION}",
        lambda place: build_module(f"{MODULE}@{VERSION}", place, NAME),
        lock=f"{NAME}.lock",
    )


@contextmanager
def measured(node: Node, program: Path) -> Generator[None]:
    """For as long as the block lasts the node's API serves metrics. While it does not answer, no namespace can be deleted."""
    with tempfile.TemporaryDirectory(prefix="serinus-metrics-") as directory:
        layer = write_layer(Path(directory) / "layer.tar", {f"/{NAME}": program, **libraries(program)})
        image = Image(IMAGE, (layer,), (f"/{NAME}",), user=NOBODY)
        node.import_images(write_archive(Path(directory) / "image.tar", [image]))
    node.apply(*_rights(), *_deployment())
    try:
        node.kubectl("rollout", "status", f"deployment/{NAME}", "-n", "kube-system", "--timeout=120s")
        node.kubectl("wait", "--for=condition=Available", f"apiservice/{API}", "--timeout=60s")
        yield
    finally:
        node.kubectl("delete", "apiservice", API)
        node.kubectl("delete", "deployment,service", NAME, "-n", "kube-system")


def _rights() -> Iterable[Json]:
    rbac = f"{RBAC}/v1"
    account = {"kind": "ServiceAccount", "name": NAME, "namespace": "kube-system"}
    yield _object("v1", "ServiceAccount", NAME)
    rules: list[Json] = [
        {"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["pods", "nodes"], "verbs": ["get", "list", "watch"]},
    ]
    yield _object(rbac, "ClusterRole", NAME, {"rules": rules}, everywhere=True)
    yield _binding("ClusterRoleBinding", NAME, ("ClusterRole", NAME), account)
    yield _binding("ClusterRoleBinding", f"{NAME}-delegator", ("ClusterRole", "system:auth-delegator"), account)
    yield _binding("RoleBinding", f"{NAME}-reader", ("Role", "extension-apiserver-authentication-reader"), account)
    # The tests' API server has no certificate by which it could tell metrics-server whom it asks for.
    read: list[Json] = [
        {"apiGroups": ["metrics.k8s.io"], "resources": ["*"], "verbs": ["get", "list"]},
        {"nonResourceURLs": ["/apis", "/apis/*", "/openapi/*"], "verbs": ["get"]},
    ]
    yield _object(rbac, "ClusterRole", f"{NAME}-readers", {"rules": read}, everywhere=True)
    everybody = {"kind": "Group", "name": "system:unauthenticated", "apiGroup": RBAC}
    yield _binding("ClusterRoleBinding", f"{NAME}-readers", ("ClusterRole", f"{NAME}-readers"), everybody)


def _deployment() -> Iterable[Json]:
    container: Json = {
        "name": NAME,
        "image": IMAGE,
        "args": [
            "--cert-dir=/tmp",
            f"--secure-port={PORT}",
            "--kubelet-insecure-tls",
            "--kubelet-preferred-address-types=InternalIP",
            "--metric-resolution=10s",
            "--kubelet-request-timeout=5s",
        ],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": PORT, "scheme": "HTTPS"}, "periodSeconds": 1},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }
    pod = {
        "serviceAccountName": NAME,
        "securityContext": {"fsGroup": int(NOBODY)},
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
    labels = {"app": NAME}
    template = {"metadata": {"labels": labels}, "spec": pod}
    yield _object("apps/v1", "Deployment", NAME, {"spec": {"selector": {"matchLabels": labels}, "template": template}})
    ports = [{"port": 443, "targetPort": PORT}]
    yield _object("v1", "Service", NAME, {"spec": {"selector": labels, "ports": ports}})
    group, version = "metrics.k8s.io", "v1beta1"
    spec = {
        "group": group,
        "version": version,
        "service": {"name": NAME, "namespace": "kube-system"},
        "insecureSkipTLSVerify": True,
        "groupPriorityMinimum": 100,
        "versionPriority": 100,
    }
    yield _object("apiregistration.k8s.io/v1", "APIService", API, {"spec": spec}, everywhere=True)


def _binding(kind: str, name: str, role: tuple[str, str], subject: Json) -> Json:
    reference = {"apiGroup": RBAC, "kind": role[0], "name": role[1]}
    fields = {"roleRef": reference, "subjects": [subject]}
    return _object(f"{RBAC}/v1", kind, name, fields, everywhere=kind == "ClusterRoleBinding")


def _object(version: str, kind: str, name: str, fields: Json | None = None, *, everywhere: bool = False) -> Json:
    place = {} if everywhere else {"namespace": "kube-system"}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **place}, **(fields or {})}
