"""Fields of a pod that ask for a separation which local processes do not have. Pure.

They are accepted, since the manifests of a cluster must work as they are; but nobody shall believe that they protect
something, so each answer with such a pod has a warning that names them.
"""

from __future__ import annotations

from collections.abc import Iterator

from serinus.api.meta import Json

_POD = ("hostNetwork", "hostPID", "hostIPC", "hostUsers", "hostAliases", "dnsConfig", "shareProcessNamespace", "os")
_FIELDS = {"initContainers": "initContainers", "containers": "containers"}
_WHY = "containers are local processes with all rights of the user that runs Serinus"


def warning(spec: Json, path: str) -> str:
    """One warning with every such field of a pod's spec, which stands at `path`; "" where there is none."""
    found = list(_fields(spec, path))
    if not found:
        return ""
    return f"{', '.join(found)}: no effect here, {_WHY}"


def _fields(spec: Json, path: str) -> Iterator[str]:
    yield from (f"{path}.{field}" for field in _POD if spec.get(field) not in (None, False, [], {}))
    yield from _context(spec.get("securityContext"), f"{path}.securityContext")
    for volume in _rows(spec.get("volumes")):
        if volume.get("hostPath"):
            yield f"{path}.volumes[{volume.get('name')}].hostPath"
    for field in _FIELDS:
        for container in _rows(spec.get(field)):
            place = f"{path}.{field}[{container.get('name')}]"
            yield from _context(container.get("securityContext"), f"{place}.securityContext")
            resources = container.get("resources")
            limits = resources.get("limits") if isinstance(resources, dict) else None
            if isinstance(limits, dict):
                yield from (f"{place}.resources.limits.{name}" for name in sorted(limits) if name != "memory")


def _context(context: object, path: str) -> Iterator[str]:
    if isinstance(context, dict):
        yield from (f"{path}.{name}" for name, value in context.items() if value not in (None, False, [], {}))
        # Only what would restrict something is false by wish.
        if context.get("allowPrivilegeEscalation") is False:
            yield f"{path}.allowPrivilegeEscalation"


def _rows(value: object) -> list[Json]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
