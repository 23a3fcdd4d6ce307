"""The columns of `kubectl get pods`: a pod's status, its number of ready containers, and its restarts.

Takes the pod as plain JSON, as API servers send it.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def pod_status(pod: Json) -> str:
    """The word of the column STATUS: `Running`, `ImagePullBackOff`, `Init:0/1`, `Terminating`, …"""
    status: Json = pod.get("status") or {}
    word = str(status.get("reason") or status.get("phase") or "Pending")
    starting = _init_word(pod)
    word = starting or _containers_word(status, word)
    if (pod.get("metadata") or {}).get("deletionTimestamp"):
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    return word


def pod_ready(pod: Json) -> tuple[int, int]:
    """(ready, all) containers; init containers that keep running count."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    lasting = _lasting(pod)
    states: list[Json] = list(status.get("containerStatuses") or [])
    states += [s for s in status.get("initContainerStatuses") or [] if s.get("name") in lasting]
    ready = sum(1 for s in states if s.get("ready") and (s.get("state") or {}).get("running") is not None)
    return ready, len(spec.get("containers") or []) + len(lasting)


def pod_restarts(pod: Json) -> int:
    """Restarts of containers and native sidecars; while init containers run, restarts of all init containers."""
    return sum(int(s.get("restartCount") or 0) for s in restarting_states(pod))


def restarting_states(pod: Json) -> list[Json]:
    """The statuses of the containers whose restarts count now (see `pod_restarts`)."""
    status: Json = pod.get("status") or {}
    init: list[Json] = status.get("initContainerStatuses") or []
    if _init_word(pod):
        return init
    lasting = _lasting(pod)
    return [*(s for s in init if s.get("name") in lasting), *(status.get("containerStatuses") or [])]


def _lasting(pod: Json) -> set[str]:
    """The names of init containers that keep running (native sidecars)."""
    given: list[Json] = (pod.get("spec") or {}).get("initContainers") or []
    return {str(c.get("name")) for c in given if c.get("restartPolicy") == "Always"}


def _containers_word(status: Json, word: str) -> str:
    running = False
    states: list[Json] = status.get("containerStatuses") or []
    for state in reversed(states):
        now: Json = state.get("state") or {}
        waiting, ended = now.get("waiting") or {}, now.get("terminated")
        if waiting.get("reason"):
            word = str(waiting["reason"])
        elif ended is not None:
            word = _ended_word(ended)
        elif state.get("ready") and now.get("running") is not None:
            running = True
    if word == "Completed" and running:
        conditions: list[Json] = status.get("conditions") or []
        ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
        return "Running" if ready else "NotReady"
    return word


def _ended_word(ended: Json) -> str:
    if ended.get("reason"):
        return str(ended["reason"])
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode', 0)}"


def _init_word(pod: Json) -> str:
    """`Init:…` while init containers run, else ""."""
    given: list[Json] = (pod.get("spec") or {}).get("initContainers") or []
    lasting = _lasting(pod)
    states: list[Json] = (pod.get("status") or {}).get("initContainerStatuses") or []
    for place, state in enumerate(states):
        now: Json = state.get("state") or {}
        ended, waiting = now.get("terminated"), now.get("waiting") or {}
        if ended is not None and not ended.get("exitCode"):
            continue
        if state.get("name") in lasting and state.get("started"):
            continue
        if ended is not None:
            return f"Init:{_ended_word(ended)}"
        reason = str(waiting.get("reason") or "")
        return f"Init:{reason}" if reason and reason != "PodInitializing" else f"Init:{place}/{len(given)}"
    return ""
