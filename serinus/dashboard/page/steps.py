"""The steps of a canary, or the phases of a blue-green update, with their states. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from serinus.engine.core.step_kinds import step_words
from serinus.view.blue_green_phases import phases
from serinus.view.event_history import EventEntry, completed_steps
from serinus.view.rollout_info import RolloutInfo, Surroundings
from serinus.view.step_states import step_states

Json = dict[str, Any]


def steps(
    rollout: Json, info: RolloutInfo, around: Surroundings, events: Sequence[EventEntry], until: float | None
) -> Json:
    """`{"title", "items", "note"}`. `events`: of the current revision, newest first. `until`: the end of the pause."""
    if info.strategy == "BlueGreen":
        return _phases(rollout, info, events, until)
    spec_steps: list[Json] = (((rollout["spec"].get("strategy") or {}).get("canary") or {}).get("steps")) or []
    states, note = step_states(rollout, around.analysis_runs, completed_steps(events))
    items = [
        {
            "title": _capital(step_words(step)),
            "state": state,
            "until": until if state == "current" and step.get("pause") is not None else None,
            "detail": step,
        }
        for step, state in zip(spec_steps, states, strict=True)
    ]
    return {"title": "Steps", "items": items, "note": note}


def _phases(rollout: Json, info: RolloutInfo, events: Sequence[EventEntry], until: float | None) -> Json:
    new = next((rs for rs in info.replica_sets if rs.preview), None)
    rows, note = phases(
        rollout,
        ready=new is not None and new.available >= new.desired > 0,
        old_pods=any(rs.replicas for rs in info.replica_sets if not (rs.active or rs.preview or rs.stable)),
        paused=any("BlueGreenPause" in event.message for event in events if event.reason == "RolloutPaused"),
    )
    items = [{**one, "until": until if one["state"] == "current" else None, "detail": None} for one in rows]
    return {"title": "Phases", "items": items, "note": note}


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
