"""The differences between two pod templates, field by field. Pure.

Values of environment variables, arguments and annotations are left out, because they may be secrets: a user who sees the
page may have no right to read ReplicaSets.
"""

from __future__ import annotations

from typing import Any

from serinus.api.records import record

Json = dict[str, Any]

CHANGES = 40
"""Changes that are listed. More appear as a number."""

LONGEST = 200
"""Characters of a value that are shown."""

_HASH = "rollouts-pod-template-hash"
_HIDDEN = ("env", "args", "command", "annotations")


@record(frozen=True)
class FieldChange:
    """`field`: such as `containers[web].image`. `before`, `after`: "" where the field is absent, or hidden."""

    field: str
    before: str
    after: str
    hidden: bool = False


def template_changes(before: Json, after: Json) -> list[FieldChange]:
    """The changed fields in alphabetical order. Lists of objects with names are compared by name."""
    old, new = _fields(before), _fields(after)
    changes: list[FieldChange] = []
    for path in sorted(old.keys() | new.keys()):
        if old.get(path) == new.get(path):
            continue
        words = [word.split("[")[0] for word in path]
        hidden = any(word in _HIDDEN for word in words[:-1]) or words[-1] in _HIDDEN
        values = ("", "") if hidden else (_short(old.get(path)), _short(new.get(path)))
        changes.append(FieldChange(".".join(path[1:] if path[0] == "spec" else path), *values, hidden))
    return changes


def _fields(template: Json) -> dict[tuple[str, ...], Any]:
    """Path -> value of each leaf."""
    leaves: dict[tuple[str, ...], Any] = {}

    def walk(value: Any, path: tuple[str, ...]) -> None:
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                if key != _HASH:
                    walk(inner, (*path, str(key)))
        elif isinstance(value, list) and value and all(isinstance(one, dict) and one.get("name") for one in value):
            for one in value:
                walk({k: v for k, v in one.items() if k != "name"}, (*path[:-1], f"{path[-1]}[{one['name']}]"))
        elif path:
            leaves[path] = value

    walk({key: template.get(key) or {} for key in ("metadata", "spec")}, ())
    return leaves


def _short(value: Any) -> str:
    text = "" if value is None else value if isinstance(value, str) else str(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
