"""The traffic of a metric with a sequential verdict: what its configuration expects, or the looks of an earlier run. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from serinus.analysis.sequential.metric import SequentialMetric
from serinus.analysis.sequential.planning import ExpectedTraffic
from serinus.api.analysis import AnalysisRun
from serinus.api.decoding.reading import converted
from serinus.api.messages.counted import counted


@dataclass(frozen=True, slots=True)
class Requests:
    """`requests`: a minute. `source`: in words. `share`: the canary's, None if it is not known."""

    requests: float
    source: str
    share: float | None = None


class _Value(msgspec.Struct):
    """The part of a verdict's value that contains the amount of traffic."""

    looks: int = 0
    requests: dict[str, float] = {}
    errors: dict[str, float] = {}


def traffic_of(name: str, asked: SequentialMetric, runs: Sequence[AnalysisRun]) -> tuple[ExpectedTraffic | None, str]:
    """(the traffic of a metric, its source): `expected`, or the looks of the latest run; None if neither exists."""
    if asked.expected is not None:
        requests, rate = asked.expected.requests, asked.expected.rate
        return ExpectedTraffic(requests, rate, asked.interval), f"{_words(requests, rate)} expected"
    for run, value in _looks_of(name, runs):
        stable, errors = value.requests.get("stable", 0), value.errors.get("stable", 0)
        if stable and 0 < errors < stable:
            requests, rate = _a_minute(value, asked.interval), errors / stable
            return ExpectedTraffic(requests, rate, asked.interval), f"{_words(requests, rate)} in {run}"
    return None, ""


def requests_of(name: str, asked: SequentialMetric, runs: Sequence[AnalysisRun]) -> Requests | None:
    """The requests of both versions, whatever their errors: `expected`, or the looks of the latest run."""
    latest = next(_looks_of(name, runs), None)
    share = None
    if latest is not None:
        both = sum(latest[1].requests.values())
        share = latest[1].requests.get("canary", 0) / both if both else None
    if asked.expected is not None:
        requests = asked.expected.requests
        return Requests(requests, f"{_rate_words(requests)} expected", share)
    if latest is None:
        return None
    requests = _a_minute(latest[1], asked.interval)
    return Requests(requests, f"{_rate_words(requests)} in {latest[0]}", share) if requests else None


def _looks_of(name: str, runs: Sequence[AnalysisRun]) -> Iterator[tuple[str, _Value]]:
    """(name of the run, its counts) of the runs that took a look at this metric, the latest first."""
    for run in sorted(runs, key=lambda one: one.metadata.creation_timestamp or "", reverse=True):
        result = next((one for one in run.status.metric_results if one.name == name and one.measurements), None)
        if result is not None:
            try:
                value = converted(msgspec.json.decode(result.measurements[-1].value), _Value)
            except (msgspec.DecodeError, msgspec.ValidationError):
                continue
            if value.looks:
                yield run.metadata.name, value


def _a_minute(value: _Value, interval: float) -> float:
    return (value.requests.get("stable", 0) + value.requests.get("canary", 0)) / (value.looks * interval / 60)


def _words(requests: float, rate: float) -> str:
    return f"{_rate_words(requests)} with {rate:.2%} errors"


def _rate_words(requests: float) -> str:
    return f"{counted(float(f'{requests:.3g}'), 'request')} a minute"
