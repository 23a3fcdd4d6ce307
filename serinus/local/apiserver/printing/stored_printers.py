"""The rows of `kubectl get` for kinds that are stored without effect. Source: Kubernetes' printers."""

from __future__ import annotations

from typing import Any

from serinus.local.apiserver.printing.printers import Row, age, columns, containers, labels_text
from serinus.local.apiserver.requests.selectors import as_text

Json = dict[str, Any]
_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
_DEFAULT_CLASS = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
_UNSET = "<unset>"


def _name(obj: Json) -> str:
    return obj["metadata"]["name"]


def _age(obj: Json, now: float) -> str:
    return age(obj["metadata"].get("creationTimestamp"), now)


def _parts(obj: Json) -> tuple[Json, Json]:
    return obj.get("spec") or {}, obj.get("status") or {}


def _created(obj: Json, now: float) -> list[Any]:
    return [_name(obj), obj["metadata"].get("creationTimestamp") or ""]


def _binding(obj: Json, now: float) -> list[Any]:
    role: Json = obj.get("roleRef") or {}
    of_kind: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for subject in obj.get("subjects") or []:
        space = f"{subject.get('namespace', '')}/" if subject.get("kind") == "ServiceAccount" else ""
        of_kind.get(subject.get("kind", ""), []).append(f"{space}{subject.get('name', '')}")
    return [
        _name(obj),
        f"{role.get('kind')}/{role.get('name')}",
        _age(obj, now),
        *(", ".join(n) for n in of_kind.values()),
    ]


def _network_policy(obj: Json, now: float) -> list[Any]:
    return [_name(obj), as_text(_parts(obj)[0].get("podSelector")) or "<none>", _age(obj, now)]


def _quota(obj: Json, now: float) -> list[Any]:
    status = _parts(obj)[1]
    hard, used = status.get("hard") or {}, status.get("used") or {}
    texts = {name: f"{name}: {used.get(name, '0')}/{amount}" for name, amount in sorted(hard.items())}
    limits = [text for name, text in texts.items() if name.startswith("limits.")]
    return [_name(obj), ", ".join(t for t in texts.values() if t not in limits), ", ".join(limits), _age(obj, now)]


def _stateful_set(obj: Json, now: float) -> list[Any]:
    spec, status = _parts(obj)
    ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 1)}"
    return [_name(obj), ready, _age(obj, now), *containers(spec.get("template") or {})]


def _daemon_set(obj: Json, now: float) -> list[Any]:
    spec, status = _parts(obj)
    template: Json = spec.get("template") or {}
    numbers = (
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
    )
    return [
        _name(obj),
        *(status.get(n, 0) for n in numbers),
        labels_text((template.get("spec") or {}).get("nodeSelector")),
        _age(obj, now),
        *containers(template),
        as_text(spec.get("selector")),
    ]


def _replication_controller(obj: Json, now: float) -> list[Any]:
    spec, status = _parts(obj)
    numbers = [spec.get("replicas", 1), status.get("replicas", 0), status.get("readyReplicas", 0)]
    return [
        _name(obj),
        *numbers,
        _age(obj, now),
        *containers(spec.get("template") or {}),
        labels_text(spec.get("selector")),
    ]


def _cron_job(obj: Json, now: float) -> list[Any]:
    spec, status = _parts(obj)
    job: Json = (spec.get("jobTemplate") or {}).get("spec") or {}
    last = status.get("lastScheduleTime")
    return [
        _name(obj),
        spec.get("schedule", ""),
        spec.get("timeZone") or "<none>",
        "True" if spec.get("suspend") else "False",
        len(status.get("active") or []),
        age(last, now) if last else "<none>",
        _age(obj, now),
        *containers(job.get("template") or {}),
        as_text(job.get("selector")) or "<none>",
    ]


def _modes(modes: list[str] | None) -> str:
    return ",".join(_MODES.get(m, m) for m in modes or [])


def _claim(obj: Json, now: float) -> list[Any]:
    spec, status = _parts(obj)
    bound = bool(spec.get("volumeName"))
    return [
        _name(obj),
        status.get("phase", ""),
        spec.get("volumeName", ""),
        (status.get("capacity") or {}).get("storage", "") if bound else "",
        _modes(status.get("accessModes")) if bound else "",
        spec.get("storageClassName") or "",
        spec.get("volumeAttributesClassName") or _UNSET,
        _age(obj, now),
        spec.get("volumeMode", "Filesystem"),
    ]


def _volume(obj: Json, now: float) -> list[Any]:
    spec, status = _parts(obj)
    claim: Json = spec.get("claimRef") or {}
    return [
        _name(obj),
        (spec.get("capacity") or {}).get("storage", ""),
        _modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""),
        status.get("phase", ""),
        f"{claim.get('namespace')}/{claim.get('name')}" if claim else "",
        spec.get("storageClassName") or "",
        spec.get("volumeAttributesClassName") or _UNSET,
        status.get("reason") or "",
        _age(obj, now),
        spec.get("volumeMode", "Filesystem"),
    ]


def _storage_class(obj: Json, now: float) -> list[Any]:
    notes: Json = obj["metadata"].get("annotations") or {}
    default = any(notes.get(key) == "true" for key in _DEFAULT_CLASS)
    return [
        _name(obj) + (" (default)" if default else ""),
        obj.get("provisioner", ""),
        obj.get("reclaimPolicy", "Delete"),
        obj.get("volumeBindingMode", "Immediate"),
        bool(obj.get("allowVolumeExpansion")),
        _age(obj, now),
    ]


def _priority_class(obj: Json, now: float) -> list[Any]:
    policy = obj.get("preemptionPolicy") or "PreemptLowerPriority"
    return [_name(obj), obj.get("value", 0), bool(obj.get("globalDefault")), _age(obj, now), policy]


def _webhooks(obj: Json, now: float) -> list[Any]:
    return [_name(obj), len(obj.get("webhooks") or []), _age(obj, now)]


def _policy(obj: Json, now: float) -> list[Any]:
    spec = _parts(obj)[0]
    kind: Json = spec.get("paramKind") or {}
    shown = f"{kind.get('apiVersion')}/{kind.get('kind')}" if kind else _UNSET
    return [_name(obj), len(spec.get("validations") or []), shown, _age(obj, now)]


def _policy_binding(obj: Json, now: float) -> list[Any]:
    spec = _parts(obj)[0]
    reference: Json = spec.get("paramRef") or {}
    space = f"{reference['namespace']}/" if reference.get("namespace") else ""
    shown = f"{space}{reference.get('name') or '*'}" if reference else _UNSET
    return [_name(obj), spec.get("policyName", ""), shown, _age(obj, now)]


def _runtime_class(obj: Json, now: float) -> list[Any]:
    return [_name(obj), obj.get("handler", ""), _age(obj, now)]


def _api_service(obj: Json, now: float) -> list[Any]:
    spec, status = _parts(obj)
    service: Json = spec.get("service") or {}
    shown = f"{service.get('namespace')}/{service.get('name')}" if service else "Local"
    available = next((c for c in status.get("conditions") or [] if c.get("type") == "Available"), {})
    return [_name(obj), shown, available.get("status", "Unknown"), _age(obj, now)]


_BINDING = Row(columns("Name Role Age | Users Groups ServiceAccounts"), _binding)
_CREATED = Row(columns("Name Created_At"), _created)
_WEBHOOKS = Row(columns("Name Webhooks# Age"), _webhooks)
ROWS: dict[str, Row] = {
    "roles.rbac.authorization.k8s.io": _CREATED,
    "clusterroles.rbac.authorization.k8s.io": _CREATED,
    "rolebindings.rbac.authorization.k8s.io": _BINDING,
    "clusterrolebindings.rbac.authorization.k8s.io": _BINDING,
    "networkpolicies.networking.k8s.io": Row(columns("Name Pod-Selector Age"), _network_policy),
    "limitranges": _CREATED,
    "resourcequotas": Row(columns("Name Request Limit Age"), _quota),
    "statefulsets.apps": Row(columns("Name Ready Age | Containers Images"), _stateful_set),
    "daemonsets.apps": Row(
        columns("Name Desired# Current# Ready# Up-to-date# Available# Node_Selector Age | Containers Images Selector"),
        _daemon_set,
    ),
    "replicationcontrollers": Row(
        columns("Name Desired# Current# Ready# Age | Containers Images Selector"), _replication_controller
    ),
    "cronjobs.batch": Row(
        columns("Name Schedule Timezone Suspend Active# Last_Schedule Age | Containers Images Selector"), _cron_job
    ),
    "persistentvolumeclaims": Row(
        columns("Name Status Volume Capacity Access_Modes StorageClass VolumeAttributesClass Age | VolumeMode"), _claim
    ),
    "persistentvolumes": Row(
        columns(
            "Name Capacity Access_Modes Reclaim_Policy Status Claim StorageClass VolumeAttributesClass Reason Age | VolumeMode"
        ),
        _volume,
    ),
    "storageclasses.storage.k8s.io": Row(
        columns("Name Provisioner ReclaimPolicy VolumeBindingMode AllowVolumeExpansion? Age"), _storage_class
    ),
    "priorityclasses.scheduling.k8s.io": Row(
        columns("Name Value# Global-Default? Age PreemptionPolicy"), _priority_class
    ),
    "validatingwebhookconfigurations.admissionregistration.k8s.io": _WEBHOOKS,
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": _WEBHOOKS,
    "validatingadmissionpolicies.admissionregistration.k8s.io": Row(
        columns("Name Validations# ParamKind Age"), _policy
    ),
    "validatingadmissionpolicybindings.admissionregistration.k8s.io": Row(
        columns("Name PolicyName ParamRef Age"), _policy_binding
    ),
    "runtimeclasses.node.k8s.io": Row(columns("Name Handler Age"), _runtime_class),
    "apiservices.apiregistration.k8s.io": Row(columns("Name Service Available Age"), _api_service),
}
