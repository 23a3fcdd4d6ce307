"""Requests that show whether an Ingress controller and a Gateway route equally, and a comparison of the answers. Pure.

Each match of an HTTPRoute gives requests on both sides of its border: the path, below it, and beside it. Answers vary
between requests, because a canary divides them and because applications vary. Each request is therefore repeated. A
difference is an answer that one side gives repeatedly and the other side never.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

Json = dict[str, Any]
SOME_HOST = "serinus-check"
"""Replaces the `*` of a wildcard host."""
BELOW, BESIDE = "/serinus-check", "serinus-check"
"""Suffixes for a path: below it, and another path with the same prefix."""
REPEATED = 3
"""Minimum equal answers that count. A status of one request in twenty on both sides then rarely differs."""
MOST_CONTENTS = 5
"""Maximum different contents of one side. With more, the application varies, and only statuses are compared."""


class Probe(NamedTuple):
    """A GET request. `host` is empty for a route of all hosts."""

    host: str
    path: str
    header: tuple[str, str] | None = None

    def __str__(self) -> str:
        header = " with {}: {}".format(*self.header) if self.header else ""
        return f"GET {self.path} of {self.host or 'any host'}{header}"


class ProbeAnswer(NamedTuple):
    """`content` identifies the body of an answer. `error`: the reason for no answer."""

    status: int = 0
    location: str = ""
    content: str = ""
    error: str = ""

    def __str__(self) -> str:
        return self.error or (f"{self.status} to {self.location}" if self.location else str(self.status))


def probes(routes: Sequence[Json]) -> tuple[Probe, ...]:
    """The probes of HTTPRoutes, without duplicates, in order."""
    return tuple(dict.fromkeys(each for route in routes for each in _of_route(route)))


def _of_route(route: Json) -> Iterator[Probe]:
    hosts = route["spec"].get("hostnames") or [""]
    for host in (each.replace("*", SOME_HOST) for each in hosts):
        for rule in route["spec"]["rules"]:
            for match in rule["matches"]:
                headers = [(each["name"], each["value"]) for each in match.get("headers") or []]
                for path in _paths(match["path"]):
                    yield Probe(host, path, headers[0] if headers else None)


def _paths(match: Json) -> Iterator[str]:
    value = str(match["value"])
    yield value
    if match["type"] == "Exact" or value == "/":
        yield value.rstrip("/") + BELOW
        return
    yield value.rstrip("/") + BELOW
    yield value.rstrip("/") + BESIDE


def difference(probe: Probe, before: Sequence[ProbeAnswer], after: Sequence[ProbeAnswer]) -> str:
    """A sentence about the difference; "" if none. `before`: of the Ingress controller, `after`: of the Gateway."""
    statuses = [Counter(str(each) for each in side) for side in (before, after)]
    if odd := _one_sided(*statuses):
        return f"{probe}: {odd}"
    contents = [Counter(each.content for each in side if not each.error) for side in (before, after)]
    if all(len(each) <= MOST_CONTENTS for each in contents) and (odd := _one_sided(*contents)):
        return f"{probe}: answers with other contents: {odd}"
    return ""


def _one_sided(before: Counter[str], after: Counter[str]) -> str:
    """The first answer that only one side gives, often enough to count."""
    named = (("the Ingress controller", before, after), ("the Gateway", after, before))
    for side, mine, theirs in named:
        for kind, count in mine.most_common():
            if count >= min(REPEATED, mine.total()) and not theirs[kind]:
                other = named[1][0] if side == named[0][0] else named[0][0]
                return f"{side} gives {kind} {count} times of {mine.total()}, {other} never ({_listed(theirs)})"
    return ""


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{kind} {count} times" for kind, count in counts.most_common(3)) or "no answer"
