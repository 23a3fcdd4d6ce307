"""URL paths of resources: `/apis/{group}/{version}/namespaces/{namespace}/{plural}/{name}/{subresource}`."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from serinus.local.apiserver.errors import bad_request, no_such_path


@dataclass(frozen=True, slots=True)
class ResourcePath:
    """`name` and `subresource` are "" if the path has none; `rest` follows the subresource."""

    group: str
    version: str
    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    rest: tuple[str, ...] = ()


def segments(path: str) -> tuple[str, ...]:
    """The decoded segments of a raw path. Raises 400 for segments that only an attack contains."""
    path = path.removeprefix("/").removesuffix("/")
    parts = path.split("/") if path else []
    decoded = tuple(unquote(part) if "%" in part else part for part in parts)
    for part in decoded:
        if part in (".", ".."):
            raise bad_request(f"invalid resource name {part!r}: [may not be '{part}']")
        if "/" in part or "\\" in part or "%" in part or any(ord(c) < 32 for c in part):
            raise bad_request(f"invalid resource name {part!r}: [may not contain '/', '%' or control characters]")
        if not part:
            raise no_such_path()
    return decoded


def resource_path(parts: tuple[str, ...]) -> ResourcePath | None:
    """The resource that a path below /api or /apis names; None for discovery and all other paths."""
    if parts[:1] == ("api",) and len(parts) >= 3:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[:1] == ("apis",) and len(parts) >= 4:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = ""
    # `namespaces/{name}` and its own subresources name the Namespace itself.
    own = len(rest) >= 3 and group == "" and rest[2] in ("status", "finalize") and len(rest) == 3
    if rest[0] == "namespaces" and len(rest) >= 3 and not own:
        namespace, rest = rest[1], rest[2:]
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    return ResourcePath(group, version, rest[0], namespace, name, subresource, rest[3:])
