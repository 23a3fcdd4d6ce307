"""A container's environment and command line, by Kubernetes' rules. Pure: the caller passes ConfigMaps and Secrets."""

from __future__ import annotations

import base64
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from serinus.api.meta import Json
from serinus.api.values import quantity

Source = tuple[str, str]
"""("ConfigMap" or "Secret", name) in the pod's namespace."""

_VARIABLE = re.compile(r"\$(?:\$|\(([-._a-zA-Z][-._a-zA-Z0-9]*)\))")
_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_FIELD_KEY = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


class MissingConfig(Exception):
    """An object or key that the container references does not exist; the message names it."""


@dataclass(frozen=True, slots=True)
class Host:
    node: str
    ip: str


def sources(pod: Json, container: Json) -> set[Source]:
    """The ConfigMaps and Secrets that the container's environment references, optional ones included."""
    references: set[Source] = set()
    for entry in container.get("env") or []:
        origin: Json = entry.get("valueFrom") or {}
        for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            if origin.get(field):
                references.add((kind, str(origin[field].get("name"))))
    for entry in container.get("envFrom") or []:
        for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if entry.get(field):
                references.add((kind, str(entry[field].get("name"))))
    return references


def environment(
    pod: Json, container: Json, base: Mapping[str, str], host: Host, given: Mapping[Source, Json]
) -> dict[str, str]:
    """Merges `base`, envFrom and env in this order; later ones win and may use `$(EARLIER)`. Raises MissingConfig."""
    env = dict(base)
    for entry in container.get("envFrom") or []:
        env |= _all_of(entry, given)
    for entry in container.get("env") or []:
        name = str(entry.get("name"))
        if entry.get("valueFrom"):
            value = _value_from(pod, container, entry["valueFrom"], env, host, given)
            if value is not None:
                env[name] = value
        else:
            env[name] = expand(str(entry.get("value") or ""), env)
    return env


def expand(text: str, env: Mapping[str, str]) -> str:
    """Replaces `$(NAME)` with its value and `$$` with a dollar; an unknown name stays unchanged."""

    def one(match: re.Match[str]) -> str:
        name = match[1]
        return "$" if name is None else env.get(name, match[0])

    return _VARIABLE.sub(one, text)


def contents(kind: str, source: Json) -> dict[str, bytes]:
    """The keys and values of a ConfigMap or a Secret."""
    if kind == "ConfigMap":
        binary = {k: base64.b64decode(v) for k, v in (source.get("binaryData") or {}).items()}
        return {**{k: str(v).encode() for k, v in (source.get("data") or {}).items()}, **binary}
    return {k: base64.b64decode(v) for k, v in (source.get("data") or {}).items()}


def _all_of(entry: Json, given: Mapping[Source, Json]) -> dict[str, str]:
    kind = "ConfigMap" if entry.get("configMapRef") else "Secret"
    reference: Json = entry.get("configMapRef") or entry.get("secretRef") or {}
    source = given.get((kind, str(reference.get("name"))))
    if source is None:
        if reference.get("optional"):
            return {}
        raise MissingConfig(f'{kind.lower()} "{reference.get("name")}" not found: create it, or set `optional: true`')
    prefix = str(entry.get("prefix") or "")
    values = {prefix + k: v.decode("utf-8", "replace") for k, v in contents(kind, source).items()}
    return {k: v for k, v in values.items() if _NAME.fullmatch(k)}


def _value_from(
    pod: Json, container: Json, origin: Json, env: Mapping[str, str], host: Host, given: Mapping[Source, Json]
) -> str | None:
    for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        reference: Json | None = origin.get(field)
        if reference is None:
            continue
        name, key = str(reference.get("name")), str(reference.get("key"))
        source = given.get((kind, name))
        values = contents(kind, source) if source is not None else {}
        if key in values:
            return values[key].decode("utf-8", "replace")
        if reference.get("optional"):
            return None
        what = f'key "{key}" in {kind.lower()} "{name}"' if source is not None else f'{kind.lower()} "{name}"'
        raise MissingConfig(f"{what} not found: create it, or set `optional: true`")
    if origin.get("fieldRef"):
        return field_of(pod, str(origin["fieldRef"].get("fieldPath")), env, host)
    if origin.get("resourceFieldRef"):
        return _resource(container, pod, origin["resourceFieldRef"])
    return None


def field_of(pod: Json, path: str, env: Mapping[str, str], host: Host) -> str:
    """The value of a `fieldRef`. Raises MissingConfig if there is no such field."""
    meta: Json = pod["metadata"]
    spec: Json = pod.get("spec") or {}
    known = {
        "metadata.name": meta.get("name"),
        "metadata.namespace": meta.get("namespace"),
        "metadata.uid": meta.get("uid"),
        "spec.nodeName": spec.get("nodeName") or host.node,
        "spec.serviceAccountName": spec.get("serviceAccountName") or "default",
        "status.hostIP": host.ip,
        "status.hostIPs": host.ip,
        "status.podIP": env.get("POD_IP", ""),
        "status.podIPs": env.get("POD_IP", ""),
    }
    if path in known:
        return str(known[path])
    if match := _FIELD_KEY.fullmatch(path):
        return str((meta.get(match[1]) or {}).get(match[2], ""))
    if path in ("metadata.labels", "metadata.annotations"):
        entries: dict[str, Any] = meta.get(path.partition(".")[2]) or {}
        return "\n".join(f'{k}="{v}"' for k, v in sorted(entries.items()))
    raise MissingConfig(f"fieldRef {path!r} is not known: use one of {', '.join(known)}, metadata.labels['NAME']")


def _resource(container: Json, pod: Json, reference: Json) -> str:
    if name := reference.get("containerName"):
        container = next((c for c in pod["spec"].get("containers") or [] if c.get("name") == name), container)
    kind, _, what = str(reference.get("resource")).partition(".")
    resources: Json = container.get("resources") or {}
    text = (resources.get(kind) or {}).get(what)
    if text is None and kind == "requests":
        text = 0
    elif text is None:  # no limit: the whole machine
        text = os.cpu_count() or 1 if what == "cpu" else _memory() if what == "memory" else 0
    divisor = quantity.parse(reference.get("divisor") or 1) or 1
    return str(math.ceil(quantity.parse(text) / divisor))


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
