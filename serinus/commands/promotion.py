"""The patches of a promotion. Source: the command line, section 1 ("promote"): the first matching row of the table."""

from __future__ import annotations

from serinus.commands.decision import Json, Patches, Refusal

SKIP_BOTH = "Cannot use skip-current-step and skip-all-steps flags at the same time"
SKIP_BLUE_GREEN = "Cannot skip steps of a bluegreen rollout. Run without a flags"
SKIP_NOTHING = "Cannot skip steps of a rollout without steps"


def promotion_action(*, full: bool = False, skip_current: bool = False, skip_all: bool = False) -> str:
    """The action that the flags of `promote` request. Refusal for flags that exclude each other."""
    if skip_current and skip_all:
        raise Refusal(SKIP_BOTH)
    if skip_current:
        return "skip-current-step"
    if skip_all:
        return "skip-all-steps"
    return "promote-full" if full else "promote"


def promotion(action: str, rollout: Json) -> Patches:
    """The patches of an answer of `promotion_action`. Refusal if there are no steps to skip."""
    if action == "promote-full":
        return _full(rollout)
    if action == "promote":
        return _promote(rollout)
    if _strategy(rollout).get("blueGreen") is not None:
        raise Refusal(SKIP_BLUE_GREEN)
    steps = _steps(rollout)
    if not steps:
        raise Refusal(SKIP_NOTHING)
    return Patches(
        status={"status": {"currentStepIndex": steps if action == "skip-all-steps" else following_step(rollout)}}
    )


def following_step(rollout: Json) -> int:
    """Index of the step after the current one; the number of steps after the last."""
    return min(int((rollout.get("status") or {}).get("currentStepIndex") or 0) + 1, _steps(rollout))


def _full(rollout: Json) -> Patches:
    status = rollout.get("status") or {}
    differs = status.get("currentPodHash") != status.get("stableRS")
    return Patches({"status": {"promoteFull": True}} if differs else None, _unpause(rollout))


def _promote(rollout: Json) -> Patches:
    status, steps = rollout.get("status") or {}, _steps(rollout)
    waits = bool(status.get("pauseConditions"))
    changed: Json | None = None
    if waits and steps and _inconclusive(status):
        changed = {"pauseConditions": None, "controllerPause": False, "currentStepIndex": following_step(rollout)}
    elif waits:
        changed = {"pauseConditions": None}
    elif steps:
        changed = {"pauseConditions": None, "currentStepIndex": following_step(rollout)}
    return Patches(None if changed is None else {"status": changed}, _unpause(rollout))


def _inconclusive(status: Json) -> bool:
    """Whether it waits for a decision after an inconclusive analysis."""
    run: Json = (status.get("canary") or {}).get("currentStepAnalysisRunStatus") or {}
    return run.get("status") == "Inconclusive" and bool(status.get("controllerPause"))


def _unpause(rollout: Json) -> Json | None:
    return {"spec": {"paused": False}} if (rollout.get("spec") or {}).get("paused") else None


def _strategy(rollout: Json) -> Json:
    return (rollout.get("spec") or {}).get("strategy") or {}


def _steps(rollout: Json) -> int:
    """The number of canary steps."""
    return len((_strategy(rollout).get("canary") or {}).get("steps") or [])
