"""Traefik as the gateway of a node: a Deployment and a Service in a namespace of its own, with the rights that its manual lists."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from serinus.local.traefik.gateway import INGRESS_CLASS, traefik_binary
from serinus.local.traefik.gateway_api import CLASS, gateway
from serinus.local.traefik.gateway_kinds import GATEWAY_API, TRAEFIK, definitions
from tests.support.nodes.archive import Image, write_archive, write_layer
from tests.support.nodes.images import NOBODY
from tests.support.nodes.node import Node

Json = dict[str, Any]
NAME = "traefik"
IMAGE = "localhost/traefik:tested"
PORT = 8000
READ = ["get", "list", "watch"]
RULES: tuple[Mapping[str, list[str]], ...] = (
    {"apiGroups": [""], "resources": ["services", "secrets", "configmaps", "namespaces", "nodes"], "verbs": READ},
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": READ},
    {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses", "ingressclasses"], "verbs": READ},
    {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses/status"], "verbs": ["update"]},
    {"apiGroups": [TRAEFIK.group, GATEWAY_API.group], "resources": ["*"], "verbs": READ},
    {
        "apiGroups": [GATEWAY_API.group],
        "resources": [f"{kind}/status" for kind in GATEWAY_API.read],
        "verbs": ["update"],
    },
)
FLAGS = (
    f"--entryPoints.web.address=:{PORT}",
    "--ping.entryPoint=web",
    "--global.checkNewVersion=false",
    "--global.sendAnonymousUsage=false",
    "--providers.kubernetesIngressNGINX.httpEntryPoint=web",
    "--providers.kubernetesGateway=true",
    "--providers.kubernetesCRD.allowEmptyServices=true",
    "--providers.kubernetesCRD.safeNaming=true",
)


def install_traefik(node: Node) -> str:
    """The URL of its Service. All the kinds of routes are served that Serinus knows of Traefik; returns when it is ready."""
    with tempfile.TemporaryDirectory(prefix="serinus-traefik-") as directory:
        layer = write_layer(Path(directory) / "traefik.tar", {"/traefik": Path(traefik_binary()).resolve()})
        archive = write_archive(Path(directory) / "image.tar", [Image(IMAGE, (layer,), ("/traefik",), user=NOBODY)])
        node.import_images(archive)
    kinds = [definition for group in (GATEWAY_API, TRAEFIK) for definition in definitions(group)]
    node.apply(*kinds)
    names = [f"crd/{definition['metadata']['name']}" for definition in kinds]
    node.kubectl("wait", "--for=condition=Established", "--timeout=60s", *names)
    node.apply(_object("v1", "Namespace", {}), INGRESS_CLASS, CLASS, gateway(PORT))
    node.apply(*_rights(), *_deployment())
    node.kubectl("rollout", "status", f"deployment/{NAME}", "-n", NAME, "--timeout=120s")
    address = node.kubectl("get", "service", NAME, "-n", NAME, "-o", "jsonpath={.spec.clusterIP}")
    return f"http://{address}"


def _rights() -> Iterable[Json]:
    rbac = "rbac.authorization.k8s.io/v1"
    account = {"kind": "ServiceAccount", "name": NAME, "namespace": NAME}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NAME}
    yield _object("v1", "ServiceAccount", {}, NAME)
    yield _object(rbac, "ClusterRole", {"rules": list(RULES)})
    yield _object(rbac, "ClusterRoleBinding", {"roleRef": role, "subjects": [account]})


def _deployment() -> Iterable[Json]:
    container: Json = {
        "name": NAME,
        "image": IMAGE,
        "args": list(FLAGS),
        "ports": [{"name": "web", "containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/ping", "port": "web"}, "periodSeconds": 1},
        "securityContext": {"readOnlyRootFilesystem": True, "runAsNonRoot": True, "runAsUser": int(NOBODY)},
    }
    labels = {"app": NAME}
    template = {"metadata": {"labels": labels}, "spec": {"serviceAccountName": NAME, "containers": [container]}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    yield _object("apps/v1", "Deployment", {"spec": spec}, NAME)
    ports = [{"port": 80, "targetPort": "web"}]
    yield _object("v1", "Service", {"spec": {"selector": labels, "ports": ports}}, NAME)


def _object(version: str, kind: str, fields: Json, namespace: str = "") -> Json:
    place = {"namespace": namespace} if namespace else {}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": NAME, **place}, **fields}
