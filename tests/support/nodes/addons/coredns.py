"""CoreDNS on a node, built once from its Go module: pods resolve the names of Services."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.cluster.binary import build_modules, built, fingerprint
from tests.support.nodes.archive import Image, write_archive, write_layer
from tests.support.nodes.images import NOBODY
from tests.support.nodes.node import Node
from tests.support.nodes.node_settings import DNS_SERVICE, DOMAIN
from tests.support.nodes.programs import SOURCES
from tests.support.nodes.python_files import libraries

NAME = "coredns"
IMAGE = f"localhost/{NAME}:tested"
PORT = 1053
"""In its pod: a user without rights may not listen on port 53."""
READY = 8181
COREFILE = f".:{PORT} {{\n  errors\n  ready :{READY}\n  kubernetes {DOMAIN}\n  cache 5\n}}\n"
RULES = [
    {"apiGroups": [""], "resources": ["services", "namespaces"], "verbs": ["list", "watch"]},
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
]
Json = dict[str, Any]


def coredns() -> Path:
    """The program; it is built if missing. NoBinary if the build is impossible."""
    source = SOURCES / NAME
    name = f"{NAME}-{fingerprint(source)}"
    return built(name, lambda place: build_modules(source, place, "CoreDNS"), lock=f"{NAME}.lock")


@contextmanager
def resolved(node: Node, program: Path) -> Generator[None]:
    """For as long as the block lasts pods with the node's settings resolve names below `DOMAIN`."""
    with tempfile.TemporaryDirectory(prefix="serinus-coredns-") as directory:
        layer = write_layer(Path(directory) / "layer.tar", {f"/{NAME}": program, **libraries(program)})
        image = Image(IMAGE, (layer,), (f"/{NAME}",), user=NOBODY)
        node.import_images(write_archive(Path(directory) / "image.tar", [image]))
    node.apply(*_rights(), *_deployment())
    try:
        node.kubectl("rollout", "status", f"deployment/{NAME}", "-n", "kube-system", "--timeout=120s")
        yield
    finally:
        node.kubectl("delete", "deployment,service,configmap", NAME, "-n", "kube-system")


def _rights() -> Iterable[Json]:
    rbac = "rbac.authorization.k8s.io/v1"
    yield _object("v1", "ServiceAccount", {})
    yield _object(rbac, "ClusterRole", {"rules": RULES}, everywhere=True)
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NAME}
    account = {"kind": "ServiceAccount", "name": NAME, "namespace": "kube-system"}
    yield _object(rbac, "ClusterRoleBinding", {"roleRef": role, "subjects": [account]}, everywhere=True)


def _deployment() -> Iterable[Json]:
    yield _object("v1", "ConfigMap", {"data": {"Corefile": COREFILE}})
    container: Json = {
        "name": NAME,
        "image": IMAGE,
        "args": ["-conf", "/etc/coredns/Corefile"],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": READY}, "periodSeconds": 1},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns"}],
    }
    volumes = [{"name": "config", "configMap": {"name": NAME}}]
    pod = {"serviceAccountName": NAME, "dnsPolicy": "Default", "containers": [container], "volumes": volumes}
    labels = {"app": NAME}
    template = {"metadata": {"labels": labels}, "spec": pod}
    yield _object("apps/v1", "Deployment", {"spec": {"selector": {"matchLabels": labels}, "template": template}})
    ports = [{"name": p.lower(), "protocol": p, "port": 53, "targetPort": PORT} for p in ("UDP", "TCP")]
    yield _object("v1", "Service", {"spec": {"clusterIP": DNS_SERVICE, "selector": labels, "ports": ports}})


def _object(version: str, kind: str, fields: Json, *, everywhere: bool = False) -> Json:
    place = {} if everywhere else {"namespace": "kube-system"}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": NAME, **place}, **fields}
