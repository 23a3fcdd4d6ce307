"""The Kubernetes objects that install Serinus in place of Argo Rollouts. Pure.

Names are Argo Rollouts' (Deployment and ServiceAccount `argo-rollouts`), so an installation replaces it in place. The
roles have only the verbs that Serinus uses.
"""

from __future__ import annotations

from serinus import __version__
from serinus.api.meta import Json
from serinus.api.names import CONTROLLER_LEASE, NOTIFICATION_CONFIG_MAP, NOTIFICATION_SECRET
from serinus.api.schema.crds import crds

NAME = "argo-rollouts"
LEASE = CONTROLLER_LEASE
IN_PROCESS = "serinus-up"
"""Prefix of the holder's identity for the controller of `serinus up`."""
LABELS = {
    "app.kubernetes.io/name": NAME,
    "app.kubernetes.io/part-of": NAME,
    "app.kubernetes.io/component": "rollouts-controller",
}
SELECTOR = {"app.kubernetes.io/name": NAME}
"""The selector of Argo Rollouts' Deployment. It is immutable, and an installation replaces that one in place."""
METRICS_PORT, HEALTH_PORT = 8090, 8080
REPOSITORY = "ghcr.io/serinus/serinus"
USER = 65532
"""UID in the image: the non-root user of distroless images."""

Row = tuple[str, tuple[str, ...], str] | tuple[str, tuple[str, ...], str, tuple[str, ...]]
"""(group, resources, verbs[, names of the only objects])."""

RULES: tuple[Row, ...] = (
    ("argoproj.io", ("rollouts",), "get list watch patch"),
    ("argoproj.io", ("rollouts/status",), "patch"),
    ("argoproj.io", ("rollouts/finalizers", "analysisruns/finalizers", "experiments/finalizers"), "update"),
    ("argoproj.io", ("analysisruns", "experiments"), "get list watch create patch delete"),
    ("argoproj.io", ("analysistemplates",), "list watch"),
    ("apps", ("replicasets",), "get list watch create patch delete"),
    ("apps", ("deployments",), "list watch patch"),
    ("batch", ("jobs",), "get list watch create delete"),
    ("", ("pods",), "get list watch patch"),
    ("", ("pods/eviction",), "create"),
    ("", ("services",), "get list watch create patch delete"),
    ("", ("podtemplates",), "list watch"),
    ("", ("secrets", "configmaps"), "get"),
    ("", ("secrets", "configmaps"), "list watch", (NOTIFICATION_CONFIG_MAP, NOTIFICATION_SECRET)),
    ("", ("events",), "list create patch"),
    ("coordination.k8s.io", ("leases",), "get create update"),
)
"""(group, resources, verbs): all but those of the traffic routers, which their files name."""
HOME_RULES: tuple[Row, ...] = (("", ("secrets",), "list"),)
"""Rights in the controller's own namespace alone: to find the Secret with Istio's cluster by its label."""
CLUSTER_RULES: tuple[Row, ...] = (("argoproj.io", ("clusteranalysistemplates",), "list watch"),)


def default_image() -> str:
    """The image of this version."""
    return f"{REPOSITORY}:{__version__}"


def installation(
    namespace: str,
    image: str,
    *,
    namespaced: bool = False,
    replicas: int = 2,
    monitor: bool = False,
    instance_id: str = "",
    routing: tuple[Row, ...] = (),
) -> list[Json]:
    """Everything to apply, in an order that works. `monitor`: with a ServiceMonitor of the Prometheus operator.
    `routing`: the rights that traffic routers need (`routing/registry.permissions`).

    `instance_id`: one of several controllers of the cluster. The names of cluster-scoped objects contain it, so that
    another installation does not overwrite them.
    """
    objects = [*crds(), _object("v1", "Namespace", namespace, "")]
    objects += [
        _object("v1", "ServiceAccount", NAME, namespace),
        *_roles(namespace, instance_id, routing, namespaced=namespaced),
        *_aggregated(instance_id),
    ]
    flags = [*(["--namespaced"] if namespaced else []), *([f"--instance-id={instance_id}"] if instance_id else [])]
    objects += [_deployment(namespace, image, replicas, flags), _budget(namespace), _metrics(namespace)]
    return objects + ([_monitor(namespace)] if monitor else [])


def _object(api_version: str, kind: str, name: str, namespace: str, **parts: object) -> Json:
    metadata: Json = {"name": name, "labels": LABELS}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **parts}


def rules(rows: tuple[Row, ...]) -> list[Json]:
    """The rules in the form of a Role."""
    result: list[Json] = []
    for group, resources, verbs, *only in rows:
        rule: Json = {"apiGroups": [group], "resources": list(resources), "verbs": verbs.split()}
        result.append({**rule, "resourceNames": list(only[0])} if only else rule)
    return result


def _everywhere(instance_id: str) -> str:
    return f"{NAME}-{instance_id}" if instance_id else NAME


def _roles(namespace: str, instance_id: str, routing: tuple[Row, ...], *, namespaced: bool) -> list[Json]:
    api, kind = "rbac.authorization.k8s.io/v1", "Role" if namespaced else "ClusterRole"
    given = rules((*RULES, *routing, *(HOME_RULES if namespaced else CLUSTER_RULES)))
    subject = {"kind": "ServiceAccount", "name": NAME, "namespace": namespace}
    name, where = (NAME, namespace) if namespaced else (_everywhere(instance_id), "")
    every = [(kind, name, where, given)]
    every += [] if namespaced else [("Role", f"{NAME}-own-namespace", namespace, rules(HOME_RULES))]
    objects: list[Json] = []
    for kind, name, where, allowed in every:
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
        objects.append(_object(api, kind, name, where, rules=allowed))
        objects.append(_object(api, f"{kind}Binding", name, where, roleRef=reference, subjects=[subject]))
    return objects


def _aggregated(instance_id: str) -> list[Json]:
    """Rights for users with the cluster's own roles view, edit and admin."""
    read = (
        "rollouts",
        "rollouts/scale",
        "experiments",
        "analysistemplates",
        "clusteranalysistemplates",
        "analysisruns",
    )
    every = "create delete deletecollection get list patch update watch"
    roles: list[Json] = []
    for role in ("view", "edit", "admin"):
        names = read if role == "view" else (*read, "rollouts/status")
        verbs = "get list watch" if role == "view" else every
        aggregated = _object(
            "rbac.authorization.k8s.io/v1", "ClusterRole", f"{_everywhere(instance_id)}-aggregate-to-{role}", ""
        )
        labels = {**LABELS, f"rbac.authorization.k8s.io/aggregate-to-{role}": "true"}
        aggregated["metadata"] = {**aggregated["metadata"], "labels": labels}
        roles.append({**aggregated, "rules": rules((("argoproj.io", names, verbs),))})
    return roles


def _deployment(namespace: str, image: str, replicas: int, flags: list[str]) -> Json:
    arguments = ["controller", "--address=0.0.0.0", "--logformat=json", *flags]
    own = {"fieldRef": {"fieldPath": "metadata.namespace"}}
    probe = {"port": "healthz", "path": "/healthz"}
    container: Json = {
        "name": NAME,
        "image": image,
        "args": arguments,
        "env": [{"name": "POD_NAMESPACE", "valueFrom": own}],
        "ports": [
            {"name": "metrics", "containerPort": METRICS_PORT},
            {"name": "healthz", "containerPort": HEALTH_PORT},
        ],
        "livenessProbe": {"httpGet": probe, "initialDelaySeconds": 30, "periodSeconds": 20, "timeoutSeconds": 10},
        "readinessProbe": {"httpGet": {**probe, "path": "/readyz"}, "periodSeconds": 5, "timeoutSeconds": 4},
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
        },
    }
    apart = {"labelSelector": {"matchLabels": SELECTOR}, "topologyKey": "kubernetes.io/hostname"}
    pod: Json = {
        "serviceAccountName": NAME,
        "securityContext": {"runAsNonRoot": True, "runAsUser": USER, "seccompProfile": {"type": "RuntimeDefault"}},
        "affinity": {
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": apart}]
            }
        },
        "containers": [container],
    }
    spec: Json = {
        "replicas": replicas,
        "selector": {"matchLabels": SELECTOR},
        "template": {"metadata": {"labels": LABELS}, "spec": pod},
    }
    return _object("apps/v1", "Deployment", NAME, namespace, spec=spec)


def _budget(namespace: str) -> Json:
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": SELECTOR}}
    return _object("policy/v1", "PodDisruptionBudget", NAME, namespace, spec=spec)


def _metrics(namespace: str) -> Json:
    port = {"name": "metrics", "port": METRICS_PORT, "targetPort": "metrics"}
    return _object("v1", "Service", f"{NAME}-metrics", namespace, spec={"selector": SELECTOR, "ports": [port]})


def _monitor(namespace: str) -> Json:
    spec = {"selector": {"matchLabels": SELECTOR}, "endpoints": [{"port": "metrics"}]}
    return _object("monitoring.coreos.com/v1", "ServiceMonitor", NAME, namespace, spec=spec)
