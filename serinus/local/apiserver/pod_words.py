"""Ready, status and restarts of a pod in the words of `kubectl get pods`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from serinus.api.times import age_words

Json = dict[str, Any]


def pod_cells(pod: Json, now: float) -> tuple[str, str, str]:
    """(`1/1`, `Running`, `2 (5m ago)`)."""
    status: Json = pod.get("status") or {}
    spec: Json = pod.get("spec") or {}
    states: list[Json] = status.get("containerStatuses") or []
    ready = sum(1 for s in states if s.get("ready"))
    total = len(spec.get("containers") or [])
    return f"{ready}/{total}", status_word(pod), _restarts(states, now)


def status_word(pod: Json) -> str:
    status: Json = pod.get("status") or {}
    word = str(status.get("reason") or status.get("phase") or "Pending")
    init = _init_word(pod)
    if init:
        word = init
    else:
        for state in reversed(status.get("containerStatuses") or []):
            word = _state_word(state) or word
        if word == "Completed" and any(
            (s.get("state") or {}).get("running") and s.get("ready") for s in status.get("containerStatuses") or []
        ):
            word = "Running"
    if pod["metadata"].get("deletionTimestamp"):
        return "Terminating" if word != "NodeLost" else "Unknown"
    return word


def _state_word(state: Json) -> str:
    now: Json = state.get("state") or {}
    if waiting := now.get("waiting"):
        return str(waiting.get("reason") or "")
    if ended := now.get("terminated"):
        if ended.get("reason"):
            return str(ended["reason"])
        return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode', 0)}"
    return ""


def _init_word(pod: Json) -> str:
    states: list[Json] = (pod.get("status") or {}).get("initContainerStatuses") or []
    total = len((pod.get("spec") or {}).get("initContainers") or [])
    for i, state in enumerate(states):
        now: Json = state.get("state") or {}
        if (now.get("terminated") or {}).get("exitCode") == 0 and now.get("terminated"):
            continue
        if now.get("terminated"):
            return f"Init:{_state_word(state)}"
        reason = (now.get("waiting") or {}).get("reason")
        return f"Init:{reason}" if reason and reason != "PodInitializing" else f"Init:{i}/{total}"
    return ""


def _restarts(states: list[Json], now: float) -> str:
    count = sum(int(s.get("restartCount") or 0) for s in states)
    ends = [t for s in states if (t := ((s.get("lastState") or {}).get("terminated") or {}).get("finishedAt"))]
    if count and ends:
        return f"{count} ({age_words(now - datetime.fromisoformat(max(ends)).timestamp())} ago)"
    return str(count)
