"""The row of `kubectl get pods`. `serinus.api.pods.status` supplies the status text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from serinus.api.pods.status import pod_ready, pod_status, restarting_states

Json = dict[str, Any]


def pod_cells(pod: Json, age: Callable[[str | None], str]) -> list[Any]:
    """Name, ready, status, restarts, age, and the wide columns."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    ready, containers = pod_ready(pod)
    states = restarting_states(pod)
    restarts = sum(int(s.get("restartCount") or 0) for s in states)
    ended = [((s.get("lastState") or {}).get("terminated") or {}).get("finishedAt") for s in states]
    last = max((t for t in ended if t), default=None)
    shown = f"{restarts} ({age(last)} ago)" if restarts and last else str(restarts)
    gates = spec.get("readinessGates") or []
    met = {c.get("type") for c in status.get("conditions") or [] if c.get("status") == "True"}
    passed = f"{sum(1 for g in gates if g.get('conditionType') in met)}/{len(gates)}" if gates else "<none>"
    return [
        pod["metadata"]["name"], f"{ready}/{containers}", _word(pod), shown, age(pod["metadata"].get("creationTimestamp")),
        status.get("podIP") or "<none>", spec.get("nodeName") or "<none>", status.get("nominatedNodeName") or "<none>", passed,
    ]  # fmt: skip


def _word(pod: Json) -> str:
    """The STATUS column. A finished pod keeps its status while it is deleted, as in Kubernetes since 1.33."""
    ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    return pod_status({**pod, "metadata": {}} if ended else pod)
