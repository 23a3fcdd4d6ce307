"""Rules of built-in kinds beyond their schemas: the common ones. The docs list the omission of rarer ones.

Source: the fields' descriptions in the published schemas and the answers of a Kubernetes 1.34 server.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from serinus.api.pods.validation import port_name
from serinus.api.resources import Resource
from serinus.api.values import label_rules
from serinus.local.schema.field_errors import FieldError, of_finding
from serinus.local.schema.kind_rules import stored_rules, workload_rules
from serinus.local.schema.kind_rules.crd_rules import crd_errors

Json = dict[str, Any]
Rule = Callable[[Json, Json | None], Iterator[FieldError]]

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SERVICE_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'example.com', "
    "regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_SERVICE_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an "
    "alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
    "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_PATH_SEGMENT = (re.compile(r"(?!\.{1,2}$)[^/%]+"), 253, "may not be '.' or '..', and may not contain '/' or '%'")
PATH_SEGMENT_NAMES = dict.fromkeys(
    (
        f"{plural}.rbac.authorization.k8s.io"
        for plural in ("roles", "rolebindings", "clusterroles", "clusterrolebindings")
    ),
    _PATH_SEGMENT,
)
"""Kinds whose names may contain any path segment: `system:metrics-reader`."""
_NAMES: dict[str, tuple[re.Pattern[str], int, str]] = {
    **PATH_SEGMENT_NAMES,
    "services": (_SERVICE_NAME, 63, _SERVICE_TEXT),
    "namespaces": (_LABEL, 63, _LABEL_TEXT),
}
MOST_ANNOTATION_BYTES = 256 * 1024


def broken_rules(resource: Resource, obj: Json, old: Json | None, *, custom: bool) -> list[FieldError]:
    """The rule violations of an object that satisfies its schema."""
    errors = list(_metadata(resource.group_resource, obj.get("metadata") or {}, old))
    rule = None if custom else _OF.get(resource.group_resource)
    # A terminating object must stay writable, so that its finalizers can be removed.
    if rule is not None and not (old and old["metadata"].get("deletionTimestamp")):
        errors += rule(obj, old)
    return errors


def _metadata(group_resource: str, meta: Json, old: Json | None) -> Iterator[FieldError]:
    name = meta.get("name", "")
    if old is None and name:
        pattern, longest, text = _NAMES.get(group_resource, (_SUBDOMAIN, 253, _SUBDOMAIN_TEXT))
        if len(name) > longest:
            yield FieldError("metadata.name", "FieldValueInvalid", name, f"must be no more than {longest} characters")
        if not pattern.fullmatch(name):
            yield FieldError("metadata.name", "FieldValueInvalid", name, text)
    given = meta.get("labels")
    if given and (old is None or old["metadata"].get("labels") != given):
        yield from map(of_finding, label_rules.labels("metadata.labels", given))
    annotations = meta.get("annotations")
    if annotations and (old is None or old["metadata"].get("annotations") != annotations):
        for key in annotations:
            yield from map(of_finding, label_rules.label_key("metadata.annotations", key.lower()))
        if sum(len(k) + len(v or "") for k, v in annotations.items()) > MOST_ANNOTATION_BYTES:
            yield FieldError(
                "metadata.annotations",
                "FieldValueInvalid",
                "",
                f"annotations: may not be more than {MOST_ANNOTATION_BYTES} bytes in all",
            )


def choice(path: str, value: Any, *choices: str) -> Iterator[FieldError]:
    """An error if the value is set and is not one of the choices."""
    if value not in (None, *choices):
        yield FieldError(
            path, "FieldValueNotSupported", value, "supported values: " + ", ".join(f'"{c}"' for c in choices)
        )


def port(path: str, value: Any) -> Iterator[FieldError]:
    if isinstance(value, int) and not 1 <= value <= 65535:
        yield FieldError(path, "FieldValueInvalid", value, "must be between 1 and 65535, inclusive")


def _service(obj: Json, old: Json | None) -> Iterator[FieldError]:
    spec: Json = obj.get("spec") or {}
    yield from choice("spec.type", spec.get("type"), "ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
    yield from choice("spec.sessionAffinity", spec.get("sessionAffinity"), "ClientIP", "None")
    ports: list[Json] = spec.get("ports") or []
    if not ports and spec.get("clusterIP") != "None" and spec.get("type") != "ExternalName":
        yield FieldError("spec.ports", "FieldValueRequired")
    if spec.get("type") == "ExternalName" and not spec.get("externalName"):
        yield FieldError("spec.externalName", "FieldValueRequired")
    yield from map(of_finding, label_rules.labels("spec.selector", spec.get("selector") or {}))
    names: set[str] = set()
    used: set[tuple[Any, str]] = set()
    for i, item in enumerate(ports):
        at, name = f"spec.ports[{i}]", item.get("name", "")
        number, protocol = item.get("port"), item.get("protocol") or "TCP"
        if (number, protocol) in used:
            yield FieldError(at, "FieldValueDuplicate", {"protocol": protocol, "port": number})
        used.add((number, protocol))
        target = item.get("targetPort")
        if isinstance(target, str):
            yield from map(of_finding, port_name(f"{at}.targetPort", target))
        yield from port(f"{at}.port", item.get("port"))
        yield from port(f"{at}.targetPort", item.get("targetPort"))
        yield from choice(f"{at}.protocol", item.get("protocol"), "SCTP", "TCP", "UDP")
        if not name and len(ports) > 1:
            yield FieldError(f"{at}.name", "FieldValueRequired")
        elif name in names and name:
            yield FieldError(f"{at}.name", "FieldValueDuplicate", name)
        names.add(name)
    before = (old or {}).get("spec", {})
    if (
        before.get("clusterIP")
        and before.get("type") != "ExternalName"
        and spec.get("type") != "ExternalName"
        and spec.get("clusterIP") != before["clusterIP"]
    ):
        yield FieldError("spec.clusterIP", "FieldValueInvalid", spec.get("clusterIP"), "field is immutable")


def _ingress(obj: Json, old: Json | None) -> Iterator[FieldError]:
    spec: Json = obj.get("spec") or {}
    if not spec.get("rules") and not spec.get("defaultBackend"):
        yield FieldError("spec", "FieldValueInvalid", spec, "either `defaultBackend` or `rules` must be specified")
    if spec.get("defaultBackend"):
        yield from _backend("spec.defaultBackend", spec["defaultBackend"])
    for i, rule in enumerate(spec.get("rules") or []):
        host = rule.get("host", "")
        if host and not _SUBDOMAIN.fullmatch(host.removeprefix("*.")):
            yield FieldError(f"spec.rules[{i}].host", "FieldValueInvalid", host, _SUBDOMAIN_TEXT)
        for j, path in enumerate((rule.get("http") or {}).get("paths") or []):
            at = f"spec.rules[{i}].http.paths[{j}]"
            yield from choice(f"{at}.pathType", path.get("pathType"), "Exact", "ImplementationSpecific", "Prefix")
            text = path.get("path", "")
            if path.get("pathType") in ("Exact", "Prefix") and not text.startswith("/"):
                yield FieldError(f"{at}.path", "FieldValueInvalid", text, "must be an absolute path")
            yield from _backend(f"{at}.backend", path.get("backend") or {})


def _backend(path: str, backend: Json) -> Iterator[FieldError]:
    service, resource = backend.get("service"), backend.get("resource")
    if service and resource:
        yield FieldError(path, "FieldValueInvalid", "", "cannot set both resource and service backends")
    elif not service and not resource:
        yield FieldError(path, "FieldValueInvalid", "", "resource or service backend is required")
    elif service:
        number, name = (service.get("port") or {}).get("number"), (service.get("port") or {}).get("name")
        if not service.get("name"):
            yield FieldError(f"{path}.service.name", "FieldValueRequired")
        if not number and not name:
            yield FieldError(f"{path}.service.port", "FieldValueRequired", None, "port name or number is required")
        elif number and name:
            yield FieldError(path, "FieldValueInvalid", "", "cannot set both port name & port number")
        yield from port(f"{path}.service.port.number", number)


def _data(obj: Json, old: Json | None) -> Iterator[FieldError]:
    """ConfigMaps and Secrets."""
    for field in ("data", "binaryData"):
        for key in obj.get(field) or {}:
            if not _DATA_KEY.fullmatch(key):
                text = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
                yield FieldError(f"{field}[{key}]", "FieldValueInvalid", key, text)
    if old and old.get("immutable"):
        for field in ("data", "binaryData", "immutable"):
            if obj.get(field) != old.get(field):
                yield FieldError(field, "FieldValueForbidden", None, "field is immutable when `immutable` is set")
    if old and obj.get("type") != old.get("type"):
        yield FieldError("type", "FieldValueInvalid", obj.get("type"), "field is immutable")


def _endpoint_slice(obj: Json, old: Json | None) -> Iterator[FieldError]:
    yield from choice("addressType", obj.get("addressType"), "FQDN", "IPv4", "IPv6")
    if old and obj.get("addressType") != old.get("addressType"):
        yield FieldError("addressType", "FieldValueInvalid", obj.get("addressType"), "field is immutable")
    for i, item in enumerate(obj.get("endpoints") or []):
        if not item.get("addresses"):
            yield FieldError(f"endpoints[{i}].addresses", "FieldValueRequired", None, "must contain at least 1 address")


def _hpa(obj: Json, old: Json | None) -> Iterator[FieldError]:
    spec: Json = obj.get("spec") or {}
    most, least = spec.get("maxReplicas", 0), spec.get("minReplicas", 1)
    if most < 1:
        yield FieldError("spec.maxReplicas", "FieldValueInvalid", most, "must be greater than 0")
    if most < least:
        yield FieldError(
            "spec.maxReplicas", "FieldValueInvalid", most, "must be greater than or equal to `minReplicas`"
        )


def _budget(obj: Json, old: Json | None) -> Iterator[FieldError]:
    spec: Json = obj.get("spec") or {}
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        yield FieldError("spec", "FieldValueInvalid", spec, "minAvailable and maxUnavailable cannot be both set")


def _definition(obj: Json, old: Json | None) -> Iterator[FieldError]:
    yield from crd_errors(obj)


_OF: dict[str, Rule] = {
    **workload_rules.RULES,
    **stored_rules.RULES,
    "services": _service,
    "configmaps": _data,
    "secrets": _data,
    "ingresses.networking.k8s.io": _ingress,
    "endpointslices.discovery.k8s.io": _endpoint_slice,
    "horizontalpodautoscalers.autoscaling": _hpa,
    "poddisruptionbudgets.policy": _budget,
    "customresourcedefinitions.apiextensions.k8s.io": _definition,
}
