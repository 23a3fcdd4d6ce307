"""What `kubectl get pods` says of a pod: the words that people search the web for (`CrashLoopBackOff`, `Init:0/1`, …)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Json = dict[str, Any]


def pod_cells(pod: Json, age: Callable[[str | None], str]) -> list[Any]:
    """Name, ready, status, restarts, age, and the wide columns."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    containers = spec.get("containers") or []
    states: list[Json] = status.get("containerStatuses") or []
    ready = sum(1 for s in states if s.get("ready") and "running" in (s.get("state") or {}))
    restarts = sum(int(s.get("restartCount") or 0) for s in states)
    ended = [((s.get("lastState") or {}).get("terminated") or {}).get("finishedAt") for s in states]
    last = max((t for t in ended if t), default=None)
    shown = f"{restarts} ({age(last)} ago)" if restarts and last else str(restarts)
    gates = spec.get("readinessGates") or []
    met = {c.get("type") for c in status.get("conditions") or [] if c.get("status") == "True"}
    passed = f"{sum(1 for g in gates if g.get('conditionType') in met)}/{len(gates)}" if gates else "<none>"
    return [
        pod["metadata"]["name"], f"{ready}/{len(containers)}", reason(pod), shown, age(pod["metadata"].get("creationTimestamp")),
        status.get("podIP") or "<none>", spec.get("nodeName") or "<none>", status.get("nominatedNodeName") or "<none>", passed,
    ]  # fmt: skip


def reason(pod: Json) -> str:
    """The one word of the STATUS column."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    word = status.get("reason") or status.get("phase") or "Unknown"
    starting = _initialising(spec, status)
    if starting:
        word = starting
    else:
        running = False
        for state in reversed(status.get("containerStatuses") or []):
            found = _state_word(state.get("state") or {})
            word = found or word
            running = running or bool(state.get("ready") and "running" in (state.get("state") or {}))
        if word == "Completed" and running:
            ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in status.get("conditions") or [])
            word = "Running" if ready else "NotReady"
    if pod["metadata"].get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            return "Unknown"
        if status.get("phase") not in ("Succeeded", "Failed"):
            return "Terminating"
    return str(word)


def _state_word(state: Json) -> str:
    waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
    if waiting.get("reason"):
        return str(waiting["reason"])
    if not ended:
        return ""
    if ended.get("reason"):
        return str(ended["reason"])
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode', 0)}"


def _initialising(spec: Json, status: Json) -> str:
    """`Init:…` while an init container has not succeeded."""
    total = len(spec.get("initContainers") or [])
    for done, state in enumerate(status.get("initContainerStatuses") or []):
        ended = (state.get("state") or {}).get("terminated")
        if ended and not ended.get("exitCode"):
            continue
        waiting = (state.get("state") or {}).get("waiting") or {}
        if ended or waiting.get("reason") not in (None, "PodInitializing"):
            return "Init:" + _state_word(state.get("state") or {})
        return f"Init:{done}/{total}"
    return ""
