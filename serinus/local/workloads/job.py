"""Jobs: pods that run to completion. `plan` is pure, `Jobs` executes it.

Supported: completions, parallelism, backoffLimit with a growing delay, activeDeadlineSeconds, ttlSecondsAfterFinished,
suspend, Indexed completion. Ignored: podFailurePolicy, successPolicy, backoffLimitPerIndex. Finished pods are counted
from existing pods, and counts never decrease.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random

import msgspec

from serinus.api.meta import Condition, Json
from serinus.api.pods.defaults import copied
from serinus.api.resources import JOBS
from serinus.api.values.times import parse_time
from serinus.kube.client import Client
from serinus.kube.clock import Clock, rfc3339
from serinus.kube.errors import NotFound
from serinus.kube.queue import WorkQueue, work
from serinus.local.events import EventRecorder
from serinus.local.workloads.caches import Caches, Key, merge_status, owner_reference, quietly
from serinus.local.workloads.creation import PodMaker
from serinus.local.workloads.deployment_status import find
from serinus.local.workloads.deployment_status import put as put_condition
from serinus.local.workloads.objects import Job, JobStatus, Pod

INDEX = "batch.kubernetes.io/job-completion-index"
FIRST_DELAY, LONGEST_DELAY = 10.0, 600.0
"""Seconds between a pod's failure and the next pod, doubled with each failure."""


put = partial(put_condition, dated=False)


@dataclass(frozen=True, slots=True)
class JobPlan:
    """`create`: indexes of new pods (-1 each without index). `again`: when to reconcile next (epoch seconds)."""

    create: tuple[int, ...] = ()
    delete: tuple[Pod, ...] = ()
    status: JobStatus = field(default_factory=JobStatus)
    remove: bool = False
    again: float | None = None


def plan(job: Job, pods: Sequence[Pod], now: float, *, settled: bool = True) -> JobPlan:
    spec = job.spec
    status: JobStatus = msgspec.convert(msgspec.to_builtins(job.status), JobStatus)
    if ended := _ended(job):
        if spec.ttl_seconds_after_finished is None:
            return JobPlan(status=_count(status, pods))
        expires = ended + spec.ttl_seconds_after_finished
        return JobPlan(status=_count(status, pods), remove=now >= expires, again=expires if now < expires else None)
    active = [p for p in pods if not p.finished and not p.leaving]
    status = _count(status, pods)
    if not status.start_time and not spec.suspend:
        status.start_time = rfc3339(now)
    retries = sum(int(s.get("restartCount") or 0) for p in active for s in p.status.container_statuses)
    problem = _failure(job, status, retries, now)
    if problem is not None:
        put(status.conditions, "FailureTarget", "True", *problem, now)
        put(status.conditions, "Failed", "True", *problem, now)
        status.active = status.ready = 0
        return JobPlan(delete=tuple(active), status=status)
    done, desired = _done(job, status, pods, active)
    if done:
        put(
            status.conditions,
            "SuccessCriteriaMet",
            "True",
            "CompletionsReached",
            "Reached expected number of succeeded pods",
            now,
        )
        put(
            status.conditions,
            "Complete",
            "True",
            "CompletionsReached",
            "Reached expected number of succeeded pods",
            now,
        )
        status.completion_time = rfc3339(now)
        return JobPlan(delete=tuple(active), status=status)
    if spec.suspend:
        put(status.conditions, "Suspended", "True", "JobSuspended", "Job suspended", now)
        status.start_time = ""
        return JobPlan(delete=tuple(active), status=status)
    if find(status.conditions, "Suspended"):
        put(status.conditions, "Suspended", "False", "JobResumed", "Job resumed", now)
    return _pods(job, pods, active, desired, status, now, settled)


def _count(status: JobStatus, pods: Sequence[Pod]) -> JobStatus:
    active = [p for p in pods if not p.finished and not p.leaving]
    status.active, status.ready = len(active), sum(p.ready for p in active)
    status.terminating = sum(p.leaving and not p.finished for p in pods)
    status.succeeded = max(status.succeeded, sum(p.status.phase == "Succeeded" for p in pods))
    status.failed = max(status.failed, sum(p.status.phase == "Failed" for p in pods))
    return status


def _ended(job: Job) -> float | None:
    for condition in job.status.conditions:
        if condition.type in ("Complete", "Failed") and condition.status == "True":
            return parse_time(condition.last_transition_time) or 1.0
    return None


def _failure(job: Job, status: JobStatus, retries: int, now: float) -> tuple[str, str] | None:
    if status.failed + retries > job.spec.backoff_limit:
        return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
    started, limit = parse_time(status.start_time), job.spec.active_deadline_seconds
    if limit is not None and started is not None and not job.spec.suspend and now - started >= limit:
        return "DeadlineExceeded", "Job was active longer than specified deadline"
    return None


def _done(job: Job, status: JobStatus, pods: Sequence[Pod], active: Sequence[Pod]) -> tuple[bool, int]:
    """(whether the Job is complete, how many pods may run now)."""
    parallelism = 1 if job.spec.parallelism is None else job.spec.parallelism
    if job.spec.completions is None:
        # A work queue: one success completes the work, and the other pods may finish.
        return (status.succeeded > 0 and not active), (0 if status.succeeded else parallelism)
    if job.spec.completion_mode == "Indexed":
        succeeded = {_index(p) for p in pods if p.status.phase == "Succeeded"} - {-1}
        status.succeeded = max(len(succeeded), 0)
        status.completed_indexes = ",".join(map(str, sorted(succeeded)))
    return status.succeeded >= job.spec.completions, min(parallelism, job.spec.completions - status.succeeded)


def _index(pod: Pod) -> int:
    text = pod.metadata.annotations.get(INDEX, "")
    return int(text) if text.isdigit() else -1


def _pods(
    job: Job, pods: Sequence[Pod], active: list[Pod], desired: int, status: JobStatus, now: float, settled: bool
) -> JobPlan:
    started, limit = parse_time(status.start_time), job.spec.active_deadline_seconds
    deadline = started + limit if limit is not None and started is not None else None
    if not settled:
        return JobPlan(status=status, again=deadline)
    if len(active) > desired:
        surplus = sorted(active, key=lambda p: (p.ready, p.metadata.creation_timestamp), reverse=False)[
            : len(active) - desired
        ]
        return JobPlan(delete=tuple(surplus), status=status, again=deadline)
    missing = desired - len(active) - (0 if job.spec.completions is None else status.terminating)
    ready_at = _backoff(pods, status.failed)
    if missing <= 0 or now < ready_at:
        times = [t for t in (deadline, ready_at if missing > 0 else None) if t is not None]
        return JobPlan(status=status, again=min(times, default=None))
    indexes = [-1] * missing
    if job.spec.completion_mode == "Indexed":
        taken = {_index(p) for p in pods if p.status.phase == "Succeeded" or p in active}
        indexes = [i for i in range(job.spec.completions or 0) if i not in taken][:missing]
    return JobPlan(create=tuple(indexes), status=status, again=deadline)


def _backoff(pods: Sequence[Pod], failed: int) -> float:
    """The earliest time of the next pod: later after each failure."""
    ends = [t for p in pods if p.status.phase == "Failed" for t in [_finished_at(p)] if t is not None]
    if not failed or not ends:
        return 0.0
    return max(ends) + min(FIRST_DELAY * 2 ** min(failed - 1, 20), LONGEST_DELAY)


def _finished_at(pod: Pod) -> float | None:
    times = [
        parse_time(((s.get("state") or {}).get("terminated") or {}).get("finishedAt"))
        for s in pod.status.container_statuses
    ]
    known = [t for t in times if t is not None]
    return max(known) if known else parse_time(pod.metadata.creation_timestamp)


class Jobs:
    def __init__(self, client: Client, caches: Caches, clock: Clock, rng: Random) -> None:
        self._client, self._caches, self._clock = client, caches, clock
        self._events = EventRecorder(client, clock, "job-controller")
        self._queue: WorkQueue[Key] = WorkQueue(clock, rng)
        self._maker = PodMaker(client, caches.pods, clock, rng, JOBS.kind)
        caches.jobs.on_change(self._changed)
        caches.pods.on_change(self._pod_changed)

    async def run(self) -> None:
        await self._caches.synced()
        await work(self._queue, quietly(self._queue, self._sync), workers=2)

    def _changed(self, old: Job | None, new: Job | None) -> None:
        obj = new or old
        if obj is not None:
            self._queue.add((obj.metadata.namespace, obj.metadata.name))

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        pod = new or old
        owner = pod.metadata.controller() if pod is not None else None
        if pod is not None and owner is not None and owner.kind == JOBS.kind:
            self._queue.add((pod.metadata.namespace, owner.name))

    async def _sync(self, key: Key) -> None:
        job = self._caches.jobs.items.get(key)
        if job is None:
            self._maker.forget(key)
            return
        if job.metadata.deletion_timestamp is not None:
            return
        settled = await self._maker.settled(key)
        if not settled:
            self._queue.add_at(key, self._maker.settles_by(key))
        todo = plan(job, self._caches.pods_by_owner.get(job.metadata.uid), self._clock.now(), settled=settled)
        if todo.remove:
            await self._remove(key, job)
            return
        await self._act(key, job, todo)
        patch = merge_status(job.status, todo.status)
        if patch is not None:
            body = {
                "metadata": {"uid": job.metadata.uid, "resourceVersion": job.metadata.resource_version},
                "status": patch,
            }
            try:
                await self._client.patch(JOBS, key[1], body, key[0], subresource="status")
            except NotFound:
                return
            self._tell(job, todo.status.conditions)
        if todo.again is not None:
            self._queue.add_at(key, todo.again)

    async def _act(self, key: Key, job: Job, todo: JobPlan) -> None:
        for pod in await self._maker.delete(key, todo.delete):
            self._events.say(JOBS, job.metadata, "SuccessfulDelete", f"Deleted pod: {pod.metadata.name}")
        for index in todo.create:
            body = self._maker.pod(
                key[0], job.metadata.name, _template(job, index), owner_reference(JOBS, job.metadata)
            )
            name = await self._maker.create_one(key, body)
            self._events.say(JOBS, job.metadata, "SuccessfulCreate", f"Created pod: {name}")

    def _tell(self, job: Job, conditions: list[Condition]) -> None:
        for condition in conditions:
            if condition.type not in ("Complete", "Failed") or find(job.status.conditions, condition.type):
                continue
            failed = condition.type == "Failed"
            reason, text = (condition.reason, condition.message) if failed else ("Completed", "Job completed")
            self._events.say(JOBS, job.metadata, reason, text, warning=failed)

    async def _remove(self, key: Key, job: Job) -> None:
        try:
            await self._client.delete(
                JOBS, key[1], key[0], uid=job.metadata.uid, resource_version=job.metadata.resource_version
            )
        except NotFound:
            return


def _template(job: Job, index: int) -> Json:
    template = copied(job.spec.template)
    metadata: Json = template.get("metadata") or {}
    name, uid = job.metadata.name, job.metadata.uid
    labels = {
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
        "controller-uid": uid,
        "job-name": name,
    }
    metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
    spec: Json = template.get("spec") or {}
    if index >= 0:
        metadata["annotations"] = {**(metadata.get("annotations") or {}), INDEX: str(index)}
        metadata["labels"][INDEX] = str(index)
        for container in [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]:
            container["env"] = [*(container.get("env") or []), {"name": "JOB_COMPLETION_INDEX", "value": str(index)}]
    return {**template, "metadata": metadata, "spec": spec}
