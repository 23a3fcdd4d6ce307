"""Why a Rollout does not go on by itself just now, read from what its status says: a sentence, since when, until when,
what ends it, and what comes next. For people: the command line and the dashboard show it.

It knows no more than the API shows; no clock is read here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from serinus.api.durations import pause_seconds
from serinus.api.rollout_info import phase_and_message
from serinus.api.times import parse_time

Json = dict[str, Any]

PROGRESS_SECONDS = 600
"""spec.progressDeadlineSeconds where it is not given."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """`why` is empty when nothing is waited for. Times are seconds since the epoch; None where there is none."""

    why: str = ""
    since: float | None = None
    until: float | None = None
    ends: str = ""
    """What would end it."""
    next: str = ""
    """What happens then."""


def waiting(rollout: Json) -> Waiting:
    spec, status = _map(rollout, "spec"), _map(rollout, "status")
    phase, message = phase_and_message(rollout)
    if phase == "Healthy":
        return Waiting()
    if phase == "Degraded":
        return _degraded(status, message)
    following = next_step(rollout)
    if spec.get("paused"):
        return Waiting("it is paused by hand (spec.paused)", ends="promote", next=following)
    pauses: list[Json] = status.get("pauseConditions") or []
    if phase == "Paused" and pauses:
        return _pause(rollout, pauses[0], following)
    until = None
    since = _moved(status)
    if since is not None and message in (
        "more replicas need to be updated",
        "updated replicas are still becoming available",
    ):
        seconds = int(spec.get("progressDeadlineSeconds") or PROGRESS_SECONDS)
        until = since + seconds
        message += f": {int(status.get('availableReplicas') or 0)} of {_desired(spec)} are available"
        return Waiting(message, since, until, "its pods are ready; at the deadline it is Degraded", following)
    return Waiting(message, since, until, "", following)


def step_words(step: Json) -> str:
    """What a canary step does, as the end of a sentence: `set the weight to 20 %`."""
    if step.get("setWeight") is not None:
        return f"set the weight to {step['setWeight']} %"
    if step.get("pause") is not None:
        duration = _map(step, "pause").get("duration")
        return "pause until promoted" if duration is None else f"pause for {_length(duration)}"
    scale = step.get("setCanaryScale")
    if isinstance(scale, dict):
        if scale.get("matchTrafficWeight"):
            return "scale the canary with its weight"
        if scale.get("replicas") is not None:
            return f"scale the canary to {scale['replicas']} pods"
        return f"scale the canary to {scale.get('weight')} %"
    for field, words in (
        ("setHeaderRoute", "route by header"),
        ("setMirrorRoute", "mirror requests"),
        ("plugin", "run the plugin"),
    ):
        if step.get(field) is not None:
            return f"{words} {_map(step, field).get('name') or ''}".rstrip()
    if step.get("analysis") is not None:
        names = [str(t.get("templateName")) for t in _map(step, "analysis").get("templates") or []]
        return f"run the analysis {', '.join(names)}".rstrip()
    return "run an experiment" if step.get("experiment") is not None else "unknown step"


def next_step(rollout: Json) -> str:
    """What comes after the current step, in words; empty without steps or after the last."""
    steps: list[Json] = _map(_map(_map(rollout, "spec"), "strategy"), "canary").get("steps") or []
    status = _map(rollout, "status")
    index = int(status.get("currentStepIndex") or 0)
    if status.get("abort") or index >= len(steps):
        return ""
    return step_words(steps[index + 1]) if index + 1 < len(steps) else "all traffic to the new version"


def pause_end(rollout: Json) -> float | None:
    """When the pause that the Rollout is in ends by itself."""
    pauses: list[Json] = _map(rollout, "status").get("pauseConditions") or []
    return _pause(rollout, pauses[0], "").until if pauses else None


def _pause(rollout: Json, pause: Json, following: str) -> Waiting:
    reason, since = str(pause.get("reason") or ""), parse_time(str(pause.get("startTime") or ""))
    strategy = _map(_map(rollout, "spec"), "strategy")
    if reason == "CanaryPauseStep":
        steps: list[Json] = _map(strategy, "canary").get("steps") or []
        index = int(_map(rollout, "status").get("currentStepIndex") or 0)
        step = steps[index] if index < len(steps) else {}
        duration, place = _map(step, "pause").get("duration"), f"step {index + 1} of {len(steps)}"
        if duration is None:
            return Waiting(f"{place} lasts until somebody promotes it", since, None, "promote, or abort", following)
        return Waiting(f"{place} pauses for {_length(duration)}", since, _after(since, duration), "time", following)
    if reason == "BlueGreenPause":
        seconds = _map(strategy, "blueGreen").get("autoPromotionSeconds")
        next_ = "the active Service moves to the new version"
        if seconds:
            return Waiting("the new version is held before it goes live", since, _after(since, seconds), "time", next_)
        return Waiting("the new version goes live when somebody promotes it", since, None, "promote, or abort", next_)
    if reason == "InconclusiveAnalysisRun":
        why = "an analysis was inconclusive: a person has to decide"
        return Waiting(why, since, None, "promote, or abort", following)
    return Waiting(reason, since, None, "promote", following)


def _degraded(status: Json, message: str) -> Waiting:
    if status.get("abort"):
        since = parse_time(str(status.get("abortedAt") or ""))
        return Waiting(message, since, None, "retry, or a new version", "")
    ends = "the spec, or what it names, is mended" if message.startswith("InvalidSpec") else "a new version, or abort"
    return Waiting(message, _moved(status), None, ends, "")


def _moved(status: Json) -> float | None:
    """When the update last made progress."""
    for condition in status.get("conditions") or []:
        if condition.get("type") == "Progressing":
            return parse_time(str(condition.get("lastUpdateTime") or condition.get("lastTransitionTime") or ""))
    return None


def _after(since: float | None, duration: Any) -> float | None:
    try:
        return None if since is None else since + pause_seconds(duration)
    except (ValueError, TypeError):
        return None


def _length(duration: Any) -> str:
    text = str(duration)
    return f"{text}s" if text.isdigit() else text


def _desired(spec: Json) -> int:
    found = spec.get("replicas")
    return 1 if found is None else int(found)


def _map(obj: Json, key: str) -> Json:
    found = obj.get(key)
    return found if isinstance(found, dict) else {}
