"""Rules of pods and of kinds with a pod template: ReplicaSets, Deployments, Jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from serinus.api.meta import LabelSelector
from serinus.api.pods.validation import spec_findings, template_findings
from serinus.api.values.label_rules import selector_findings
from serinus.local.schema.field_errors import FieldError, of_finding

Json = dict[str, Any]

_POD_TEXT = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
    "`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_CONTAINERS = ("containers", "initContainers")
_MUTABLE = (
    "activeDeadlineSeconds",
    "tolerations",
    "terminationGracePeriodSeconds",
    "nodeName",
    "schedulingGates",
    "ephemeralContainers",
)


def _pod(obj: Json, old: Json | None) -> Iterator[FieldError]:
    spec: Json = obj.get("spec") or {}
    if old is None:
        yield from map(of_finding, spec_findings("spec", spec))
        return
    before: Json = old.get("spec") or {}
    if spec != before and _fixed(spec) != _fixed(before):
        yield FieldError("spec", "FieldValueForbidden", None, _POD_TEXT)
    elif before.get("nodeName") and spec.get("nodeName") != before["nodeName"]:
        yield FieldError("spec.nodeName", "FieldValueForbidden", None, "a pod that is bound to a node stays there")


def _fixed(spec: Json) -> Json:
    """The immutable part of a pod's spec."""
    immutable = {k: v for k, v in spec.items() if k not in _MUTABLE}
    for field in _CONTAINERS:
        if field in immutable:
            immutable[field] = [{k: v for k, v in container.items() if k != "image"} for container in immutable[field]]
    return immutable


def _controller(obj: Json, old: Json | None) -> Iterator[FieldError]:
    """Deployments and ReplicaSets."""
    spec: Json = obj.get("spec") or {}
    before: Json = (old or {}).get("spec") or {}
    for field in ("replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"):
        if (spec.get(field) or 0) < 0:
            yield FieldError(f"spec.{field}", "FieldValueInvalid", spec[field], "must be greater than or equal to 0")
    if spec == before:
        return
    given = spec.get("selector")
    if given is None:
        yield FieldError("spec.selector", "FieldValueRequired")
        return
    if not given.get("matchLabels") and not given.get("matchExpressions"):
        yield FieldError("spec.selector", "FieldValueInvalid", given, "empty selector is invalid for deployment")
    selector = msgspec.convert(given, LabelSelector)
    flaws = [of_finding(f) for f in selector_findings("spec.selector", selector)]
    yield from flaws
    if old and given != before.get("selector"):
        yield FieldError("spec.selector", "FieldValueInvalid", given, "field is immutable")
    if not flaws and (old is None or spec.get("template") != before.get("template")):
        yield from map(of_finding, template_findings("spec.template", spec.get("template") or {}, selector))


def _deployment(obj: Json, old: Json | None) -> Iterator[FieldError]:
    yield from _controller(obj, old)
    spec: Json = obj.get("spec") or {}
    strategy: Json = spec.get("strategy") or {}
    if strategy.get("type") not in (None, "Recreate", "RollingUpdate"):
        yield FieldError(
            "spec.strategy.type",
            "FieldValueNotSupported",
            strategy["type"],
            'supported values: "Recreate", "RollingUpdate"',
        )
    if strategy.get("type") == "Recreate" and strategy.get("rollingUpdate"):
        yield FieldError(
            "spec.strategy.rollingUpdate",
            "FieldValueForbidden",
            None,
            "may not be specified when strategy `type` is 'Recreate'",
        )
    rolling: Json = strategy.get("rollingUpdate") or {}
    for field in ("maxSurge", "maxUnavailable"):
        value = rolling.get(field)
        if isinstance(value, str) and not (value.endswith("%") and value[:-1].isdigit()):
            yield FieldError(
                f"spec.strategy.rollingUpdate.{field}",
                "FieldValueInvalid",
                value,
                "a valid percent string must be a numeric string followed by an ending '%' "
                "(e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
            )
    if all(rolling.get(field) in (0, "0%") for field in ("maxSurge", "maxUnavailable")) and rolling:
        yield FieldError(
            "spec.strategy.rollingUpdate.maxUnavailable",
            "FieldValueInvalid",
            rolling["maxUnavailable"],
            "may not be 0 when `maxSurge` is 0",
        )


def _job(obj: Json, old: Json | None) -> Iterator[FieldError]:
    spec: Json = obj.get("spec") or {}
    before: Json = (old or {}).get("spec") or {}
    template: Json = spec.get("template") or {}
    policy = (template.get("spec") or {}).get("restartPolicy")
    for field in ("parallelism", "completions", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"):
        if (spec.get(field) or 0) < 0:
            yield FieldError(f"spec.{field}", "FieldValueInvalid", spec[field], "must be greater than or equal to 0")
    at = "spec.template.spec.restartPolicy"
    if policy == "Always":
        # The default of a template without restartPolicy: the user has chosen nothing.
        yield FieldError(at, "FieldValueRequired", None, 'valid values: "OnFailure", "Never"')
    elif policy not in ("OnFailure", "Never"):
        yield FieldError(at, "FieldValueNotSupported", policy, 'supported values: "OnFailure", "Never"')
    if old is None:
        yield from map(of_finding, spec_findings("spec.template.spec", template.get("spec") or {}))
        return
    for field in ("template", "selector", "completions", "completionMode"):
        if spec.get(field) != before.get(field):
            yield FieldError(f"spec.{field}", "FieldValueInvalid", spec.get(field), "field is immutable")


RULES: dict[str, Callable[[Json, Json | None], Iterator[FieldError]]] = {
    "pods": _pod,
    "replicasets.apps": _controller,
    "deployments.apps": _deployment,
    "jobs.batch": _job,
}
