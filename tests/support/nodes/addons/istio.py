"""Istio on a node: istiod, and Envoy as the ingress gateway, each as a pod of the programs that tests/gateways builds.

Pods have no sidecar: Envoy sends requests to their addresses.
"""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.gateways.istio import ENVIRONMENT, MESH, SPACE, bootstrap
from tests.gateways.programs import envoy, istiod
from tests.support.nodes.archive import Image, write_archive, write_layer
from tests.support.nodes.images import NOBODY
from tests.support.nodes.node import Node
from tests.support.nodes.python_files import libraries

XDS, HTTP, MONITORING, ADMIN = 15010, 8080, 15014, 15000
PORT = 8000
"""Of a Gateway's server, and of Envoy's pod."""
RULES = [
    {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": ["", "coordination.k8s.io"], "resources": ["configmaps", "leases"], "verbs": ["create", "update"]},
]
Json = dict[str, Any]


@contextmanager
def running_istio(node: Node) -> Generator[str]:
    """The URL of the ingress gateway, for as long as the block lasts. Raises NoBinary."""
    programs, gateway = istiod(), envoy()
    with tempfile.TemporaryDirectory(prefix="serinus-istio-") as directory:
        images = [
            _image(Path(directory), "istiod", programs / "istiod"),
            _image(Path(directory), "envoy", gateway),
        ]
        node.import_images(write_archive(Path(directory) / "images.tar", images))
    node.kubectl("apply", "--server-side", "-f", str(programs / "crds.yaml"))
    node.kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", str(programs / "crds.yaml"))
    node.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
    try:
        node.apply(*_rights(), *_istiod())
        node.kubectl("rollout", "status", "deployment/istiod", "-n", SPACE, "--timeout=180s")
        node.apply(*_envoy(_address(node, "istiod")))
        node.kubectl("rollout", "status", "deployment/envoy", "-n", SPACE, "--timeout=120s")
        yield f"http://{_address(node, 'envoy')}"
    finally:
        print(node.kubectl("logs", "deployment/istiod", "-n", SPACE, "--tail=30", check=False))
        print(node.kubectl("logs", "deployment/envoy", "-n", SPACE, "--tail=30", check=False))
        node.kubectl("delete", "namespace", SPACE, "--wait=false")


def _image(directory: Path, name: str, program: Path) -> Image:
    layer = write_layer(directory / f"{name}.tar", {f"/{name}": program, **libraries(program)})
    return Image(f"localhost/{name}:tested", (layer,), (f"/{name}",), user=NOBODY)


def _address(node: Node, name: str) -> str:
    return node.kubectl("get", "service", name, "-n", SPACE, "-o", "jsonpath={.spec.clusterIP}")


def _rights() -> Iterable[Json]:
    rbac = "rbac.authorization.k8s.io"
    yield _object("v1", "ServiceAccount", "istiod", {})
    yield _object(f"{rbac}/v1", "ClusterRole", "istiod", {"rules": RULES})
    role = {"apiGroup": rbac, "kind": "ClusterRole", "name": "istiod"}
    account = {"kind": "ServiceAccount", "name": "istiod", "namespace": SPACE}
    yield _object(f"{rbac}/v1", "ClusterRoleBinding", "istiod", {"roleRef": role, "subjects": [account]})


def _istiod() -> Iterable[Json]:
    mesh = {**MESH, "defaultConfig": {"discoveryAddress": f"istiod.{SPACE}:{XDS}"}}
    options = {
        "grpcAddr": f":{XDS}",
        "httpAddr": f":{HTTP}",
        "httpsAddr": "",
        "secureGRPCAddr": "",
        "monitoringAddr": f":{MONITORING}",
        "ctrlz_port": "0",
        "meshConfig": "/etc/istio/mesh.yaml",
    }
    container: Json = {
        "args": ["discovery", *(f"--{key}={value}" for key, value in options.items())],
        "env": [{"name": name, "value": value} for name, value in ENVIRONMENT.items()],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": HTTP}, "periodSeconds": 1},
    }
    yield from _part("istiod", {"mesh.yaml": yaml.safe_dump(mesh)}, container, XDS, XDS)


def _envoy(discovery: str) -> Iterable[Json]:
    """`discovery`: the address of istiod."""
    settings = yaml.safe_dump(bootstrap(XDS, ADMIN, discovery=discovery, admin_host="0.0.0.0"))
    container: Json = {
        "args": ["-c", "/etc/istio/envoy.yaml", "--concurrency", "1", "--log-level", "warning"],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": ADMIN}, "periodSeconds": 1},
    }
    yield from _part("envoy", {"envoy.yaml": settings}, container, 80, PORT)


def _part(name: str, files: dict[str, str], container: Json, port: int, target: int) -> Iterable[Json]:
    """A Deployment of one pod with its files in /etc/istio, and its Service."""
    yield _object("v1", "ConfigMap", name, {"data": files})
    labels = {"app": name}
    base: Json = {"name": name, "image": f"localhost/{name}:tested"}
    places = [{"name": "files", "mountPath": "/etc/istio"}, {"name": "tmp", "mountPath": "/tmp"}]
    pod: Json = {
        "containers": [{**base, **container, "volumeMounts": places}],
        "volumes": [{"name": "files", "configMap": {"name": name}}, {"name": "tmp", "emptyDir": {}}],
    }
    if name == "istiod":
        pod["serviceAccountName"] = name
    template = {"metadata": {"labels": labels}, "spec": pod}
    yield _object("apps/v1", "Deployment", name, {"spec": {"selector": {"matchLabels": labels}, "template": template}})
    ports = [{"name": "main", "port": port, "targetPort": target}]
    yield _object("v1", "Service", name, {"spec": {"selector": labels, "ports": ports}})


def _object(version: str, kind: str, name: str, fields: Json) -> Json:
    place = {} if kind.startswith("Cluster") else {"namespace": SPACE}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **place}, **fields}
