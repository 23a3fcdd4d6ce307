"""Pod fields that request isolation, which local processes do not have. Pure.

They are accepted, because a cluster's manifests must work unchanged. But they have no effect, so the response to the
creation of such a pod, or of its owner, has a warning that names them.
"""

from __future__ import annotations

from collections.abc import Iterator

from serinus.api.meta import Json

_POD = ("hostNetwork", "hostPID", "hostIPC")
_CONTEXT = (
    *("runAsUser", "runAsGroup", "runAsNonRoot", "supplementalGroups", "fsGroup", "privileged", "capabilities"),
    *("allowPrivilegeEscalation", "readOnlyRootFilesystem", "seccompProfile", "appArmorProfile", "seLinuxOptions"),
    *("procMount", "sysctls"),
)
_RESTRICTS_WHERE_FALSE = "allowPrivilegeEscalation"
_WHY = "local processes have all rights of the user that runs Serinus, and --runtime docker or podman does not pass them on"


def warning(obj: Json) -> str:
    """One warning with each such field of a pod, or of the pod template in `spec.template`; "" if there is none."""
    spec = _object(obj.get("spec"))
    fields = list(_fields(_object(_object(spec.get("template")).get("spec")), "spec.template.spec"))
    if obj.get("kind") == "Pod":
        fields = list(_fields(spec, "spec"))
    return f"{', '.join(fields)}: no effect here: {_WHY}" if fields else ""


def _fields(spec: Json, path: str) -> Iterator[str]:
    yield from (f"{path}.{field}" for field in _POD if spec.get(field))
    yield from _context(spec, path)
    for field in ("initContainers", "containers"):
        rows = spec.get(field)
        for container in rows if isinstance(rows, list) else []:
            yield from _context(_object(container), f"{path}.{field}[{_object(container).get('name')}]")


def _context(holder: Json, path: str) -> Iterator[str]:
    context = _object(holder.get("securityContext"))
    for name in _CONTEXT:
        value = context.get(name)
        # 0 is a user id; `false` requests nothing unless it restricts the pod.
        asked = value is False if name == _RESTRICTS_WHERE_FALSE else value not in (None, [], {}) and value is not False
        if asked:
            yield f"{path}.securityContext.{name}"


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}
