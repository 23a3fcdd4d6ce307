"""Label selectors: as text (`app=web,tier in (a, b),!old`) and as the struct of the API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from serinus.api.meta import LabelSelector

_TOKEN = re.compile(
    r"\s*(?:(?P<set>[A-Za-z0-9_./-]+)\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)|(?P<not>!)\s*(?P<gone>[A-Za-z0-9_./-]+)"
    r"|(?P<key>[A-Za-z0-9_./-]+)\s*(?:(?P<eq>==|=|!=)\s*(?P<value>[A-Za-z0-9_.-]*)|(?P<cmp>[<>])\s*(?P<number>-?\d+))?)\s*(?:,|$)"
)


@dataclass(frozen=True, slots=True)
class Requirement:
    """`operator` is In, NotIn, Exists, DoesNotExist, Gt or Lt."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def holds(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case "In":
                return value is not None and value in self.values
            case "NotIn":
                return value is None or value not in self.values
            case "Exists":
                return value is not None
            case "DoesNotExist":
                return value is None
            case _:
                if value is None or not re.fullmatch(r"-?\d+", value):
                    return False
                return int(value) > int(self.values[0]) if self.operator == "Gt" else int(value) < int(self.values[0])

    def text(self) -> str:
        match self.operator:
            case "In" if len(self.values) == 1:
                return f"{self.key}={self.values[0]}"
            case "In" | "NotIn":
                return f"{self.key} {self.operator.lower()} ({','.join(sorted(self.values))})"
            case "Exists":
                return self.key
            case "DoesNotExist":
                return f"!{self.key}"
            case _:
                return f"{self.key}{'>' if self.operator == 'Gt' else '<'}{self.values[0]}"


@dataclass(frozen=True, slots=True)
class Selector:
    """All requirements must hold; without any, everything matches."""

    requirements: tuple[Requirement, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Selector:
        """Of a query parameter or a flag. Raises ValueError, saying where the text stops making sense."""
        found: list[Requirement] = []
        at, text = 0, text.strip()
        while at < len(text):
            m = _TOKEN.match(text, at)
            if m is None or m.end() == at:
                raise ValueError(
                    f"unable to parse requirement: found '{text[at : at + 20]}', expected key, key=value, key in (a,b) or !key"
                )
            found.append(_requirement(m))
            at = m.end()
        return cls(tuple(found))

    @classmethod
    def of(cls, selector: LabelSelector | Mapping[str, Any] | None) -> Selector:
        """Of a LabelSelector, typed or as JSON. Raises ValueError for an unknown operator."""
        if selector is None:
            return cls()
        s = selector if isinstance(selector, LabelSelector) else msgspec.convert(selector, LabelSelector)
        found = [Requirement(k, "In", (v,)) for k, v in sorted(s.match_labels.items())]
        for e in s.match_expressions:
            if e.operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
                raise ValueError(f'"{e.operator}" is not a valid label selector operator')
            found.append(Requirement(e.key, e.operator, tuple(e.values)))
        return cls(tuple(found))

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(r.holds(labels) for r in self.requirements)

    def text(self) -> str:
        """As the API writes it: `a=b,c in (d,e)`, by key."""
        return ",".join(r.text() for r in sorted(self.requirements, key=lambda r: r.key))

    @property
    def empty(self) -> bool:
        return not self.requirements


def _requirement(m: re.Match[str]) -> Requirement:
    if m["set"]:
        return Requirement(
            m["set"], "In" if m["op"] == "in" else "NotIn", tuple(v.strip() for v in m["values"].split(","))
        )
    if m["not"]:
        return Requirement(m["gone"], "DoesNotExist")
    if m["cmp"]:
        return Requirement(m["key"], "Gt" if m["cmp"] == ">" else "Lt", (m["number"],))
    if m["eq"] is None:
        return Requirement(m["key"], "Exists")
    return Requirement(m["key"], "NotIn" if m["eq"] == "!=" else "In", (m["value"],))
