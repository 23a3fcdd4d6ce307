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
from serinus.engine.status.status_reason import reason_from_status
from serinus.view.rollout_info import ReplicaSetInfo, RolloutInfo
from serinus.view.status_icons import icon

PODS = 12
"""Pods of a ReplicaSet that a card draws individually; more appear as a number."""


def row(info: RolloutInfo, rollout: Json) -> Json:
    meta = info.metadata
    typed = read(rollout)
    held = reason_from_status(typed.spec, typed.status) if typed else None
    return {
        "ns": str(meta.get("namespace") or ""),
        "name": str(meta.get("name") or ""),
        "status": info.status,
        "icon": icon("Rollout", info.status),
        "message": info.message,
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
        "sets": [],
    }


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
