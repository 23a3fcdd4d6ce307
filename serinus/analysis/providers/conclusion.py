"""From a reading to a measurement: evaluates the conditions of the metric on the provider's reading."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from serinus.analysis.expr.errors import TooMuchWork
from serinus.analysis.expr.limits import STEPS
from serinus.analysis.phases import ERROR
from serinus.analysis.providers.provider import MeasurementRequest, QueryProvider, Reading
from serinus.analysis.verdicts import LONGEST_VALUE, judged
from serinus.api.analysis import Measurement
from serinus.api.messages.cutting import LONGEST_MESSAGE
from serinus.api.values.times import format_time

QUICK = 20_000
"""Most steps of a condition in the event loop: about 20 ms. Longer ones run again in the reader's thread."""


async def measured(provider: QueryProvider[Any], call: MeasurementRequest) -> Measurement:
    """The finished measurement. ProviderError if the provider has no reading."""
    started = format_time(call.now)
    reading = await provider.query(call.config(provider.key, provider.config), call)
    now = call.now
    if not reading.large:
        with suppress(TooMuchWork):
            return _concluded(call, reading, started, now, QUICK)
    return await call.reach.reader.apart(lambda: _concluded(call, reading, started, now, STEPS))


def _concluded(call: MeasurementRequest, reading: Reading, started: str, now: float, steps: int) -> Measurement:
    verdict = judged(call.metric, reading.result, now, call.shown, steps)
    return Measurement(
        verdict.phase,
        call.hidden.message(verdict.own, verdict.foreign, LONGEST_MESSAGE),
        started,
        format_time(now),
        value="" if verdict.phase == ERROR else call.foreign(reading.value, LONGEST_VALUE),
        metadata={key: call.foreign(text, LONGEST_VALUE) for key, text in reading.metadata.items()},
    )
