"""Shortens the status of a run until it can be stored. There may be thousands of measurements with long texts.

Phases, times and counters always stay, because decisions use them. Only texts for display are shortened.
"""

from __future__ import annotations

from msgspec import structs

from serinus.api.analysis import AnalysisRunStatus, Measurement, MetricResult
from serinus.api.messages.cutting import shortened

LARGEST = 600_000
"""Characters of all texts of a status: with a spec of the same size, the object stays below 1.5 MiB."""

STEPS = (2_000, 500, 100, 20)
"""Lengths to which texts are shortened, until all fit. The newest measurement of a metric keeps four times as much."""


def fitted(status: AnalysisRunStatus, most: int = LARGEST) -> AnalysisRunStatus:
    """The same status, or one with shorter texts if they have more than `most` characters together."""
    for step in STEPS:
        if _size(status) <= most:
            break
        results = [_cut(result, step) for result in status.metric_results]
        status = structs.replace(status, metric_results=results)
    return status


def _size(status: AnalysisRunStatus) -> int:
    return sum(
        len(result.message) + _notes(result.metadata) + sum(map(_of_measurement, result.measurements))
        for result in status.metric_results
    )


def _of_measurement(one: Measurement) -> int:
    return len(one.value) + len(one.message) + _notes(one.metadata)


def _notes(metadata: dict[str, str]) -> int:
    return sum(len(key) + len(value) for key, value in metadata.items())


def _cut(result: MetricResult, longest: int) -> MetricResult:
    measurements = [_cut_one(one, longest) for one in result.measurements[:-1]]
    measurements += [_cut_one(one, 4 * longest) for one in result.measurements[-1:]]
    metadata = {key: shortened(value, longest) for key, value in result.metadata.items()}
    return structs.replace(
        result, measurements=measurements, message=shortened(result.message, longest), metadata=metadata
    )


def _cut_one(one: Measurement, longest: int) -> Measurement:
    """Metadata stays: a provider may need it to resume its measurement, such as the name of a Job."""
    value, message = shortened(one.value, longest), shortened(one.message, longest)
    return one if (value, message) == (one.value, one.message) else structs.replace(one, value=value, message=message)
