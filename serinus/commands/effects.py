"""Detects actions on a Rollout without an effect. The command line and the dashboard report them instead of success.

Source: canary strategy, section 6 ("User actions"), and the command line, section 1 (writes and effects of each
action).
"""

from __future__ import annotations

from typing import Any

from serinus.api.records import record

Json = dict[str, Any]

SKIPS = ("skip-current-step", "skip-all-steps")
"""The deprecated flags of promote, which end no pause."""

ACTIONS: tuple[str, ...] = ("promote", "promote-full", *SKIPS, "abort", "retry", "pause", "restart")


@record()
class NoEffect:
    """`why`: a clause with the Rollout as its subject, "it". `hint`: the action that would help; empty for none.

    `holds`: the requested state exists already, which is no failure.
    """

    why: str
    hint: str = ""
    holds: bool = False


UNSEEN = NoEffect("its newest spec was not observed by the controller yet", "Try again in a moment.")


def no_effect(action: str, rollout: Json) -> NoEffect | None:
    """Why one of ACTIONS would have no effect now; None if it has one."""
    spec, status = rollout.get("spec") or {}, rollout.get("status") or {}
    if action == "pause":
        return NoEffect("it is paused already", holds=True) if spec.get("paused") else None
    if action == "restart":
        return NoEffect("it has no pods: spec.replicas is 0", holds=True) if spec.get("replicas") == 0 else None
    if not status.get("currentPodHash"):
        return UNSEEN
    if action == "abort":
        return _abort(rollout, status)
    if action == "retry":
        return _retry(status)
    if spec.get("paused") and action not in SKIPS:
        return None  # it ends that pause in any case
    return _promote(action, rollout, status)


def _stable(rollout: Json, status: Json) -> NoEffect | None:
    """For actions that need a current update: why there is none."""
    if status.get("currentPodHash") != status.get("stableRS"):
        return None
    if _unseen(rollout, status):
        return UNSEEN
    return NoEffect("no update is under way: its current version is the stable one", holds=True)


def _unseen(rollout: Json, status: Json) -> bool:
    observed = str(status.get("observedGeneration") or "")
    return observed.isdigit() and int(observed) < int((rollout.get("metadata") or {}).get("generation") or 0)


def _abort(rollout: Json, status: Json) -> NoEffect | None:
    if status.get("abort"):
        return NoEffect("it is aborted already", holds=True)
    stable = _stable(rollout, status)
    if stable is None or stable is UNSEEN:
        return stable
    return NoEffect(stable.why, "To release an earlier version, use undo.")


def _retry(status: Json) -> NoEffect | None:
    if status.get("abort"):
        return None
    if status.get("phase") == "Degraded":
        return NoEffect("it is Degraded, but not aborted: the controller has not stopped trying", "See serinus why.")
    return NoEffect("it is not aborted", holds=True)


def _promote(action: str, rollout: Json, status: Json) -> NoEffect | None:
    if stable := _stable(rollout, status):
        return stable
    if status.get("promoteFull") and not status.get("abort"):
        return NoEffect("its full promotion is under way already", holds=True)
    if action == "promote-full":
        return None
    if status.get("abort"):
        return NoEffect("it is aborted", "Use retry rollout, or promote --full.")
    if status.get("pauseConditions") and action == "promote":
        return None
    strategy: Json = (rollout.get("spec") or {}).get("strategy") or {}
    full = "promote --full skips its pauses and analyses."
    if strategy.get("blueGreen") is not None:
        return NoEffect("it is in no pause that promote could end", full)
    steps = len((strategy.get("canary") or {}).get("steps") or [])
    if not steps:
        return NoEffect("it is in no pause, and has no steps", "See serinus why.")
    if int(status.get("currentStepIndex") or 0) >= steps:
        return NoEffect("all of its steps are done: it waits for the pods of the new version", "See serinus why.")
    return None
