"""The phases of a blue-green update, in the place of canary steps. Pure."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_BAD = ("Failed", "Error", "Inconclusive")
_DELAY = 30
"""Seconds; the default of scaleDownDelaySeconds."""


def phases(rollout: Json, *, ready: bool, old_pods: bool, paused: bool) -> tuple[list[Json], str]:
    """Each phase as `{"title", "state"}`, with the state of a step, and a note about an unknown phase, or "".

    `ready`: whether the new version has all of its pods. `old_pods`: whether a replaced version still has some.
    `paused`: whether this update reached its pause, by its Events.
    """
    spec: Json = (rollout["spec"].get("strategy") or {}).get("blueGreen") or {}
    status: Json = rollout.get("status") or {}
    ids, aborted = _ids(spec), bool(status.get("abort"))
    at = _aborted_at(ids, status, paused=paused) if aborted else _at(ids, status, ready=ready, old_pods=old_pods)
    state = "aborted" if aborted else "current"
    rows = [
        {"title": _title(name, spec), "state": "done" if i < at else state if i == at else "todo"}
        for i, name in enumerate(ids)
    ]
    return rows, "The phase of the abort is not known." if at < 0 else ""


def _ids(spec: Json) -> list[str]:
    pause = spec.get("autoPromotionEnabled") is False or int(spec.get("autoPromotionSeconds") or 0) > 0
    optional = {"before": spec.get("prePromotionAnalysis"), "pause": pause, "after": spec.get("postPromotionAnalysis")}
    return [
        name for name in ("pods", "before", "pause", "switch", "after", "old") if name not in optional or optional[name]
    ]


def _aborted_at(ids: list[str], status: Json, *, paused: bool) -> int:
    """The index of the phase of the abort; -1 if neither the status nor the Events show it."""
    before, after = _analyses(status)
    if after:
        return _place(ids, "after")
    if before in _BAD:
        return _place(ids, "before")
    return ids.index("pause") if paused and "pause" in ids else -1


def _at(ids: list[str], status: Json, *, ready: bool, old_pods: bool) -> int:
    """The index of the current phase; the number of phases when all are done."""
    current = status.get("currentPodHash")
    if current and current == status.get("stableRS"):
        return _place(ids, "old") if old_pods else len(ids)
    if current and current == (status.get("blueGreen") or {}).get("activeSelector"):
        return ids.index("after") if "after" in ids else _place(ids, "old")
    if not ready:
        return _place(ids, "pods")
    if "before" in ids and _analyses(status)[0] != "Successful":
        return _place(ids, "before")
    return _place(ids, "pause" if status.get("pauseConditions") else "switch")


def _analyses(status: Json) -> tuple[str, str]:
    """The phases of the analyses before and after the switch; "" for none."""
    switch: Json = status.get("blueGreen") or {}
    before, after = (switch.get(f"{when}PromotionAnalysisRunStatus") or {} for when in ("pre", "post"))
    return str(before.get("status") or ""), str(after.get("status") or "")


def _place(ids: list[str], name: str) -> int:
    return ids.index(name) if name in ids else ids.index("switch")


def _title(name: str, spec: Json) -> str:
    seconds = spec.get("scaleDownDelaySeconds")
    by_hand = spec.get("autoPromotionEnabled") is False
    return {
        "pods": "Start the new version beside the active one",
        "before": "Analysis before the switch",
        "pause": "Pause until promoted" if by_hand else f"Pause for {spec.get('autoPromotionSeconds')}s",
        "switch": "Switch the active Service",
        "after": "Analysis after the switch",
        "old": f"Scale down the old version after {_DELAY if seconds is None else seconds}s",
    }[name]
