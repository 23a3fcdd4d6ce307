"""One line of the list: a Rollout's summary as small JSON.

Times are seconds since the epoch; the page runs the countdown.
"""

from __future__ import annotations

from typing import Any

import msgspec

from serinus.api.decoding.reading import converted
from serinus.api.pods.status import Json
from serinus.api.rollout import Rollout
from serinus.api.values.times import parse_time
from serinus.commands.effects import no_effect
from serinus.engine.core import wait_reasons
from serinus.engine.status.status_reason import reason_from_status
from serinus.view.rollout_info import REVISION, ReplicaSetInfo, RolloutInfo
from serinus.view.status_icons import icon

PODS = 12
"""Pods of a ReplicaSet that a card draws individually; more appear as a number."""

_PERSON = frozenset({wait_reasons.PAUSE_STEP.code, wait_reasons.PAUSED.code, wait_reasons.INCONCLUSIVE.code})
"""Reasons that only a person ends."""

AT_REST = 3
"""The urgency of a Rollout that needs nothing: neither a person (0 and 1) nor time (2)."""

OFFERS = ("promote", "abort", "retry", "restart")
"""Actions of the list, in display order. A line names those that would have an effect."""


def row(info: RolloutInfo, rollout: Json) -> Json:
    meta = info.metadata
    typed = read(rollout)
    held = reason_from_status(typed.spec, typed.status) if typed else None
    person = held is not None and held.reason in _PERSON and info.status == "Paused"
    return {
        "ns": str(meta.get("namespace") or ""),
        "name": str(meta.get("name") or ""),
        "status": info.status,
        "icon": icon("Rollout", info.status),
        "message": info.message,
        "person": person,
        "urgency": _urgency(info.status, person=person),
        "since": _since(rollout, held.since if held else None),
        "by": str((rollout.get("writer") or {}).get("manager") or ""),
        "revision": _revision(meta),
        "code": held.reason if held else "",
        "why": held.message if held else "",
        "until": held.until if held else None,
        "strategy": info.strategy,
        "step": info.step,
        "weight": number(info.set_weight),
        "actual": number(info.actual_weight),
        "desired": info.desired,
        "ready": info.ready,
        "available": info.available,
        "created": parse_time(str(meta.get("creationTimestamp") or "")),
        "labels": meta.get("labels") or {},
        "offers": [action for action in OFFERS if no_effect(action, rollout) is None],
        "sets": [_set(rs) for rs in newest_first(info.replica_sets) if rs.desired or rs.replicas],
    }


def unreadable(ns: str, name: str, error: str) -> Json:
    """The line of an unreadable Rollout: it appears with the reason and does not hide other Rollouts."""
    return {
        "ns": ns,
        "name": name,
        "status": "Unknown",
        "icon": "?",
        "message": f"its fields cannot be read: {error}",
        "person": False,
        "urgency": 0,
        "since": None,
        "by": "",
        "revision": 0,
        "code": "",
        "why": "",
        "until": None,
        "strategy": "unknown",
        "step": "",
        "weight": None,
        "actual": None,
        "desired": 0,
        "ready": 0,
        "available": 0,
        "created": None,
        "labels": {},
        "offers": [],
        "sets": [],
    }


def _urgency(status: str, *, person: bool) -> int:
    """How soon a user has to look: 0 failed, 1 waits for approval, 2 under way, 3 nothing to do."""
    if status in ("Degraded", "Unknown"):
        return 0
    return 1 if person else 2 if status == "Progressing" else AT_REST


def _since(rollout: Json, waiting: float | None) -> float | None:
    """Since when it has its state: the start of its pause or abort, or the last change of the condition Progressing."""
    if waiting is not None:
        return waiting
    conditions: list[Json] = (rollout.get("status") or {}).get("conditions") or []
    known = next((c for c in conditions if c.get("type") == "Progressing"), {})
    found = parse_time(str(known.get("lastUpdateTime") or known.get("lastTransitionTime") or ""))
    return found or parse_time(str(rollout["metadata"].get("creationTimestamp") or ""))


def _revision(meta: Json) -> int:
    noted = str((meta.get("annotations") or {}).get(REVISION) or "")
    return int(noted) if noted.isdigit() else 0


def read(rollout: Json) -> Rollout | None:
    """The typed Rollout; None if a field has an invalid value."""
    try:
        return converted(rollout, Rollout)
    except msgspec.ValidationError:
        return None


def newest_first(sets: list[ReplicaSetInfo]) -> list[ReplicaSetInfo]:
    return sorted(sets, key=lambda rs: (-rs.revision, str(rs.metadata.get("name"))))


def number(text: str) -> int | None:
    return int(text) if text else None


def _set(rs: ReplicaSetInfo) -> Json:
    pods = sorted(rs.pods, key=lambda pod: str(pod.metadata.get("name")))
    return {
        "revision": rs.revision,
        "roles": rs.roles,
        "available": rs.available,
        "replicas": rs.replicas,
        "images": rs.images,
        "pods": [[icon("Pod", pod.status), pod.status, str(pod.metadata.get("name"))] for pod in pods[:PODS]],
        "more": max(0, len(pods) - PODS),
    }


Row = dict[str, Any]
