"""A pod's volumes as directories: `$SERINUS_VOLUMES/<name>`.

Processes share this machine's files, so nothing can be mounted at its own path; a program finds its volumes through the
environment. ConfigMaps and Secrets are written once, at pod start; a hostPath is a link.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from serinus.api.meta import Json
from serinus.local.node.environment import Host, MissingConfig, Source, contents, field_of

VARIABLE = "SERINUS_VOLUMES"


def needed(pod: Json) -> set[Source]:
    """The ConfigMaps and Secrets in the volumes, optional ones included."""
    references: set[Source] = set()
    for volume in pod["spec"].get("volumes") or []:
        for origin in _origins(volume):
            for field, kind, name in (("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName")):
                if origin.get(field):
                    references.add((kind, str(origin[field].get(name) or origin[field].get("name"))))
    return references


def _origins(volume: Json) -> list[Json]:
    if volume.get("projected"):
        return [*(volume["projected"].get("sources") or [])]
    return [volume]


def make(pod: Json, directory: Path, host: Host, ip: str, given: Mapping[Source, Json]) -> list[str]:
    """Creates the volumes below `directory` and returns notes on unsupported kinds and mounts. Raises MissingConfig."""
    remarks: list[str] = []
    for volume in pod["spec"].get("volumes") or []:
        name = str(volume.get("name"))
        place = directory / name
        if "hostPath" in volume:
            if not place.is_symlink():
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(str(volume["hostPath"].get("path")))
            continue
        place.mkdir(parents=True, exist_ok=True)
        for origin in _origins(volume):
            _fill(place, origin, pod, host, ip, given)
        kind = next((k for k in volume if k != "name"), "emptyDir")
        if kind not in ("emptyDir", "configMap", "secret", "projected", "downwardAPI", "ephemeral"):
            remarks.append(f"volume {name!r} of kind {kind} is not offered on this machine: it is an empty directory")
    for container in pod["spec"].get("containers") or []:
        for mount in container.get("volumeMounts") or []:
            if "serviceaccount" in str(mount.get("mountPath")):
                continue
            remarks.append(
                f"container {container.get('name')!r} is a process and has no {mount.get('mountPath')} of its own: "
                f"volume {mount.get('name')!r} is in ${VARIABLE}/{mount.get('name')}"
            )
    return remarks


def _fill(place: Path, origin: Json, pod: Json, host: Host, ip: str, given: Mapping[Source, Json]) -> None:
    for field, kind, key in (("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName")):
        reference: Json | None = origin.get(field)
        if not reference:
            continue
        name = str(reference.get(key) or reference.get("name"))
        source = given.get((kind, name))
        if source is None:
            if reference.get("optional"):
                continue
            raise MissingConfig(f'{kind.lower()} "{name}" not found: create it, or set `optional: true`')
        values = contents(kind, source)
        items = reference.get("items")
        chosen = [(str(i.get("key")), str(i.get("path"))) for i in items] if items else [(k, k) for k in values]
        for entry, path in chosen:
            if entry not in values:
                raise MissingConfig(f'key "{entry}" in {kind.lower()} "{name}" not found: add it')
            _write(place, path, values[entry], 0o600 if kind == "Secret" else 0o644)
    for item in (origin.get("downwardAPI") or {}).get("items") or []:
        if item.get("fieldRef"):
            value = field_of(pod, str(item["fieldRef"].get("fieldPath")), {"POD_IP": ip}, host)
            _write(place, str(item.get("path")), value.encode(), 0o644)


def _write(place: Path, path: str, content: bytes, mode: int) -> None:
    target = (place / path).resolve()
    if not target.is_relative_to(place.resolve()):
        raise MissingConfig(f"volume path {path!r} leaves its volume: write a path below it")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.touch(mode)
    target.chmod(mode)
    target.write_bytes(content)
