"""Checks of a pod template, as Kubernetes makes them when the ReplicaSet is created.

The checks cover labels, names, images, ports, variables, mounts, probes, quantities and policies. Rare fields (security
contexts, exotic volumes, Windows) are left to the API server, which checks the ReplicaSet anyway. Absent fields with a
default count as set.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from serinus.api.meta import Json, LabelSelector
from serinus.api.pods.defaults import volume_sources
from serinus.api.pods.types import type_findings
from serinus.api.validation.findings import Finding, duplicate, forbidden, invalid, not_found, not_supported, required
from serinus.api.values import quantity
from serinus.api.values.label_rules import dns_label, label_key, labels, selects

_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_STANDARD = {"cpu", "memory", "ephemeral-storage"}
_THRESHOLDS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
NOT_NEGATIVE = "must be greater than or equal to 0"


def template_findings(path: str, template: Json, selector: LabelSelector | None) -> Iterator[Finding]:
    """Errors in the template of a ReplicaSet, in Kubernetes' order."""
    metadata, spec = template.get("metadata") or {}, template.get("spec") or {}
    given = metadata.get("labels") or {}
    if not selects(selector, given):
        yield invalid(f"{path}.metadata.labels", given, "`selector` does not match template `labels`")
    yield from labels(f"{path}.labels", given)
    for key in metadata.get("annotations") or {}:
        yield from label_key(f"{path}.annotations", key.lower())
    yield from _spec(f"{path}.spec", spec)
    policy = spec.get("restartPolicy") or "Always"
    if policy != "Always":
        yield not_supported(f"{path}.spec.restartPolicy", policy, "Always")
    if spec.get("activeDeadlineSeconds") is not None:
        yield forbidden(f"{path}.spec.activeDeadlineSeconds", "activeDeadlineSeconds in ReplicaSet is not Supported")


def spec_findings(path: str, spec: Json) -> Iterator[Finding]:
    """Errors in the spec of any pod, for any owner."""
    return _spec(path, spec)


def unreadable_template(path: str, template: Json) -> Iterator[Finding]:
    """Errors that make a pod template unreadable or unhashable: fields of a wrong type, invalid quantities.

    The definitions of Rollouts and Experiments leave parts of a template open: these parts accept any value.
    """
    wrong = list(type_findings(path, template))
    yield from wrong
    if wrong:
        return
    spec = template.get("spec") or {}
    yield from _amounts(f"{path}.spec", spec)
    for i, container in enumerate(_items(spec, "containers")):
        yield from _resources(f"{path}.spec.containers[{i}].resources", container.get("resources") or {})


def _spec(path: str, spec: Json) -> Iterator[Finding]:
    volumes = {volume.get("name") or "" for volume in _items(spec, "volumes")}
    yield from _volumes(f"{path}.volumes", _items(spec, "volumes"))
    containers = _items(spec, "containers")
    if not containers:
        yield required(f"{path}.containers")
    names: set[str] = set()
    for i, container in enumerate(containers):
        yield from _container(f"{path}.containers[{i}]", container, volumes, names)
        yield from _probes(f"{path}.containers[{i}]", container)
    for i, container in enumerate(_items(spec, "initContainers")):
        at = f"{path}.initContainers[{i}]"
        yield from _container(at, container, volumes, names)
        if container.get("restartPolicy") == "Always":
            yield from _probes(at, container)
            continue
        for field in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
            if container.get(field) is not None:
                yield forbidden(f"{at}.{field}", "may not be set for init containers without restartPolicy=Always")
    if spec.get("restartPolicy") not in (None, "", "Always", "OnFailure", "Never"):
        yield not_supported(f"{path}.restartPolicy", spec["restartPolicy"], "Always", "OnFailure", "Never")
    if spec.get("dnsPolicy") not in (None, "", "ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"):
        choices = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
        yield not_supported(f"{path}.dnsPolicy", spec["dnsPolicy"], *choices)
    yield from labels(f"{path}.nodeSelector", spec.get("nodeSelector") or {})
    yield from _amounts(path, spec)


def _amounts(path: str, value: Any) -> Iterator[Finding]:
    """Quantities outside of containers' resources (which have closer checks): sizes of volumes, divisors, overhead."""
    if isinstance(value, list):
        for i, item in enumerate(value):
            yield from _amounts(f"{path}[{i}]", item)
        return
    for name, part in value.items() if isinstance(value, dict) else ():
        at = f"{path}.{name}"
        if name in ("sizeLimit", "divisor"):
            yield from _amount(at, part)
        elif name in ("limits", "requests", "overhead") and isinstance(part, dict) and ".containers[" not in at:
            for resource, amount in part.items():
                yield from _amount(f"{at}[{resource}]", amount)
        else:
            yield from _amounts(at, part)


def _amount(path: str, amount: Any) -> Iterator[Finding]:
    try:
        if quantity.parse(0 if amount is None else amount) < 0:
            yield invalid(path, amount, NOT_NEGATIVE)
    except ValueError as error:
        yield invalid(path, amount, str(error))


def _volumes(path: str, volumes: list[Json]) -> Iterator[Finding]:
    seen: set[str] = set()
    for i, volume in enumerate(volumes):
        name = volume.get("name") or ""
        for extra in volume_sources(volume)[1:]:
            yield forbidden(f"{path}[{i}].{extra}", "may not specify more than 1 volume type")
        if not name:
            yield required(f"{path}[{i}].name")
        else:
            yield from dns_label(f"{path}[{i}].name", name)
        if name in seen:
            yield duplicate(f"{path}[{i}].name", name)
        seen.add(name)


def _container(path: str, container: Json, volumes: set[str], names: set[str]) -> Iterator[Finding]:
    name = container.get("name") or ""
    if not name:
        yield required(f"{path}.name")
    else:
        yield from dns_label(f"{path}.name", name)
    if not container.get("image"):
        yield required(f"{path}.image")
    if container.get("terminationMessagePolicy") not in (None, "", "File", "FallbackToLogsOnError"):
        at = f"{path}.terminationMessagePolicy"
        yield not_supported(at, container["terminationMessagePolicy"], "File", "FallbackToLogsOnError")
    yield from _ports(f"{path}.ports", _items(container, "ports"))
    yield from _env(f"{path}.env", _items(container, "env"))
    yield from _mounts(f"{path}.volumeMounts", _items(container, "volumeMounts"), volumes)
    if container.get("imagePullPolicy") not in (None, "", "Always", "IfNotPresent", "Never"):
        yield not_supported(f"{path}.imagePullPolicy", container["imagePullPolicy"], "Always", "IfNotPresent", "Never")
    yield from _resources(f"{path}.resources", container.get("resources") or {})
    if name and name in names:
        yield duplicate(f"{path}.name", name)
    names.add(name)


def _ports(path: str, ports: list[Json]) -> Iterator[Finding]:
    seen: set[str] = set()
    for i, port in enumerate(ports):
        name = port.get("name") or ""
        if name:
            yield from port_name(f"{path}[{i}].name", name)
            if name in seen:
                yield duplicate(f"{path}[{i}].name", name)
            seen.add(name)
        if not port.get("containerPort"):
            yield required(f"{path}[{i}].containerPort")
        for field in ("containerPort", "hostPort"):
            if port.get(field):
                yield from _port_number(f"{path}[{i}].{field}", port[field])
        if port.get("protocol") not in (None, "", "SCTP", "TCP", "UDP"):
            yield not_supported(f"{path}[{i}].protocol", port["protocol"], "SCTP", "TCP", "UDP")


def _port_number(path: str, number: int) -> Iterator[Finding]:
    if not 1 <= number <= 65535:
        yield invalid(path, number, "must be between 1 and 65535, inclusive")


def port_name(path: str, name: str) -> Iterator[Finding]:
    """Errors in the name of a port (RFC 6335, section 5.1)."""
    if len(name) > 15:
        yield invalid(path, name, "must be no more than 15 characters")
    if not re.fullmatch(r"[-a-z0-9]+", name):
        yield invalid(path, name, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search(r"[a-z]", name):
        yield invalid(path, name, "must contain at least one letter (a-z)")
    if "--" in name:
        yield invalid(path, name, "must not contain consecutive hyphens")
    if name.startswith("-") or name.endswith("-"):
        yield invalid(path, name, "must not begin or end with a hyphen")


def _env(path: str, variables: list[Json]) -> Iterator[Finding]:
    for i, variable in enumerate(variables):
        name, source = variable.get("name") or "", variable.get("valueFrom")
        if not name:
            yield required(f"{path}[{i}].name")
        elif not re.fullmatch(r"[ -<>-~]+", name):
            rule = "a valid environment variable name must consist only of printable ASCII characters other than '='"
            yield invalid(f"{path}[{i}].name", name, rule)
        if source is None:
            continue
        count = sum(source.get(kind) is not None for kind in _SOURCES)
        if not count:
            choices = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
            yield invalid(f"{path}[{i}].valueFrom", "", f"must specify one of: {choices}")
        elif variable.get("value"):
            yield invalid(f"{path}[{i}].valueFrom", "", "may not be specified when `value` is not empty")
        elif count > 1:
            yield invalid(f"{path}[{i}].valueFrom", "", "may not have more than one field specified at a time")


def _mounts(path: str, mounts: list[Json], volumes: set[str]) -> Iterator[Finding]:
    points: set[str] = set()
    for i, mount in enumerate(mounts):
        name, point = mount.get("name") or "", mount.get("mountPath") or ""
        if not name:
            yield required(f"{path}[{i}].name")
        if name not in volumes:
            yield not_found(f"{path}[{i}].name", name)
        if not point:
            yield required(f"{path}[{i}].mountPath")
        if point in points:
            yield invalid(f"{path}[{i}].mountPath", point, "must be unique")
        points.add(point)


def _resources(path: str, resources: Json) -> Iterator[Finding]:
    wrong = False
    for kind in ("limits", "requests"):
        for name, amount in (resources.get(kind) or {}).items():
            at = f"{path}.{kind}[{name}]"
            try:
                negative = quantity.parse(amount if amount is not None else 0) < 0
            except ValueError as error:
                wrong = True
                yield invalid(at, amount, str(error))
                continue
            if negative:
                yield invalid(at, quantity.canonical(amount or 0), NOT_NEGATIVE)
            if "/" not in name and name not in _STANDARD and not name.startswith("hugepages-"):
                yield invalid(at, name, "must be a standard resource type or fully qualified")
                yield invalid(at, name, "must be a standard resource for containers")
    limits = resources.get("limits") or {}
    for name, amount in (resources.get("requests") or {}).items():
        if not wrong and name in limits and quantity.parse(amount or 0) > quantity.parse(limits[name] or 0):
            most = quantity.canonical(limits[name] or 0)
            text = f"must be less than or equal to {name} limit of {most}"
            yield invalid(f"{path}.requests", quantity.canonical(amount or 0), text)


def _probes(path: str, container: Json) -> Iterator[Finding]:
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(name)
        if probe is None:
            continue
        yield from _probe(f"{path}.{name}", probe)
        if name != "readinessProbe" and probe.get("successThreshold") not in (None, 0, 1):
            yield invalid(f"{path}.{name}.successThreshold", probe["successThreshold"], "must be 1")


def _probe(path: str, probe: Json) -> Iterator[Finding]:
    handlers = [handler for handler in _HANDLERS if probe.get(handler) is not None]
    if not handlers:
        yield required(path, "must specify a handler type")
    for extra in handlers[1:]:
        yield forbidden(f"{path}.{extra}", "may not specify more than 1 handler type")
    for handler in handlers[:1]:
        yield from _handler(f"{path}.{handler}", handler, probe[handler])
    for field in _THRESHOLDS:
        if (probe.get(field) or 0) < 0:
            yield invalid(f"{path}.{field}", probe[field], NOT_NEGATIVE)


def _handler(path: str, handler: str, action: Json) -> Iterator[Finding]:
    if handler == "exec":
        if not action.get("command"):
            yield required(f"{path}.command")
        return
    port: Any = action.get("port", 0)
    yield from port_name(f"{path}.port", port) if isinstance(port, str) else _port_number(f"{path}.port", port)
    if handler == "httpGet" and action.get("scheme") not in (None, "", "HTTP", "HTTPS"):
        yield not_supported(f"{path}.scheme", action["scheme"], "HTTP", "HTTPS")


def _items(parent: Json, field: str) -> list[Json]:
    return [item for item in parent.get(field) or [] if item is not None]
