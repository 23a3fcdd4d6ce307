"""Whether the controllers of a router's objects report that the present objects are in force, and why not.

A report is a status condition with the generation of the object that it is about. Source: Kubernetes API conventions,
typical status properties.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from serinus.routing.router import Write

Json = dict[str, Any]


def confirmed(reports: Iterable[str | None], writes: Sequence[Write]) -> tuple[bool | None, str]:
    """(`RouteResult.verified`, `RouteResult.unverified`).

    `reports`: for each object why it is not in force, "" if it is, None without a report. `writes`: of this pass to
    these objects. Reports are about the objects before them.
    """
    told = [why for why in reports if why is not None]
    if not told:
        return None, ""
    if writes:
        return False, f"{writes[0].kind.partition('.')[0]} {writes[0].name} is being written"
    why = next(filter(None, told), "")
    return not why, why


def is_behind(observed: Any, generation: Any) -> bool:
    """Whether a report is about an earlier generation. A report without a generation counts as current.

    Istio writes the number as a string, because its type is int64 in protobuf.
    """
    reported, now = _number(observed), _number(generation)
    return reported is not None and now is not None and reported < now


def is_late(kind: str, name: str, reporter: str, observed: Any, generation: Any) -> str:
    """The reason to wait for a report that is behind."""
    return f"{kind} {name}: {reporter} has reported on generation {_number(observed)}, and not on {_number(generation)} yet"


def is_refused(kind: str, name: str, reporter: str, condition: Json) -> str:
    """The reason to wait for a condition that is not True, with the reporter's own words."""
    details = ": ".join(str(part) for field in ("reason", "message") if (part := condition.get(field)))
    words = f" ({details})" if details else ""
    return f"{kind} {name}: {reporter} reports {condition.get('type')} {condition.get('status')}{words}"


def _number(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.isdecimal() and len(value) < 20:
        return int(value)
    return value if isinstance(value, int) else None
