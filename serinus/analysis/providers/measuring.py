"""Carries out the tasks of a run: one call of a provider each, all at the same time."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec

from serinus.analysis.assessment import Measured, shown, texts
from serinus.analysis.hiding import Hidden
from serinus.analysis.phases import ERROR, INCONCLUSIVE, SUCCESSFUL
from serinus.analysis.providers.current import CURRENT, Current
from serinus.analysis.providers.provider import Call, Provider, Reach
from serinus.analysis.providers.registry import provider_of
from serinus.analysis.providers.trouble import ProviderError
from serinus.analysis.resolved import Resolved
from serinus.analysis.schedule import Task
from serinus.api.analysis import AnalysisRun, Measurement
from serinus.api.cutting import LONGEST_MESSAGE
from serinus.api.times import format_time

LONGEST_CALL = 3600.0
"""Seconds for one call, whatever its own limits are: a provider that hangs must not hold its run for ever."""


async def measure(run: AnalysisRun, tasks: Sequence[Task], reach: Reach, secrets: Sequence[str] = ()) -> list[Measured]:
    """What came of the tasks, in their order. What goes wrong is a measurement in the phase Error.

    No text of it shows one of `secrets`, or one that a provider has read.

    All of them count from the end of the last one: metrics of the same interval stay in one round, with one write, and
    none is asked earlier than its interval says.
    """
    found = await asyncio.gather(*(_one(run, task, reach, secrets) for task in tasks))
    ended = reach.clock()
    return [dataclasses.replace(one, ended=ended) for one in found]


async def _one(run: AnalysisRun, task: Task, reach: Reach, secrets: Sequence[str]) -> Measured:
    hidden = Hidden(secrets)
    CURRENT.set(Current(run.metadata.namespace, hidden))
    call = Call(run, task.metric.metric, reach, task.number, task.metric.shown, hidden)
    started = format_time(reach.clock())
    metadata: dict[str, str] = {}
    try:
        provider = provider_of(call.metric)
        metadata = dict(provider.metadata(call.shown or call.metric))
        async with asyncio.timeout(LONGEST_CALL):
            measurement = await _called(provider, task, call)
    except TimeoutError:
        measurement = _error(task, started, reach, f"no answer within {LONGEST_CALL:.0f} s")
    except ProviderError as error:
        measurement = _error(task, started, reach, hidden.message(error.own, error.said, LONGEST_MESSAGE))
    except Exception as error:  # a bug or a plugin of somebody must not end the controller
        message = hidden.message(f"{type(error).__name__}: ", str(error), LONGEST_MESSAGE)
        measurement = _error(task, started, reach, message)
    return Measured(task, shown(measurement, hidden), reach.clock(), texts(metadata, hidden))


async def _called(provider: Provider, task: Task, call: Call) -> Measurement:
    if task.measurement is None:
        return await provider.run(call)
    if task.call == "resume":
        return await provider.resume(call, task.measurement)
    measurement = await provider.terminate(call, task.measurement)
    if measurement.phase in (SUCCESSFUL, INCONCLUSIVE):
        return msgspec.structs.replace(measurement, message="Metric Terminated")
    return measurement


def _error(task: Task, started: str, reach: Reach, message: str) -> Measurement:
    before = task.measurement or Measurement(started_at=started)
    return msgspec.structs.replace(before, phase=ERROR, message=message, finished_at=format_time(reach.clock()))


async def clean_up(run: AnalysisRun, resolved: Resolved, trimmed: Mapping[str, int], reach: Reach) -> None:
    """Tells providers that only the newest measurements of a metric are kept (`Assessed.trimmed`).

    What goes wrong is left for the next time.
    """
    for name, keep in trimmed.items():
        metric = resolved.metric(name)
        if metric is not None:
            with suppress(ProviderError):
                await provider_of(metric.metric).clean_up(Call(run, metric.metric, reach), keep)
