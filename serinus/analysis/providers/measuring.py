"""Executes the tasks of a run: one call of a provider each, all at the same time.

Each call takes a place in the lane of its namespace (lanes.py), has a time limit, and can be cancelled.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec

from serinus.analysis.hiding import Hidden
from serinus.analysis.phases import ERROR, INCONCLUSIVE, SUCCESSFUL
from serinus.analysis.providers import conclusion
from serinus.analysis.providers.current import CURRENT, Current
from serinus.analysis.providers.errors import ProviderError
from serinus.analysis.providers.provider import MeasurementRequest, ProviderContext, QueryProvider, VerdictProvider
from serinus.analysis.providers.registry import AnyProvider, provider_of
from serinus.analysis.resolution import Resolved
from serinus.analysis.run_status import MetricMeasurement, shown, texts
from serinus.analysis.schedule import Task
from serinus.api.analysis import AnalysisRun, Measurement
from serinus.api.messages.cutting import LONGEST_MESSAGE
from serinus.api.values.times import format_time

LONGEST_CALL = 300.0
"""Most seconds of one call, in addition to its own limits: a provider that hangs must not block its run."""

ENDING = 5.0
"""Seconds in which a running call may still finish after its run was terminated. Its measurement counts."""

ENDING_OF_BEGINNINGS = 15.0
"""The same for a call that starts a Job or a canary. Its response names the object, which is then ended too."""


class Round:
    """The calls of one pass of a run. Their texts show none of `secrets`, and no secret that a provider has read."""

    def __init__(
        self, run: AnalysisRun, tasks: Sequence[Task], reach: ProviderContext, secrets: Sequence[str] = ()
    ) -> None:
        self.run = run
        self._tasks, self._reach, self._secrets = tasks, reach, secrets
        self._calls: dict[asyncio.Task[MetricMeasurement], Task] = {}
        self._begun: set[int] = set()

    async def measured(self) -> list[MetricMeasurement]:
        """The results of the tasks that were not cancelled, in order. A failure is a measurement in the phase Error.

        All intervals begin at the end of the last call. So metrics of the same interval stay in one round, with one
        write, and none is measured before its interval has passed.
        """
        self._calls = {asyncio.create_task(self._one(task)): task for task in self._tasks}
        try:
            if self._calls:
                await asyncio.wait(self._calls)
        except asyncio.CancelledError:
            self.end(gone=True)
            raise
        ended = self._reach.clock()
        results = [call.result() for call in self._calls if not call.cancelled()]
        return [dataclasses.replace(one, ended=ended) for one in results]

    def end(self, *, gone: bool) -> None:
        """Cancel the calls: at once if the run is `gone` or the call waits for a place, otherwise after a short time.

        If the run exists, calls that terminate a measurement continue.
        """
        loop = asyncio.get_running_loop()
        for call, task in self._calls.items():
            if gone or (task.call != "terminate" and id(task) not in self._begun):
                call.cancel()
            elif task.call != "terminate":
                loop.call_later(ENDING_OF_BEGINNINGS if _begins(task) else ENDING, call.cancel)

    async def _one(self, task: Task) -> MetricMeasurement:
        reach, namespace = self._reach, self.run.metadata.namespace
        async with reach.lanes.slot(namespace) as slot:
            self._begun.add(id(task))
            hidden = Hidden(self._secrets)
            CURRENT.set(Current(namespace, hidden, lambda work: reach.lanes.keep(slot, work)))
            call = MeasurementRequest(self.run, task.metric.metric, reach, task.number, task.metric.shown, hidden)
            return await _measured(task, call)


def _begins(task: Task) -> bool:
    """Whether the call may start an object that only its response names."""
    with suppress(ProviderError):
        return task.call == "run" and not isinstance(provider_of(task.metric.metric), QueryProvider)
    return False


async def measure(
    run: AnalysisRun, tasks: Sequence[Task], reach: ProviderContext, secrets: Sequence[str] = ()
) -> list[MetricMeasurement]:
    """The results of the tasks, in their order."""
    return await Round(run, tasks, reach, secrets).measured()


async def _measured(task: Task, call: MeasurementRequest) -> MetricMeasurement:
    reach, hidden = call.reach, call.hidden
    started = format_time(reach.clock())
    metadata: dict[str, str] = {}
    try:
        provider = provider_of(call.metric)
        metadata = dict(provider.metadata(call.shown or call.metric))
        async with asyncio.timeout(LONGEST_CALL):
            measurement = await _called(provider, task, call)
    except TimeoutError:
        message = f"no answer within {LONGEST_CALL:.0f} s, the longest that a measurement may take"
        measurement = _error(task, started, reach, message)
    except ProviderError as error:
        measurement = _error(task, started, reach, hidden.message(error.own, error.foreign, LONGEST_MESSAGE))
    except Exception as error:  # a bug, here or in a plugin, must not end the controller
        message = hidden.message(f"{type(error).__name__}: ", str(error), LONGEST_MESSAGE)
        measurement = _error(task, started, reach, message)
    return MetricMeasurement(task, shown(measurement, hidden), reach.clock(), texts(metadata, hidden), clean=True)


async def _called(provider: AnyProvider, task: Task, call: MeasurementRequest) -> Measurement:
    if isinstance(provider, QueryProvider):
        return task.measurement or await conclusion.measured(provider, call)
    assert isinstance(provider, VerdictProvider)
    if task.measurement is None:
        return await provider.run(call)
    if task.call == "resume":
        return await provider.resume(call, task.measurement)
    measurement = await provider.terminate(call, task.measurement)
    if measurement.phase in (SUCCESSFUL, INCONCLUSIVE):
        return msgspec.structs.replace(measurement, message="Metric Terminated")
    return measurement


def _error(task: Task, started: str, reach: ProviderContext, message: str) -> Measurement:
    before = task.measurement or Measurement(started_at=started)
    return msgspec.structs.replace(before, phase=ERROR, message=message, finished_at=format_time(reach.clock()))


async def clean_up(run: AnalysisRun, resolved: Resolved, trimmed: Mapping[str, int], reach: ProviderContext) -> None:
    """Let providers remove objects of measurements that have left the status (`Assessed.trimmed`).

    After a failure the next call tries again.
    """
    for name, keep in trimmed.items():
        metric = resolved.metric(name)
        if metric is not None:
            with suppress(ProviderError, TimeoutError):
                provider = provider_of(metric.metric)
                if isinstance(provider, VerdictProvider):
                    async with asyncio.timeout(LONGEST_CALL):
                        await provider.clean_up(MeasurementRequest(run, metric.metric, reach), keep)
