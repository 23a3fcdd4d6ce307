"""Kinds that are stored and listed but have no controller here, and the warning about it.

Charts contain such objects. A cluster serves the kinds, so `kubectl apply` must accept them. The warning states that
they neither protect nor run anything.
"""

from __future__ import annotations

_RBAC = "every client of this API server may do everything"
_ADMISSION = "no webhook or policy is called"
_VOLUMES = "no volumes are provisioned or bound"

WARNINGS: dict[str, str] = {
    "roles.rbac.authorization.k8s.io": _RBAC,
    "clusterroles.rbac.authorization.k8s.io": _RBAC,
    "rolebindings.rbac.authorization.k8s.io": _RBAC,
    "clusterrolebindings.rbac.authorization.k8s.io": _RBAC,
    "networkpolicies.networking.k8s.io": "pods are processes of this machine, and nothing filters their traffic",
    "limitranges": "limits and defaults of resources are not enforced",
    "resourcequotas": "quotas are not enforced",
    "statefulsets.apps": "no controller runs StatefulSets: use a Rollout or a Deployment",
    "daemonsets.apps": "no controller runs DaemonSets: use a Rollout or a Deployment",
    "replicationcontrollers": "no controller runs ReplicationControllers: use a Rollout or a Deployment",
    "cronjobs.batch": "no controller runs CronJobs: create a Job with `kubectl create job --from=cronjob/NAME NEW-NAME`",
    "persistentvolumeclaims": _VOLUMES,
    "persistentvolumes": _VOLUMES,
    "storageclasses.storage.k8s.io": _VOLUMES,
    "priorityclasses.scheduling.k8s.io": "pods are neither queued nor preempted",
    "runtimeclasses.node.k8s.io": "pods are processes of this machine, whatever their runtime class",
    "horizontalpodautoscalers.autoscaling": "no controller scales workloads: use `kubectl scale`",
    "validatingwebhookconfigurations.admissionregistration.k8s.io": _ADMISSION,
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": _ADMISSION,
    "validatingadmissionpolicies.admissionregistration.k8s.io": _ADMISSION,
    "validatingadmissionpolicybindings.admissionregistration.k8s.io": _ADMISSION,
    "apiservices.apiregistration.k8s.io": "requests are not forwarded to other API servers",
}


def warning(group_resource: str, kind: str) -> str:
    """The warning for an object of this kind; "" for kinds with an effect."""
    why = WARNINGS.get(group_resource)
    return f"{kind} is stored, but has no effect here: {why}" if why else ""
