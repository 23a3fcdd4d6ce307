"""Jobs as measurements."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.analysis.providers.job import HOPELESS, job_name, job_of, measured_by
from serinus.analysis.providers.measuring import clean_up
from serinus.analysis.resolution import resolve
from serinus.api.analysis import AnalysisRunSpec, Measurement, Metric
from serinus.api.values.times import format_time
from tests.support.analysis.vendor import UID, ClusterError, World
from tests.support.engine.pod_kinds import KINDS, NOW

SPEC: dict[str, Any] = {
    "metadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}},
    "spec": {"backoffLimit": 0, "template": {"metadata": {"labels": {"x": "y"}}, "spec": {"containers": []}}},
}
NAME = f"{UID}.value.1"


def metric(world: World) -> Metric:
    return world.metric("job", SPEC)


async def begun(world: World) -> Measurement:
    return await world.task(metric(world), None)


def job(world: World, name: str = NAME) -> dict[str, Any]:
    return world.cluster.objects["jobs", "ns", name]


async def test_a_job_is_made_and_belongs_to_its_run(world: World) -> None:
    """As in the recording analysis-jobs."""
    measured = await begun(world)
    at = format_time(world.now)
    assert measured == Measurement(
        "Running",
        "",
        at,
        None,
        metadata={"job-name": NAME, "job-namespace": "ns"},
        resume_at=format_time(world.now + 1),
    )
    made = job(world)
    assert made["metadata"]["labels"] == {"team": "a", "analysisrun.argoproj.io/uid": UID}
    assert made["metadata"]["annotations"] == {
        "note": "b",
        "analysisrun.argoproj.io/name": "run",
        "analysisrun.argoproj.io/namespace": "ns",
        "analysisrun.argoproj.io/metric-name": "value",
    }
    (owner,) = made["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("AnalysisRun", UID, True)
    assert made["spec"]["template"]["metadata"]["labels"] == {"x": "y", "analysisrun.argoproj.io/uid": UID}


async def test_a_job_leads_back_to_its_run(world: World) -> None:
    await begun(world)
    assert measured_by(job(world)["metadata"]["annotations"]) == ("ns", "run", "value")
    assert measured_by({"analysisrun.argoproj.io/name": "run"}) is None


async def test_a_job_in_another_namespace_has_no_owner(world: World) -> None:
    world.environment["ARGO_ROLLOUTS_ANALYSIS_JOB_NAMESPACE"] = "jobs"
    assert (await begun(world)).metadata["job-namespace"] == "jobs"
    assert "ownerReferences" not in world.cluster.objects["jobs", "jobs", NAME]["metadata"]


def test_long_metric_names_are_cut() -> None:
    name = job_name(UID, "a" * 80, 12)
    assert len(name) == 63
    assert name.startswith(f"{UID}.aaa")
    assert name.endswith("aaa.12")


async def test_a_job_whose_creation_was_not_seen_is_taken_over_and_another_ones_is_not(world: World) -> None:
    first = await begun(world)
    assert (await begun(world)).metadata == first.metadata
    job(world)["metadata"]["labels"]["analysisrun.argoproj.io/uid"] = "other"
    refused = await begun(world)
    assert refused.phase == "Error"
    assert refused.message == f'the Job ns/{NAME} cannot be created: jobs "{NAME}" already exists'


@pytest.mark.parametrize(("condition", "phase"), [("Complete", "Successful"), ("Failed", "Failed")])
async def test_the_end_of_the_job_is_the_verdict(world: World, condition: str, phase: str) -> None:
    measured = await begun(world)
    job(world)["status"] = {"conditions": [{"type": condition, "status": "True"}]}
    world.now += 7
    done = await world.task(metric(world), measured, "resume")
    assert (done.phase, done.finished_at) == (phase, format_time(world.now))
    assert (done.started_at, done.metadata) == (measured.started_at, measured.metadata)


async def test_the_pause_until_the_next_look_grows_with_the_age(world: World) -> None:
    measured = await begun(world)
    world.now = int(world.now) + 50
    later = await world.task(metric(world), measured, "resume")
    assert (later.phase, later.finished_at) == ("Running", None)
    assert later.resume_at == format_time(world.now + 10)


async def test_a_young_job_is_not_asked_without_a_pause(world: World) -> None:
    """At age 0 the root is 0: without a least pause the run would be checked for ever in the same instant."""
    world.now = float(int(world.now))
    later = await world.task(metric(world), await begun(world), "resume")
    assert later.resume_at == format_time(world.now + 1)


@pytest.mark.parametrize("kind", ["containerStatuses", "initContainerStatuses"])
async def test_an_image_that_cannot_be_pulled_says_nothing_about_the_version(world: World, kind: str) -> None:
    measured = await begun(world)
    waiting = {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}
    world.cluster.objects["pods", "ns", "p"] = {
        "metadata": {"name": "p", "labels": {"job-name": NAME}},
        "status": {kind: [{"name": "c", "state": waiting}]},
    }
    done = await world.task(metric(world), measured, "resume")
    assert done.phase == "Inconclusive"
    assert done.message == "Pod p, container c has terminal error (ErrImagePull): no such image\n"


@pytest.mark.parametrize(
    "kind", [name for name, kind in KINDS.items() if kind.status and kind.code.removeprefix("Init:") not in HOPELESS]
)
async def test_a_job_whose_pod_does_not_start_says_why_while_it_is_waited_for(world: World, kind: str) -> None:
    """Until the pod starts after all."""
    world.now = NOW
    measured, found = await begun(world), KINDS[kind]
    meta = {"name": "p", "labels": {"job-name": NAME}}
    world.cluster.objects["pods", "ns", "p"] = {"metadata": meta, "status": found.status}
    measured = await world.task(metric(world), measured, "resume")
    assert measured.phase == "Running"
    assert all(word in measured.message for word in found.words) or found.weak
    assert bool(measured.message) == (not found.weak)
    world.cluster.objects["pods", "ns", "p"]["status"] = {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}],
    }
    assert (await world.task(metric(world), measured, "resume")).message == ""


async def test_ending_a_run_deletes_the_job_and_is_inconclusive(world: World) -> None:
    measured = await begun(world)
    done = await world.task(metric(world), measured, "terminate")
    assert (done.phase, done.message) == ("Inconclusive", "Metric Terminated")
    assert world.cluster.deleted == [(NAME, "Foreground")]
    assert (await world.task(metric(world), measured, "terminate")).phase == "Inconclusive"


async def test_a_job_that_is_gone_or_an_api_that_does_not_answer_is_an_error(world: World) -> None:
    measured = await begun(world)
    world.cluster.objects.clear()
    gone = await world.task(metric(world), measured, "resume")
    assert (gone.phase, gone.message) == ("Error", f'the Job ns/{NAME} cannot be read: jobs "{NAME}" not found')
    world.cluster.broken = ClusterError(503, "try later")
    assert "try later" in (await begun(world)).message


async def test_only_the_newest_jobs_of_the_metric_are_kept(world: World) -> None:
    for number in range(1, 5):
        call = world.call(metric(world), number)
        made = job_of(call, "ns")
        made["metadata"]["creationTimestamp"] = format_time(world.now + number)
        world.cluster.objects["jobs", "ns", made["metadata"]["name"]] = made
    other = job_of(world.call(world.metric("job", SPEC, name="other")), "ns")
    world.cluster.objects["jobs", "ns", "other"] = other
    resolved = resolve(AnalysisRunSpec(metrics=[metric(world)]), {})
    await clean_up(world.run, resolved, {"value": 2, "gone": 1}, world.reach())
    assert [name for name, _ in world.cluster.deleted] == [f"{UID}.value.1", f"{UID}.value.2"]
