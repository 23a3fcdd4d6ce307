"""The Kubernetes objects of the dashboard for a team. Pure.

Its own rights are to list and watch the objects that it shows, and to create Events. It changes nothing else with them:
a change carries the identity of the user. The right to impersonate is given only where users come in through a proxy or
with OIDC.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from serinus.api.meta import Json
from serinus.install.installation import LABELS as CONTROLLER_LABELS
from serinus.install.installation import USER, Row, rules

NAME = "argo-rollouts-dashboard"
LABELS = {**CONTROLLER_LABELS, "app.kubernetes.io/name": NAME, "app.kubernetes.io/component": "dashboard"}
SELECTOR = {"app.kubernetes.io/name": NAME}
PORT = 3100
SECRET = NAME
"""The Secret with the keys `cookie-key`, `proxy-secret` and `oidc-client-secret`; it is made by hand."""
SECRETS = "/etc/serinus-dashboard"
URL = f"http://localhost:{PORT}/rollouts"
"""The address with `kubectl port-forward`."""

RULES: tuple[Row, ...] = (
    ("argoproj.io", ("rollouts", "experiments", "analysisruns"), "list watch"),
    ("apps", ("replicasets",), "list watch"),
    ("", ("pods",), "list watch"),
    ("", ("events",), "list watch create"),
)


@dataclass(frozen=True)
class Dashboard:
    """`args`: further flags of `serinus dashboard-server`. `impersonate`: for a proxy or OIDC; `groups`: the only groups
    that it may impersonate, all if empty. `ingress_class`, `gateway` (`NAMESPACE/NAME`): how browsers reach it."""

    url: str = URL
    replicas: int = 1
    args: tuple[str, ...] = ()
    impersonate: bool = False
    groups: tuple[str, ...] = ()
    ingress_class: str = ""
    gateway: str = ""
    tls_secret: str = ""
    """Secret with the certificate of the Ingress."""


def dashboard(namespace: str, image: str, given: Dashboard, *, namespaced: bool = False) -> list[Json]:
    """Everything to apply besides the controller. `namespaced`: only the Rollouts of that namespace."""
    objects = [
        _object("v1", "ServiceAccount", NAME, namespace),
        *_roles(namespace, given, namespaced=namespaced),
        _deployment(namespace, image, given),
        _service(namespace),
        _network_policy(namespace),
    ]
    if given.replicas > 1:
        objects.append(_budget(namespace))
    if given.ingress_class:
        objects.append(_ingress(namespace, given))
    if given.gateway:
        objects.append(_route(namespace, given))
    return objects


def _object(api_version: str, kind: str, name: str, namespace: str, **parts: object) -> Json:
    metadata: Json = {"name": name, "labels": LABELS}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **parts}


def impersonation(groups: tuple[str, ...]) -> list[Json]:
    """The rules to act as a user. `groups`: the only ones; all if empty."""
    only: Row = ("", ("groups",), "impersonate", groups) if groups else ("", ("groups",), "impersonate")
    return rules((("", ("users",), "impersonate"), only))


def _roles(namespace: str, given: Dashboard, *, namespaced: bool) -> list[Json]:
    kind, where = ("Role", namespace) if namespaced else ("ClusterRole", "")
    roles = _bound(kind, NAME, where, rules(RULES), namespace)
    if given.impersonate:
        # Users and groups belong to no namespace, so this is a ClusterRole in any case.
        roles += _bound("ClusterRole", f"{NAME}-impersonation", "", impersonation(given.groups), namespace)
    return roles


def _bound(kind: str, name: str, where: str, given: list[Json], account: str) -> list[Json]:
    api = "rbac.authorization.k8s.io/v1"
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
    subject = {"kind": "ServiceAccount", "name": NAME, "namespace": account}
    return [
        _object(api, kind, name, where, rules=given),
        _object(api, f"{kind}Binding", name, where, roleRef=reference, subjects=[subject]),
    ]


def _deployment(namespace: str, image: str, given: Dashboard) -> Json:
    arguments = ["dashboard-server", f"--url={given.url}", f"--port={PORT}", f"--namespace={namespace}"]
    if given.replicas > 1 or given.impersonate:
        arguments.append(f"--cookie-key-file={SECRETS}/cookie-key")
    container: Json = {
        "name": "dashboard",
        "image": image,
        "args": [*arguments, *given.args],
        "ports": [{"name": "http", "containerPort": PORT}],
        "livenessProbe": {"httpGet": {"port": "http", "path": "/healthz"}, "periodSeconds": 20, "timeoutSeconds": 10},
        "readinessProbe": {"httpGet": {"port": "http", "path": "/readyz"}, "periodSeconds": 5, "timeoutSeconds": 4},
        "resources": {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
        },
        "volumeMounts": [{"name": "secrets", "mountPath": SECRETS, "readOnly": True}],
    }
    # The pod starts without the Secret where no flag names one of its files; it names a missing file otherwise.
    volume = {"name": "secrets", "secret": {"secretName": SECRET, "optional": True, "defaultMode": 0o440}}
    pod: Json = {
        "serviceAccountName": NAME,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [volume],
    }
    spec: Json = {
        "replicas": given.replicas,
        "selector": {"matchLabels": SELECTOR},
        "template": {"metadata": {"labels": LABELS}, "spec": pod},
    }
    return _object("apps/v1", "Deployment", NAME, namespace, spec=spec)


def _service(namespace: str) -> Json:
    port = {"name": "http", "port": PORT, "targetPort": "http"}
    return _object("v1", "Service", NAME, namespace, spec={"selector": SELECTOR, "ports": [port]})


def _network_policy(namespace: str) -> Json:
    """Connections to its one port alone. It answers only requests with an identity, from any peer."""
    allowed = [{"ports": [{"port": "http", "protocol": "TCP"}]}]
    spec = {"podSelector": {"matchLabels": SELECTOR}, "policyTypes": ["Ingress"], "ingress": allowed}
    return _object("networking.k8s.io/v1", "NetworkPolicy", NAME, namespace, spec=spec)


def _budget(namespace: str) -> Json:
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": SELECTOR}}
    return _object("policy/v1", "PodDisruptionBudget", NAME, namespace, spec=spec)


def _ingress(namespace: str, given: Dashboard) -> Json:
    host = urlsplit(given.url).hostname
    backend = {"service": {"name": NAME, "port": {"name": "http"}}}
    path = {"path": urlsplit(given.url).path or "/", "pathType": "Prefix", "backend": backend}
    spec: Json = {"ingressClassName": given.ingress_class, "rules": [{"host": host, "http": {"paths": [path]}}]}
    if given.tls_secret:
        spec["tls"] = [{"hosts": [host], "secretName": given.tls_secret}]
    return _object("networking.k8s.io/v1", "Ingress", NAME, namespace, spec=spec)


def _route(namespace: str, given: Dashboard) -> Json:
    home, _, name = given.gateway.rpartition("/")
    parent = {"name": name, "namespace": home} if home else {"name": name}
    match = {"path": {"type": "PathPrefix", "value": urlsplit(given.url).path or "/"}}
    spec = {
        "parentRefs": [parent],
        "hostnames": [urlsplit(given.url).hostname],
        "rules": [{"matches": [match], "backendRefs": [{"name": NAME, "port": PORT}]}],
    }
    return _object("gateway.networking.k8s.io/v1", "HTTPRoute", NAME, namespace, spec=spec)
