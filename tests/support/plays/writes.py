"""The number of writes that a play cost the controller, by one rule for its trace and the reference's.

A line of a trace is one version of an object. Counted are the lines of the controller's changes:

- each routine Event: kept ones, commands among them, are written whatever they cost (`serinus/api/messages/event_reasons.py`);
- each line of a Rollout, a Service or a router's object after its first, and the first of an Ingress that the controller makes;
- each line of an AnalysisRun or an Experiment, its end too, except the one for the user's creation;
- each line of a ReplicaSet of the Rollout's or an Experiment's in which more than its status changes, and its end;
- a Deployment's size after its first line;
- each pod that goes beyond those by which its ReplicaSet shrank: it was evicted.

Writes of others are not counted: other pods, the status of ReplicaSets and Deployments, other ReplicaSets. A user
command's change of a status is counted on both sides. `flipped: n` stands for n lines.

So it is the minimum: a write that changes nothing in the trace has no line. Of our own controller
the requests are known as well (`Played.writes`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from serinus.api.messages.event_reasons import never_dropped
from serinus.api.served_kind import kind_name
from serinus.routing.registry import kinds

Json = dict[str, Any]

BY_OTHERS = {"ReplicaSet": "status.", "Deployment": "available"}
"""kind -> how the fields that other controllers write begin."""
OF_ROUTERS = tuple(kind_name(key) for key in kinds())
COUNTED = ("Rollout", "ReplicaSet", "Service", "Ingress", "Deployment", "AnalysisRun", "Experiment", *OF_ROUTERS)
MADE = ("ReplicaSet", "AnalysisRun", "Experiment")
"""Kinds that the controller makes, too."""
CANARY_INGRESS = "Ingress/web-web-canary"
"""The one that the controller makes, in all plays."""
NO_FIELDS = ("t", "object", "flipped")


def least_written(trace: Sequence[Json]) -> Counter[str]:
    """Kind (`Event` among them) -> writes."""
    counts: Counter[str] = Counter()
    known: set[str] = set()
    foreign = {line["object"] for line in trace if line.get("owner") not in (None, "Rollout", "Experiment")}
    applied = {
        name for line in trace for name in str(line.get("do")).split() if line.get("do", "").startswith("apply ")
    }
    for line in trace:
        name = str(line.get("object", ""))
        kind = name.partition("/")[0]
        if "event" in line:
            kind, _, reason = str(line["event"]).partition(" ")
            counts["Event"] += not never_dropped(reason, kind)
        elif kind in COUNTED and name not in foreign:
            made = name not in known
            known.add(name)
            told = any(field.startswith("status.") for field in line)
            by_user = made and name != CANARY_INGRESS and (kind not in MADE or (name in applied and not told))
            if not by_user and not _by_others(kind, line):
                counts[kind] += int(line.get("flipped", 1))
    counts["Pod"] = evicted(trace, foreign)
    return counts


def _by_others(kind: str, line: Json) -> bool:
    begin = BY_OTHERS.get(kind)
    return begin is not None and all(field.startswith(begin) for field in line if field not in NO_FIELDS)


def evicted(trace: Iterable[Json], foreign: set[str]) -> int:
    """Pods that went although their ReplicaSet did not shrink by them, nor end."""
    shrunk: Counter[str] = Counter()
    gone: Counter[str] = Counter()
    size: dict[str, int] = {}
    ended: set[str] = set()
    for line in trace:
        kind, _, name = str(line.get("object", "")).partition("/")
        if kind == "ReplicaSet":
            if line.get("deleted"):
                ended.add(name)
            if (now := line.get("replicas")) is not None:
                shrunk[name] += max(0, size.get(name, 0) - now)
                size[name] = now
        elif kind == "Pod" and line.get("deleting"):
            gone[name.rpartition("-")[0]] += 1
    left_out = ended | {name.partition("/")[2] for name in foreign}
    return sum(max(0, gone[name] - shrunk[name]) for name in gone if name not in left_out)
