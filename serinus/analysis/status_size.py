"""The status of a run, cut until it can be stored: measurements keep what an answer or an error said, and there may be thousands.

Phases, times and counters always stay: decisions are made of them. What is cut is only shown.
"""

from __future__ import annotations

from msgspec import structs

from serinus.api.analysis import AnalysisRunStatus, Measurement, MetricResult
from serinus.api.cutting import shortened

LARGEST = 600_000
"""Characters of all values, messages and notes of a status: beside a spec of as much, the object stays below 1.5 MiB."""

STEPS = (2_000, 500, 100, 20)
"""Characters to which each text is cut, until all of them fit. The newest measurement of a metric keeps four times as much."""


def fitted(status: AnalysisRunStatus, most: int = LARGEST) -> AnalysisRunStatus:
    """The same status, or one with shorter texts where they take more than `most` characters together."""
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
    """Notes stay: a provider may need them to go on with its measurement, such as the name of a Job."""
    value, message = shortened(one.value, longest), shortened(one.message, longest)
    return one if (value, message) == (one.value, one.message) else structs.replace(one, value=value, message=message)
