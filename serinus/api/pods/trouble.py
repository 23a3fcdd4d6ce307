"""Why pods do not become ready, in the terms of the kubelet, the scheduler and the API server. Pure.

Several pods give one sentence: the commonest trouble, with its count. Pods that are ready, have succeeded or are being
deleted have none. A trouble that may end automatically during a usual pod start is weak: it never hides another.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from serinus.api.messages.counted import counted
from serinus.api.meta import Condition
from serinus.api.values.times import age_words, parse_time
from serinus.api.workloads import ContainerStatus, ContainerTerminated, Pod, PodEvent

STARTING = frozenset({"", "ContainerCreating", "PodInitializing"})
"""Why a container waits while its pod starts as usual."""
PULLING = frozenset({"ErrImagePull", "ImagePullBackOff"})
"""One trouble: the kubelet alternates between these reasons."""
CRASH_SECONDS = 600.0
"""Seconds for which a container that runs again counts as crashing. The kubelet's longest back-off is 300 s."""
CREATING_SECONDS = 30.0
"""Seconds after which the creation of containers counts as a trouble."""
LONGEST_MESSAGE = 300
"""Characters of a message that are shown."""

_MOUNTING = frozenset(
    {
        "FailedMount",
        "FailedAttachVolume",
        "FailedMapVolume",
        "FailedCreatePodSandBox",
        "NetworkNotReady",
        "FailedBinding",
    }
)
"""Events that report why containers are not created. No field of the pod contains the cause."""
_ID = re.compile(r"\b[0-9a-f]{12,64}\b")
"""IDs of containers differ in each attempt."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """`code`: Kubernetes' reason (`ImagePullBackOff`). `sentence`: for `serinus why`, with changing details. `lasting`:
    the same without them, for a status that must not change all the time; "" if weak."""

    code: str
    sentence: str
    lasting: str = ""


@dataclass(frozen=True, slots=True)
class _Cause:
    code: str
    text: str
    same: str
    """Equal for pods with one trouble, and from attempt to attempt."""
    weak: bool = False


def trouble(
    pods: Iterable[Pod],
    now: float,
    *,
    desired: int = 0,
    existing: int = 0,
    conditions: Sequence[Condition] = (),
    events: Sequence[PodEvent] = (),
) -> Trouble | None:
    """Why these pods, of one ReplicaSet or Job, are not all ready; None without a known cause.

    `now`: seconds since the epoch. `desired`, `existing`: desired and existing pods of the ReplicaSet, `conditions`: its
    own. `events`: Warnings about the pods, if known.
    """
    troubles = [
        one for pod in sorted(pods, key=lambda p: p.metadata.name) if (one := _of_pod(pod, now, events)) is not None
    ]
    missing = max(0, desired - existing)
    refused = next((c for c in conditions if c.type == "ReplicaFailure" and c.status == "True"), None)
    if refused is not None and refused.reason == "FailedCreate" and missing:
        text = f"FailedCreate: {_cut(refused.message)}"
        troubles += [_Cause("FailedCreate", text, text)] * missing
    if not troubles:
        return None
    counts: dict[str, int] = {}
    for one in troubles:
        counts[one.same] = counts.get(one.same, 0) + 1
    most = min(troubles, key=lambda one: (one.weak, -counts[one.same], one.code, one.same))
    count = counts[most.same]
    total = max(desired, len(troubles))
    share = f"{count} of {counted(total, 'pod')}: " if total > 1 else ""
    return Trouble(most.code, share + most.text, "" if most.weak else share + most.same)


def overdue(pods: Iterable[Pod], now: float) -> Trouble | None:
    """The pods that still exist after their grace period, and their finalizers; None without such pods."""
    late = [
        pod
        for pod in pods
        if (at := parse_time(pod.metadata.deletion_timestamp or "")) is not None and now >= at + CREATING_SECONDS
    ]
    if not late:
        return None
    first = min(late, key=lambda pod: (pod.metadata.deletion_timestamp or "", pod.metadata.name))
    since = age_words(now - (parse_time(first.metadata.deletion_timestamp or "") or now))
    held = f", finalizers: {', '.join(first.metadata.finalizers)}" if first.metadata.finalizers else ""
    text = f"Terminating: {counted(len(late), 'pod is', 'pods are')} past the grace period; {first.metadata.name} for {since}{held}"
    return Trouble("Terminating", text)


def key(pod: Pod) -> tuple[tuple[str, str], ...]:
    """Changes when a trouble begins or ends, and not with each attempt."""
    if pod.ready() or pod.metadata.deletion_timestamp:
        return ()
    states = [(pod.status.reason, "")] if pod.status.reason else []
    for one in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        waiting, ended = one.state.waiting, one.last_state.terminated or one.state.terminated
        if waiting is not None and waiting.reason in PULLING:
            states.append((one.name, "ImagePullBackOff"))
        elif ended is not None and ended.exit_code and not one.ready:
            # The first crash and those after it have different words.
            again = "again" if one.restart_count or waiting is not None else "once"
            states.append((one.name, f"{ended.reason} {ended.exit_code} {again}"))
        elif waiting is not None and waiting.reason not in STARTING:
            states.append((one.name, waiting.reason))
    return tuple(states)


def unexplained(pod: Pod, now: float) -> bool:
    """Whether only Events can explain why the pod is not ready."""
    if pod.ready() or pod.metadata.deletion_timestamp or pod.status.phase in ("Succeeded", "Failed"):
        return False
    trouble_of_pod = _of_pod(pod, now, ())
    return trouble_of_pod is None or trouble_of_pod.weak


def _of_pod(pod: Pod, now: float, events: Sequence[PodEvent]) -> _Cause | None:
    status = pod.status
    if pod.metadata.deletion_timestamp or status.phase == "Succeeded" or pod.ready():
        return None
    if status.reason:  # Evicted, NodeLost, OutOfcpu, DeadlineExceeded, UnexpectedAdmissionError
        return _reported(status.reason, status.message)
    scheduled = pod.condition("PodScheduled")
    if scheduled is not None and scheduled.status == "False":
        return _reported(scheduled.reason or "Unschedulable", scheduled.message.partition(" preemption:")[0])
    for prefix, what, several in (
        ("Init:", "init container", status.init_container_statuses),
        ("", "container", status.container_statuses),
    ):
        for one in several:
            if (trouble_of_container := _of_container(one, prefix, what, now)) is not None:
                return trouble_of_container
    return _weak(pod, now, [event for event in events if event.involved_object.uid == pod.metadata.uid])


def _of_container(one: ContainerStatus, prefix: str, what: str, now: float) -> _Cause | None:
    waiting, ended, last = one.state.waiting, one.state.terminated, one.last_state.terminated
    place = f"{what} {one.name}"
    if waiting is not None and waiting.reason not in STARTING:
        if waiting.reason == "CrashLoopBackOff" and last is not None:
            return _crash(one, last, f"{prefix}CrashLoopBackOff", prefix, place)
        if waiting.reason in PULLING:
            image = f', image "{one.image}"' if one.image and one.image not in waiting.message else ""
            text = f"{prefix}{waiting.reason}: {place}{image}" + (
                f": {_cut(waiting.message)}" if waiting.message else ""
            )
            named = f', image "{one.image}"' if one.image else ""
            return _Cause(f"{prefix}{waiting.reason}", text, f"{prefix}ImagePullBackOff: {place}{named}")
        return _reported(f"{prefix}{waiting.reason}", f"{place}: {waiting.message}" if waiting.message else place)
    if ended is not None:
        return _crash(one, ended, prefix + (ended.reason or "Error"), prefix, place) if ended.exit_code else None
    if (
        last is not None
        and last.exit_code
        and not one.ready
        and now - (parse_time(last.finished_at) or now) < CRASH_SECONDS
    ):
        # It runs again for now: the same words as during the back-off.
        word = "CrashLoopBackOff" if one.restart_count > 1 else last.reason or "Error"
        return _crash(one, last, prefix + word, prefix, place)
    return None


def _crash(one: ContainerStatus, ended: ContainerTerminated, word: str, prefix: str, place: str) -> _Cause:
    killed = ended.signal or (ended.exit_code - 128 if 128 < ended.exit_code < 160 else 0)
    why = [ended.reason] if ended.reason and ended.reason != "Error" else []
    why += [name] if (name := _signal(killed)) and not why else []
    exited = f"{word}: {place} exited with code {ended.exit_code}" + (f" ({why[0]})" if why else "")
    restarts = f", {one.restart_count} restart{'s' if one.restart_count > 1 else ''}" if one.restart_count else ""
    message = f': "{_cut(ended.message)}"' if ended.message else ""
    # The trouble is the same whether the container waits or runs at this moment.
    same = exited.replace(word, f"{prefix}CrashLoopBackOff", 1) if one.restart_count else exited
    return _Cause(f"{prefix}OOMKilled" if ended.reason == "OOMKilled" else word, exited + restarts + message, same)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name if number else ""
    except ValueError:
        return f"signal {number}"


def _weak(pod: Pod, now: float, events: Sequence[PodEvent]) -> _Cause | None:
    """The state during any pod start. Events show whether there is a trouble."""
    status = pod.status
    running = [one for one in status.init_container_statuses if one.state.running is not None and not one.ready]
    if running:
        name = running[0].name
        return _latest(events, {"Unhealthy"}) or _Cause(
            "PodInitializing", f"PodInitializing: init container {name} is running", "PodInitializing", weak=True
        )
    if any(one.state.running is not None for one in status.container_statuses):
        if (event := _latest(events, {"Unhealthy"})) is not None:
            return event
        ready = pod.condition("Ready")
        if ready is None or not ready.message:
            return None
        code = ready.reason or "ContainersNotReady"
        return _Cause(code, f"{code}: {_cut(ready.message)}", code, weak=True)
    if (event := _latest(events, _MOUNTING)) is not None:
        return event
    scheduled = pod.condition("PodScheduled")
    since = parse_time(scheduled.last_transition_time) if scheduled is not None else None
    if since is None or now - since < CREATING_SECONDS:
        return None
    text = f"ContainerCreating: its containers have been created for {age_words(now - since)}"
    return _Cause("ContainerCreating", text, "ContainerCreating", weak=True)


def _latest(events: Sequence[PodEvent], reasons: Iterable[str]) -> _Cause | None:
    matching = [event for event in events if event.reason in reasons]
    if not matching:
        return None
    last = max(matching, key=lambda event: event.last_timestamp or "")
    return _Cause(last.reason, f"{last.reason}: {_cut(last.message)}", last.reason, weak=True)


def _reported(code: str, message: str) -> _Cause:
    text = f"{code}: {_cut(message)}" if message else code
    return _Cause(code, text, _ID.sub("…", text))


def _cut(message: str) -> str:
    line = " ".join(message.split())
    return line if len(line) <= LONGEST_MESSAGE else line[: LONGEST_MESSAGE - 1] + "…"
