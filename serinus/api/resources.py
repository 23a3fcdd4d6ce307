"""All kinds: one row for each resource that Serinus reads, writes or serves."""

from __future__ import annotations

from serinus.api.records import record

OWN_GROUP = "argoproj.io"
"""API group of Rollouts, Experiments and analyses."""


@record(frozen=True)
class Resource:
    """A resource of the API, with the terms of discovery. `group` is "" for core."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def group_resource(self) -> str:
        """`rollouts.argoproj.io`, `pods`: the name that error messages use."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL path of the collection (without `name`) or of one object; all namespaces without `namespace`."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        space = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return (
            root + space + f"/{self.plural}" + (f"/{name}" if name else "") + (f"/{subresource}" if subresource else "")
        )


def _core(
    plural: str,
    kind: str,
    *short: str,
    namespaced: bool = True,
    subresources: tuple[str, ...] = (),
    categories: tuple[str, ...] = (),
) -> Resource:
    return Resource("", "v1", plural, kind, namespaced, kind.lower(), short, categories, subresources)


def _in(
    group: str,
    version: str,
    plural: str,
    kind: str,
    *short: str,
    namespaced: bool = True,
    subresources: tuple[str, ...] = (),
    categories: tuple[str, ...] = (),
) -> Resource:
    return Resource(group, version, plural, kind, namespaced, kind.lower(), short, categories, subresources)


NAMESPACES = _core("namespaces", "Namespace", "ns", namespaced=False, subresources=("status", "finalize"))
NODES = _core("nodes", "Node", "no", namespaced=False, subresources=("status",))
PODS = _core(
    "pods",
    "Pod",
    "po",
    subresources=("status", "log", "eviction", "binding", "exec", "portforward", "attach"),
    categories=("all",),
)
POD_TEMPLATES = _core("podtemplates", "PodTemplate")
SERVICES = _core("services", "Service", "svc", subresources=("status",), categories=("all",))
ENDPOINTS = _core("endpoints", "Endpoints", "ep")
CONFIG_MAPS = _core("configmaps", "ConfigMap", "cm")
SECRETS = _core("secrets", "Secret")
SERVICE_ACCOUNTS = _core("serviceaccounts", "ServiceAccount", "sa", subresources=("token",))
EVENTS = _core("events", "Event", "ev")
DEPLOYMENTS = _in(
    "apps", "v1", "deployments", "Deployment", "deploy", subresources=("status", "scale"), categories=("all",)
)
REPLICA_SETS = _in(
    "apps", "v1", "replicasets", "ReplicaSet", "rs", subresources=("status", "scale"), categories=("all",)
)
JOBS = _in("batch", "v1", "jobs", "Job", subresources=("status",), categories=("all",))
ENDPOINT_SLICES = _in("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
INGRESSES = _in("networking.k8s.io", "v1", "ingresses", "Ingress", "ing", subresources=("status",))
INGRESS_CLASSES = _in("networking.k8s.io", "v1", "ingressclasses", "IngressClass", namespaced=False)
LEASES = _in("coordination.k8s.io", "v1", "leases", "Lease")
POD_DISRUPTION_BUDGETS = _in(
    "policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", "pdb", subresources=("status",)
)
HPAS = _in(
    "autoscaling",
    "v2",
    "horizontalpodautoscalers",
    "HorizontalPodAutoscaler",
    "hpa",
    subresources=("status",),
    categories=("all",),
)
CRDS = _in(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    "crd",
    "crds",
    namespaced=False,
    subresources=("status",),
)
LIMIT_RANGES = _core("limitranges", "LimitRange", "limits")
RESOURCE_QUOTAS = _core("resourcequotas", "ResourceQuota", "quota", subresources=("status",))
PERSISTENT_VOLUME_CLAIMS = _core("persistentvolumeclaims", "PersistentVolumeClaim", "pvc", subresources=("status",))
PERSISTENT_VOLUMES = _core("persistentvolumes", "PersistentVolume", "pv", namespaced=False, subresources=("status",))
REPLICATION_CONTROLLERS = _core(
    "replicationcontrollers", "ReplicationController", "rc", subresources=("status", "scale"), categories=("all",)
)
STATEFUL_SETS = _in(
    "apps", "v1", "statefulsets", "StatefulSet", "sts", subresources=("status", "scale"), categories=("all",)
)
DAEMON_SETS = _in("apps", "v1", "daemonsets", "DaemonSet", "ds", subresources=("status",), categories=("all",))
CRON_JOBS = _in("batch", "v1", "cronjobs", "CronJob", "cj", subresources=("status",), categories=("all",))
NETWORK_POLICIES = _in("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", "netpol")
ROLES = _in("rbac.authorization.k8s.io", "v1", "roles", "Role")
ROLE_BINDINGS = _in("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding")
CLUSTER_ROLES = _in("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False)
CLUSTER_ROLE_BINDINGS = _in(
    "rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False
)
PRIORITY_CLASSES = _in("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", "pc", namespaced=False)
STORAGE_CLASSES = _in("storage.k8s.io", "v1", "storageclasses", "StorageClass", "sc", namespaced=False)
RUNTIME_CLASSES = _in("node.k8s.io", "v1", "runtimeclasses", "RuntimeClass", namespaced=False)
VALIDATING_WEBHOOKS = _in(
    "admissionregistration.k8s.io",
    "v1",
    "validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
    namespaced=False,
    categories=("api-extensions",),
)
MUTATING_WEBHOOKS = _in(
    "admissionregistration.k8s.io",
    "v1",
    "mutatingwebhookconfigurations",
    "MutatingWebhookConfiguration",
    namespaced=False,
    categories=("api-extensions",),
)
ADMISSION_POLICIES = _in(
    "admissionregistration.k8s.io",
    "v1",
    "validatingadmissionpolicies",
    "ValidatingAdmissionPolicy",
    namespaced=False,
    subresources=("status",),
    categories=("api-extensions",),
)
ADMISSION_POLICY_BINDINGS = _in(
    "admissionregistration.k8s.io",
    "v1",
    "validatingadmissionpolicybindings",
    "ValidatingAdmissionPolicyBinding",
    namespaced=False,
    categories=("api-extensions",),
)
API_SERVICES = _in(
    "apiregistration.k8s.io",
    "v1",
    "apiservices",
    "APIService",
    namespaced=False,
    subresources=("status",),
    categories=("api-extensions",),
)
HPAS_V1 = _in(
    "autoscaling",
    "v1",
    "horizontalpodautoscalers",
    "HorizontalPodAutoscaler",
    "hpa",
    subresources=("status",),
    categories=("all",),
)
ROLLOUTS = _in(OWN_GROUP, "v1alpha1", "rollouts", "Rollout", "ro", subresources=("status", "scale"))
ANALYSIS_TEMPLATES = _in(OWN_GROUP, "v1alpha1", "analysistemplates", "AnalysisTemplate", "at")
CLUSTER_ANALYSIS_TEMPLATES = _in(
    OWN_GROUP, "v1alpha1", "clusteranalysistemplates", "ClusterAnalysisTemplate", "cat", namespaced=False
)
ANALYSIS_RUNS = _in(OWN_GROUP, "v1alpha1", "analysisruns", "AnalysisRun", "ar")
EXPERIMENTS = _in(OWN_GROUP, "v1alpha1", "experiments", "Experiment", "exp")

ONLY_STORED: tuple[Resource, ...] = (
    LIMIT_RANGES,
    RESOURCE_QUOTAS,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    REPLICATION_CONTROLLERS,
    STATEFUL_SETS,
    DAEMON_SETS,
    CRON_JOBS,
    NETWORK_POLICIES,
    ROLES,
    ROLE_BINDINGS,
    CLUSTER_ROLES,
    CLUSTER_ROLE_BINDINGS,
    PRIORITY_CLASSES,
    STORAGE_CLASSES,
    RUNTIME_CLASSES,
    VALIDATING_WEBHOOKS,
    MUTATING_WEBHOOKS,
    ADMISSION_POLICIES,
    ADMISSION_POLICY_BINDINGS,
    API_SERVICES,
)
"""Kinds of a cluster that `serinus up` stores and lists without a controller."""
BUILT_IN: tuple[Resource, ...] = (
    NAMESPACES,
    NODES,
    PODS,
    POD_TEMPLATES,
    SERVICES,
    ENDPOINTS,
    CONFIG_MAPS,
    SECRETS,
    SERVICE_ACCOUNTS,
    EVENTS,
    DEPLOYMENTS,
    REPLICA_SETS,
    JOBS,
    ENDPOINT_SLICES,
    INGRESSES,
    INGRESS_CLASSES,
    LEASES,
    POD_DISRUPTION_BUDGETS,
    HPAS,
    CRDS,
    *ONLY_STORED,
)
OLDER_VERSIONS: tuple[Resource, ...] = (HPAS_V1,)
"""Further versions of built-in kinds."""
ARGOPROJ: tuple[Resource, ...] = (ROLLOUTS, ANALYSIS_TEMPLATES, CLUSTER_ANALYSIS_TEMPLATES, ANALYSIS_RUNS, EXPERIMENTS)
BY_KIND: dict[str, Resource] = {r.kind: r for r in (*BUILT_IN, *ARGOPROJ)}
