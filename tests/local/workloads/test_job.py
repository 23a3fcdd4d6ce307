from __future__ import annotations

from typing import Any

from serinus.local.workloads.deployment_status import find
from serinus.local.workloads.job import plan
from serinus.local.workloads.objects import Job, JobSpec, JobStatus, Meta, Pod
from tests.support.local.build import CREATED, NOW, owner, pod

OWNER = owner("Job", "j", "uid-j")


def job(**spec: Any) -> Job:
    return Job(Meta(name="j", namespace="default", uid="uid-j"), JobSpec(**spec), JobStatus(start_time=CREATED))


def ended(name: str, phase: str, **more: Any) -> Pod:
    found = pod(name, of=OWNER, phase=phase, ready="", **more)
    found.status.container_statuses = [{"state": {"terminated": {"finishedAt": CREATED}}}]
    return found


def test_as_many_pods_run_as_are_still_needed_and_allowed() -> None:
    assert len(plan(job(completions=5, parallelism=2), [], NOW).create) == 2
    pods = [ended(str(i), "Succeeded") for i in range(4)]
    assert len(plan(job(completions=5, parallelism=2), pods, NOW).create) == 1


def test_it_is_complete_when_enough_have_succeeded() -> None:
    status = plan(job(completions=1), [ended("a", "Succeeded")], NOW).status
    assert find(status.conditions, "Complete") is not None
    assert (status.succeeded, status.completion_time) == (1, CREATED)


def test_a_failed_pod_is_tried_again_after_a_delay_that_grows() -> None:
    todo = plan(job(completions=1), [ended("a", "Failed")], NOW + 5)
    assert (todo.create, todo.again) == ((), NOW + 10)
    assert len(plan(job(completions=1), [ended("a", "Failed")], NOW + 10).create) == 1
    two = [ended("a", "Failed"), ended("b", "Failed")]
    assert plan(job(completions=1), two, NOW + 10).again == NOW + 20


def test_beyond_the_backoff_limit_it_has_failed_and_what_runs_is_ended() -> None:
    pods = [ended("a", "Failed"), ended("b", "Failed"), pod("c", of=OWNER)]
    todo = plan(job(completions=3, parallelism=2, backoff_limit=1), pods, NOW)
    condition = find(todo.status.conditions, "Failed")
    assert condition is not None
    assert condition.reason == "BackoffLimitExceeded"
    assert [p.metadata.name for p in todo.delete] == ["c"]


def test_it_fails_at_its_deadline() -> None:
    todo = plan(job(completions=1, active_deadline_seconds=60), [pod("a", of=OWNER)], NOW + 60)
    condition = find(todo.status.conditions, "Failed")
    assert condition is not None
    assert condition.reason == "DeadlineExceeded"


def test_a_suspended_job_runs_nothing_and_resumes_from_zero_time() -> None:
    todo = plan(job(completions=1, suspend=True), [pod("a", of=OWNER)], NOW)
    assert (len(todo.delete), todo.status.start_time) == (1, "")
    assert plan(job(completions=1), [], NOW).create == (-1,)


def test_a_finished_job_is_removed_when_its_time_is_over() -> None:
    done = job(completions=1, ttl_seconds_after_finished=100)
    done.status = plan(job(completions=1), [ended("a", "Succeeded")], NOW).status
    assert plan(done, [], NOW + 99).again == NOW + 100
    assert plan(done, [], NOW + 100).remove


def test_each_index_is_run_once() -> None:
    done = ended("a", "Succeeded", annotations={"batch.kubernetes.io/job-completion-index": "0"})
    indexed = job(completions=3, parallelism=3, completion_mode="Indexed")
    assert plan(indexed, [done], NOW).create == (1, 2)


def test_nothing_is_created_while_the_cache_lags_behind() -> None:
    assert plan(job(completions=1), [], NOW, settled=False).create == ()
