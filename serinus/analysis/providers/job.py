"""A Kubernetes Job whose result is the verdict (spec/analysis.md §4, job)."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from serinus.analysis.phases import FAILED, INCONCLUSIVE, SUCCESSFUL
from serinus.analysis.providers.errors import ProviderError
from serinus.analysis.providers.provider import Cluster, MeasurementRequest, VerdictProvider, begun, code_of, ended
from serinus.api.analysis import Measurement
from serinus.api.decoding.reading import converted
from serinus.api.meta import Json
from serinus.api.pods.trouble import trouble
from serinus.api.resources import ANALYSIS_RUNS, JOBS, PODS
from serinus.api.values.times import format_deadline, parse_time
from serinus.api.workloads import Pod

UID = "analysisrun.argoproj.io/uid"
NAME = "analysisrun.argoproj.io/name"
NAMESPACE = "analysisrun.argoproj.io/namespace"
METRIC = "analysisrun.argoproj.io/metric-name"
JOB_NAMESPACE = "ARGO_ROLLOUTS_ANALYSIS_JOB_NAMESPACE"
LONGEST_NAME = 63
LEAST_PAUSE = 1.0
"""Seconds before the first check of a Job, and at least between two checks."""
HOPELESS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName")
"""Reasons for which a container waits without an end. Such a Job has no result for the version under test."""


class JobMetadata(msgspec.Struct, omit_defaults=True):
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class JobConfig(msgspec.Struct, omit_defaults=True):
    metadata: JobMetadata = msgspec.field(default_factory=JobMetadata)
    spec: Json = {}


class JobProvider(VerdictProvider[JobConfig]):
    type = "Job"
    key = "job"
    config = JobConfig
    request = "a Job, watched without a polling delay; an image that cannot be pulled is Inconclusive"
    fields = "JobTemplate {metadata, spec: batch/v1 JobSpec}"

    async def run(self, call: MeasurementRequest) -> Measurement:
        namespace = call.reach.environment.get(JOB_NAMESPACE) or call.namespace
        job = job_of(call, namespace)
        name = str(job["metadata"]["name"])
        cluster = _cluster(call)
        try:
            await cluster.create(JOBS, job, namespace)
        except Exception as error:
            if code_of(error) != 409 or not await _is_ours(call, namespace, name):
                raise ProviderError(f"the Job {namespace}/{name} cannot be created: ", error) from error
        return begun(call, {"job-name": name, "job-namespace": namespace}, call.now + LEAST_PAUSE)

    async def resume(self, call: MeasurementRequest, measurement: Measurement) -> Measurement:
        namespace, name = _where(call, measurement)
        job = await _read(call, namespace, name)
        for condition in (job.get("status") or {}).get("conditions") or []:
            if condition.get("status") == "True" and condition.get("type") in ("Complete", "Failed"):
                return ended(call, measurement, SUCCESSFUL if condition["type"] == "Complete" else FAILED)
        pods = await _pods(call, namespace, name)
        hopeless = _hopeless(pods)
        if hopeless:
            return ended(call, measurement, INCONCLUSIVE, call.foreign(hopeless))
        elapsed = max(0.0, call.now - (parse_time(measurement.started_at) or call.now))
        # The pause grows with the root of the Job's age, so short Jobs end fast and long ones cost little.
        again = format_deadline(call.now + max(LEAST_PAUSE, math.sqrt(2 * elapsed)))
        pod_trouble = trouble([converted(pod, Pod, own=False) for pod in pods], call.now)
        return msgspec.structs.replace(
            measurement, resume_at=again, message=call.foreign(pod_trouble.lasting) if pod_trouble else ""
        )

    async def terminate(self, call: MeasurementRequest, measurement: Measurement) -> Measurement:
        namespace, name = _where(call, measurement)
        await _delete(call, namespace, name)
        return ended(call, measurement, INCONCLUSIVE)

    async def clean_up(self, call: MeasurementRequest, keep: int) -> None:
        namespace = call.reach.environment.get(JOB_NAMESPACE) or call.namespace
        try:
            page = await _cluster(call).list(JOBS, namespace, labels=f"{UID}={call.run.metadata.uid}")
        except Exception as error:
            raise ProviderError(f"Jobs in {namespace} cannot be listed: ", error) from error
        own = [job for job in page.items if _of_metric(job, call.metric.name)]
        own.sort(key=lambda job: str(job["metadata"].get("creationTimestamp") or ""))
        for job in own[: max(0, len(own) - keep)]:
            await _delete(call, namespace, str(job["metadata"]["name"]))


def job_of(call: MeasurementRequest, namespace: str) -> Json:
    """The Job of one measurement. The run owns it if both are in the same namespace and cluster."""
    config = call.config("job", JobConfig)
    meta, metric = call.run.metadata, call.metric.name
    spec = copy.deepcopy(config.spec)
    template: Json = spec.setdefault("template", {})
    pod_meta: Json = template.setdefault("metadata", {})
    pod_meta["labels"] = {**(pod_meta.get("labels") or {}), UID: meta.uid}
    job_meta: Json = {
        "name": job_name(meta.uid, metric, call.number),
        "namespace": namespace,
        "labels": {**config.metadata.labels, UID: meta.uid},
        "annotations": {
            **config.metadata.annotations,
            NAME: meta.name,
            NAMESPACE: meta.namespace,
            METRIC: metric,
        },
    }
    if namespace == meta.namespace and call.reach.job_cluster is None:
        job_meta["ownerReferences"] = [
            {
                "apiVersion": ANALYSIS_RUNS.api_version,
                "kind": ANALYSIS_RUNS.kind,
                "name": meta.name,
                "uid": meta.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ]
    return {"apiVersion": JOBS.api_version, "kind": JOBS.kind, "metadata": job_meta, "spec": spec}


def measured_by(annotations: Mapping[str, str]) -> tuple[str, str, str] | None:
    """(namespace, name of the run, metric) of a Job with these annotations; None for other Jobs.

    A watch of Jobs uses it to find the run to reconcile when a Job ends (`tasks(…, woken=[metric])`).
    """
    if NAME not in annotations or METRIC not in annotations:
        return None
    return annotations.get(NAMESPACE, ""), annotations[NAME], annotations[METRIC]


def job_name(uid: str, metric: str, number: int) -> str:
    """`<uid>.<metric>.<number>`, at most 63 characters: the metric is shortened."""
    room = LONGEST_NAME - len(uid) - len(str(number)) - 2
    return f"{uid}.{metric[:room]}.{number}"


def _cluster(call: MeasurementRequest) -> Cluster:
    return call.reach.job_cluster or call.reach.cluster


def _where(call: MeasurementRequest, measurement: Measurement) -> tuple[str, str]:
    name = measurement.metadata.get("job-name")
    if not name:
        raise ProviderError("job metadata reference missing: the measurement does not say which Job it is")
    return measurement.metadata.get("job-namespace") or call.namespace, name


async def _read(call: MeasurementRequest, namespace: str, name: str) -> Json:
    try:
        return await _cluster(call).get(JOBS, name, namespace)
    except Exception as error:
        raise ProviderError(f"the Job {namespace}/{name} cannot be read: ", error) from error


async def _is_ours(call: MeasurementRequest, namespace: str, name: str) -> bool:
    """Whether this run created the existing Job: the create succeeded, but its response was lost."""
    job = await _read(call, namespace, name)
    return ((job["metadata"].get("labels") or {}).get(UID)) == call.run.metadata.uid


async def _delete(call: MeasurementRequest, namespace: str, name: str) -> None:
    try:
        await _cluster(call).delete(JOBS, name, namespace, propagation="Foreground")
    except Exception as error:
        if code_of(error) != 404:
            raise ProviderError(f"the Job {namespace}/{name} cannot be deleted: ", error) from error


async def _pods(call: MeasurementRequest, namespace: str, name: str) -> Sequence[Json]:
    try:
        return (await _cluster(call).list(PODS, namespace, labels=f"job-name={name}")).items
    except Exception as error:
        raise ProviderError(f"pods of the Job {namespace}/{name} cannot be listed: ", error) from error


def _hopeless(pods: Sequence[Json]) -> str:
    """The reason of a container that will never start; "" if there is none."""
    for pod in pods:
        status: dict[str, Any] = pod.get("status") or {}
        for one in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
            waiting: dict[str, Any] = (one.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") in HOPELESS:
                reason = f"({waiting['reason']}): {waiting.get('message', '')}\n"
                return f"Pod {pod['metadata']['name']}, container {one.get('name')} has terminal error {reason}"
    return ""


def _of_metric(job: Json, metric: str) -> bool:
    return (job["metadata"].get("annotations") or {}).get(METRIC, metric) == metric


PROVIDER = JobProvider()
