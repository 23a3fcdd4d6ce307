"""Rules of kinds that are stored without effect: those that an invalid chart commonly violates.

Source: the fields' descriptions in the published schemas.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from serinus.api.meta import LabelSelector
from serinus.api.pods.validation import spec_findings, template_findings
from serinus.local.schema.field_errors import FieldError, of_finding

Json = dict[str, Any]
Rule = Callable[[Json, Json | None], Iterator[FieldError]]


def _fixed(*paths: str) -> Rule:
    """These fields are immutable once set."""

    def rule(obj: Json, old: Json | None) -> Iterator[FieldError]:
        for path in paths if old else ():
            now, was = _at(obj, path), _at(old or {}, path)
            if now != was:
                yield FieldError(path, "FieldValueInvalid", now, "field is immutable")

    return rule


def _at(obj: Any, path: str) -> Any:
    for name in path.split("."):
        obj = obj.get(name) if isinstance(obj, dict) else None
    return obj


def _role(obj: Json, old: Json | None) -> Iterator[FieldError]:
    for i, rule in enumerate(obj.get("rules") or []):
        if not rule.get("verbs"):
            yield FieldError(f"rules[{i}].verbs", "FieldValueRequired", None, "verbs must contain at least one value")
        if not rule.get("nonResourceURLs"):
            for field, words in (("apiGroups", "api group"), ("resources", "resource")):
                if not rule.get(field):
                    yield FieldError(
                        f"rules[{i}].{field}",
                        "FieldValueRequired",
                        None,
                        f"resource rules must supply at least one {words}",
                    )


def _role_binding(obj: Json, old: Json | None) -> Iterator[FieldError]:
    reference: Json = obj.get("roleRef") or {}
    kinds = ("ClusterRole",) if obj.get("kind") == "ClusterRoleBinding" else ("ClusterRole", "Role")
    if reference.get("kind") not in kinds:
        choices = ", ".join(f'"{kind}"' for kind in kinds)
        yield FieldError(
            "roleRef.kind", "FieldValueNotSupported", reference.get("kind"), f"supported values: {choices}"
        )
    if not reference.get("name"):
        yield FieldError("roleRef.name", "FieldValueRequired")
    if old and reference != old.get("roleRef"):
        yield FieldError("roleRef", "FieldValueInvalid", reference, "cannot change roleRef")
    for i, subject in enumerate(obj.get("subjects") or []):
        kind = subject.get("kind")
        if kind not in ("ServiceAccount", "User", "Group"):
            text = 'supported values: "Group", "ServiceAccount", "User"'
            yield FieldError(f"subjects[{i}].kind", "FieldValueNotSupported", kind, text)
        if not subject.get("name"):
            yield FieldError(f"subjects[{i}].name", "FieldValueRequired")
        if kind == "ServiceAccount" and not subject.get("namespace"):
            yield FieldError(f"subjects[{i}].namespace", "FieldValueRequired")


def _owner(obj: Json, old: Json | None) -> Iterator[FieldError]:
    """StatefulSets and DaemonSets: an immutable selector, and a matching template."""
    spec: Json = obj.get("spec") or {}
    before: Json = (old or {}).get("spec") or {}
    if (spec.get("replicas") or 0) < 0:
        yield FieldError("spec.replicas", "FieldValueInvalid", spec["replicas"], "must be greater than or equal to 0")
    selector = spec.get("selector")
    if selector is None:
        yield FieldError("spec.selector", "FieldValueRequired")
        return
    if old and selector != before.get("selector"):
        yield FieldError("spec.selector", "FieldValueInvalid", selector, "field is immutable")
    if old is None or spec.get("template") != before.get("template"):
        chosen = msgspec.convert(selector, LabelSelector)
        yield from map(of_finding, template_findings("spec.template", spec.get("template") or {}, chosen))


def _cron_job(obj: Json, old: Json | None) -> Iterator[FieldError]:
    spec: Json = obj.get("spec") or {}
    schedule = str(spec.get("schedule") or "")
    if not schedule:
        yield FieldError("spec.schedule", "FieldValueRequired")
    elif "TZ" in schedule:
        text = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        yield FieldError("spec.schedule", "FieldValueInvalid", schedule, text)
    elif not schedule.startswith("@") and len(schedule.split()) != 5:
        yield FieldError(
            "spec.schedule", "FieldValueInvalid", schedule, f"expected exactly 5 fields, found {len(schedule.split())}"
        )
    policy = spec.get("concurrencyPolicy")
    if policy not in (None, "Allow", "Forbid", "Replace"):
        text = 'supported values: "Allow", "Forbid", "Replace"'
        yield FieldError("spec.concurrencyPolicy", "FieldValueNotSupported", policy, text)
    pods: Json = (((spec.get("jobTemplate") or {}).get("spec") or {}).get("template") or {}).get("spec") or {}
    at = "spec.jobTemplate.spec.template.spec"
    if pods.get("restartPolicy") not in ("OnFailure", "Never"):
        yield FieldError(f"{at}.restartPolicy", "FieldValueRequired", None, 'valid values: "OnFailure", "Never"')
    if old is None:
        yield from map(of_finding, spec_findings(at, pods))


def _claim(obj: Json, old: Json | None) -> Iterator[FieldError]:
    spec: Json = obj.get("spec") or {}
    if not spec.get("accessModes"):
        yield FieldError("spec.accessModes", "FieldValueRequired", None, "at least 1 access mode is required")
    if not ((spec.get("resources") or {}).get("requests") or {}).get("storage"):
        yield FieldError("spec.resources[storage]", "FieldValueRequired")
    before: Json = (old or {}).get("spec") or {}
    changing = ("resources", "volumeName", "volumeAttributesClassName")
    if old and {k: v for k, v in spec.items() if k not in changing} != {
        k: v for k, v in before.items() if k not in changing
    }:
        text = (
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        )
        yield FieldError("spec", "FieldValueForbidden", None, text)


def _webhooks(obj: Json, old: Json | None) -> Iterator[FieldError]:
    names: set[str] = set()
    for i, hook in enumerate(obj.get("webhooks") or []):
        name = hook.get("name") or ""
        if name in names:
            yield FieldError(f"webhooks[{i}].name", "FieldValueDuplicate", name)
        names.add(name)
        client: Json = hook.get("clientConfig") or {}
        if bool(client.get("url")) == bool(client.get("service")):
            yield FieldError(
                f"webhooks[{i}].clientConfig", "FieldValueRequired", None, "exactly one of url or service is required"
            )


RULES: dict[str, Rule] = {
    "roles.rbac.authorization.k8s.io": _role,
    "clusterroles.rbac.authorization.k8s.io": _role,
    "rolebindings.rbac.authorization.k8s.io": _role_binding,
    "clusterrolebindings.rbac.authorization.k8s.io": _role_binding,
    "statefulsets.apps": _owner,
    "daemonsets.apps": _owner,
    "cronjobs.batch": _cron_job,
    "persistentvolumeclaims": _claim,
    "priorityclasses.scheduling.k8s.io": _fixed("value", "preemptionPolicy"),
    "storageclasses.storage.k8s.io": _fixed("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"),
    "runtimeclasses.node.k8s.io": _fixed("handler"),
    "validatingwebhookconfigurations.admissionregistration.k8s.io": _webhooks,
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": _webhooks,
}
