"""Verdicts with a stated error bound, over any provider of counts (docs/verdicts.md).

One measurement takes all looks: it is Running until there is a verdict, and is resumed at each interval. Its value is
the verdict as JSON, its metadata the looks. After a restart the object is enough to continue.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from serinus.analysis.limits import number
from serinus.analysis.phases import ERROR, FAILED, INCONCLUSIVE, RUNNING, SUCCESSFUL
from serinus.analysis.providers.counts import Counting, NoCounts
from serinus.analysis.providers.errors import ProviderError
from serinus.analysis.providers.provider import MeasurementRequest, VerdictProvider
from serinus.analysis.sequential.looks import FIELDS, checked_look
from serinus.analysis.sequential.metric import PLUGIN, Sequential, SequentialMetric, sequential_metric
from serinus.analysis.sequential.record import Record, record_of
from serinus.analysis.sequential.settings import SetupError
from serinus.analysis.sequential.summary import summary
from serinus.analysis.verdicts import last_measurement
from serinus.api.analysis import Measurement, Metric
from serinus.api.messages.counted import counted
from serinus.api.values.times import age_words, format_deadline, format_time

REMEMBERED = 2_000
"""Most unfinished verdicts whose sums stay in memory. The sums of others are computed again from their looks."""
DECIMALS = 3
"""Decimals of counts: `increase()` extrapolates, so more digits have no benefit."""
EXTRAPOLATED = 1.1
"""Errors may exceed requests by this factor plus one: `increase()` extrapolates each series separately."""
ONE_SIDED = 10
"""Looks without a stable request, while the canary has some, before the metric fails."""
MANY = 100


class _Asked(NamedTuple):
    """A metric as it is `given`, its configuration, and its queries."""

    given: Metric
    metric: SequentialMetric
    counting: Counting


class _Kept(NamedTuple):
    """The state after the latest look of a metric, from which the next one continues."""

    metadata: Mapping[str, str]
    record: Record
    asked: _Asked


class SequentialVerdicts(VerdictProvider[Sequential]):
    type = "Sequential"
    key = PLUGIN
    config = Sequential

    def __init__(self) -> None:
        self._records: OrderedDict[tuple[str, str], _Kept] = OrderedDict()

    async def run(self, call: MeasurementRequest) -> Measurement:
        """Continue from a measurement that ended in an error: its earlier looks are still evidence."""
        result = next((one for one in call.run.status.metric_results if one.name == call.metric.name), None)
        before = last_measurement(result)
        known = before.metadata if before is not None and before.phase == ERROR else {}
        return await self._looked(call, Measurement(RUNNING, started_at=format_time(call.now), metadata=dict(known)))

    async def resume(self, call: MeasurementRequest, measurement: Measurement) -> Measurement:
        return await self._looked(call, measurement)

    async def terminate(self, call: MeasurementRequest, measurement: Measurement) -> Measurement:
        metric = self._asked(call).metric
        return _ended(call, metric, self._record(call, metric, measurement), measurement, _undecided(metric), "")

    async def _looked(self, call: MeasurementRequest, measurement: Measurement) -> Measurement:
        asked = self._asked(call)
        metric = asked.metric
        record = self._record(call, metric, measurement)
        course, now = record.course, call.now
        if not course.began_at:
            course.began_at = course.used_at = now
        try:
            counts = await asked.counting.counts(call)
            used = _add(metric, record, counts, now)
        except NoCounts as gap:
            course.unused += 1
            course.reason = call.foreign(f"{gap.own}{gap.foreign}", 300)
            used = False
        except SetupError as error:
            raise ProviderError("", str(error)) from None
        if used:
            course.used_at, course.reason = now, ""
            _note_split(metric, record, call.reach.weight_of(call.run))
        phase, why = _judged(metric, record, now, number(call.metric.count))
        if phase != RUNNING:
            return _ended(call, metric, record, measurement, phase, why)
        return self._kept(call, asked, record, measurement)

    def _kept(self, call: MeasurementRequest, asked: _Asked, record: Record, before: Measurement) -> Measurement:
        metadata, metric = record.metadata(), asked.metric
        key = (call.run.metadata.uid, call.metric.name)
        self._records[key] = _Kept(metadata, record, asked)
        self._records.move_to_end(key)
        if len(self._records) > REMEMBERED:
            self._records.popitem(last=False)
        message, value = _texts(record, metric)
        return msgspec.structs.replace(
            before,
            phase=RUNNING,
            message=message,
            value=value,
            metadata=metadata,
            resume_at=format_deadline(call.now + metric.interval),
        )

    def _record(self, call: MeasurementRequest, metric: SequentialMetric, measurement: Measurement) -> Record:
        # A look changes the record. It is cached again with the measurement that includes the look: another measurement,
        # such as a repetition after a refused write, must not find it.
        known = self._records.pop((call.run.metadata.uid, call.metric.name), None)
        if known is not None and known.metadata == measurement.metadata and known.record.settings == metric.settings:
            return known.record
        try:
            return record_of(metric.settings, measurement.metadata)
        except SetupError as error:
            raise ProviderError("", str(error)) from None

    def _asked(self, call: MeasurementRequest) -> _Asked:
        known = self._records.get((call.run.metadata.uid, call.metric.name))
        if known is not None and known.asked.given is call.metric:
            return known.asked
        try:
            metric = sequential_metric(call.metric)
            return _Asked(call.metric, metric, Counting(metric, call))
        except SetupError as error:
            raise ProviderError("", str(error)) from None


def _add(metric: SequentialMetric, record: Record, counts: dict[str, float], now: float) -> bool:
    """Add the counts as a look. NoCounts if they are not new, SetupError if they are invalid counts."""
    course = record.course
    if course.used_at > now + 1:
        raise NoCounts("the controller's clock went back: the look would overlap the one before")
    evaluated_at = counts.get("time")
    if evaluated_at is not None and now - evaluated_at > 2 * metric.interval:
        raise NoCounts(f"counts.time: the provider answers data that is {age_words(now - evaluated_at)} old")
    if evaluated_at is not None and evaluated_at - now > 2 * metric.interval:
        raise NoCounts(
            f"counts.time: the provider's clock is {age_words(evaluated_at - now)} ahead of the controller's"
        )
    numbers = [counts.get(field, 0.0) for field in FIELDS]
    if metric.totals:
        checked_look(_within(numbers))
        before, course.totals = course.totals, numbers
        if not before:
            raise NoCounts("the first totals are where counting begins")
        if any(later < earlier for earlier, later in zip(before, numbers, strict=True)):
            raise NoCounts("a counter went back: it was reset, or a pod with its counter is gone")
        numbers = [later - earlier for earlier, later in zip(before, numbers, strict=True)]
    record.add(checked_look([round(one, DECIMALS) for one in _within(numbers)]))
    return True


def _note_split(metric: SequentialMetric, record: Record, in_force: float | None) -> None:
    """Add the latest look to the check of the split, with the metric's own `weight` or the current one."""
    weight = in_force if metric.weight is None else metric.weight / 100
    if metric.compares and weight is not None:
        record.course.note_split(record.latest, weight, fixed=metric.weight is not None)


def _within(numbers: list[float]) -> list[float]:
    """The numbers, with errors reduced to requests if extrapolation explains the difference."""
    if numbers[1] <= numbers[0] and numbers[3] <= numbers[2]:
        return numbers
    fitted = list(numbers)
    for place in (0, 2):
        requests, errors = numbers[place : place + 2]
        if requests < errors <= requests * EXTRAPOLATED + 1 and not (
            requests == int(requests) and errors == int(errors)
        ):
            fitted[place + 1] = requests
    return fitted


def _judged(metric: SequentialMetric, record: Record, now: float, count: int) -> tuple[str, str]:
    """The phase after a look, and the reason if the metric ends without a verdict."""
    tally, course = record.tally, record.course
    n_c, _, n_s, _ = tally.totals
    mismatch = course.mismatch()
    if mismatch:
        return INCONCLUSIVE, mismatch
    if tally.word == "harm":
        return (FAILED if metric.role == "guardrail" else INCONCLUSIVE), ""
    if tally.word == "safe":
        return SUCCESSFUL, ""
    if metric.settings.budget is None and tally.looks >= ONE_SIDED and n_c >= MANY and not n_s:
        return INCONCLUSIVE, (
            f"counts.stable.requests: no request in {counted(tally.looks, 'look')}, and the canary had {n_c:g}: correct the query, or set "
            "`budget` where there is no stable version to compare with"
        )
    if now - course.used_at >= metric.no_data:
        since = age_words(now - course.used_at)
        return (
            INCONCLUSIVE,
            f"no counts for {since}, the limit (noData) is {age_words(metric.no_data)}: {course.reason}",
        )
    if count and tally.looks + course.unused >= count:
        return _undecided(metric), ""
    return RUNNING, ""


def _undecided(metric: SequentialMetric) -> str:
    return SUCCESSFUL if metric.undecided == "pass" else INCONCLUSIVE


def _ended(
    call: MeasurementRequest, metric: SequentialMetric, record: Record, measurement: Measurement, phase: str, why: str
) -> Measurement:
    message, value = _texts(record, metric)
    return msgspec.structs.replace(
        measurement,
        phase=phase,
        message=why or message,
        value=value,
        metadata=record.metadata(),
        finished_at=format_time(call.now),
        resume_at=None,
    )


def _texts(record: Record, metric: SequentialMetric) -> tuple[str, str]:
    """The verdict as a sentence and as JSON."""
    result, reason = summary(record, metric.interval), record.course.reason
    message = f"{result.missing}; look not used: {reason}" if reason else result.missing
    return message, msgspec.json.encode(result).decode()


PROVIDER = SequentialVerdicts()
