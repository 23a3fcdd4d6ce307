"""Metric series with one entry per object, stored and written without a general library.

A library that keeps an object per series takes seconds to write the series of some thousand Rollouts. It blocks the
process meanwhile, so a scrape could cost the leader its lease. Here a Rollout costs only its lines of text.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from serinus.kube.informer import Key

BUCKETS = (0.01, 0.15, 0.25, 0.5, 1.0)
"""Seconds of a reconcile."""


class Reconciles:
    """Durations and failures of reconciles for each object of a kind. `forget` removes those of an object.

    `kind`: prefix of the names of the series.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._buckets: dict[Key, list[float]] = {}
        """For each bucket the number of reconciles up to its limit, then the total number, then the total seconds."""
        self._errors: dict[Key, int] = defaultdict(int)

    def reconciled(self, key: Key, seconds: float) -> None:
        buckets = self._buckets.get(key)
        if buckets is None:
            buckets = self._buckets[key] = [0.0] * (len(BUCKETS) + 2)
        for place, most in enumerate(BUCKETS):
            if seconds <= most:
                buckets[place] += 1
        buckets[-2] += 1
        buckets[-1] += seconds

    def failed(self, key: Key) -> None:
        self._errors[key] += 1

    def forget(self, key: Key) -> None:
        self._buckets.pop(key, None)
        self._errors.pop(key, None)

    def lines(self) -> Iterator[str]:
        name = f"{self._kind}_reconcile"
        yield from head(name, "histogram", "Seconds of a reconcile.")
        bounds = [(place, f'le="{most}",') for place, most in enumerate(BUCKETS)]
        bounds.append((len(BUCKETS), 'le="+Inf",'))
        for key, buckets in self._buckets.items():
            who = owner(key)
            for place, bound in bounds:
                yield f"{name}_bucket{{{bound}{who}}} {buckets[place]}\n"
            yield f"{name}_count{{{who}}} {buckets[-2]}\n{name}_sum{{{who}}} {buckets[-1]}\n"
        yield from head(f"{name}_error_total", "counter", "Reconciles that failed.")
        for key, number in self._errors.items():
            yield f"{name}_error_total{{{owner(key)}}} {float(number)}\n"


class Events:
    """The number of Events by reason for each Rollout."""

    def __init__(self) -> None:
        self._counts: dict[Key, dict[tuple[str, str], int]] = {}

    def told(self, key: Key, type_: str, reason: str) -> None:
        events = self._counts.setdefault(key, {})
        events[type_, reason] = events.get((type_, reason), 0) + 1

    def forget(self, key: Key) -> None:
        self._counts.pop(key, None)

    def lines(self) -> Iterator[str]:
        yield from head("rollout_events_total", "counter", "Events told of a Rollout.")
        for key, events in self._counts.items():
            who = owner(key)
            for (type_, reason), number in events.items():
                yield f'rollout_events_total{{{who},reason="{text(reason)}",type="{text(type_)}"}} {float(number)}\n'


def gauge(name: str, meaning: str, values: Iterable[tuple[Key, str, float]]) -> Iterator[str]:
    """`values`: (Rollout, further labels in text form, value)."""
    yield from head(name, "gauge", meaning)
    for key, labels, value in values:
        yield f"{name}{{{owner(key)}{labels}}} {float(value)}\n"


def head(name: str, kind: str, meaning: str) -> Iterator[str]:
    yield f"# HELP {name} {meaning}\n# TYPE {name} {kind}\n"


def owner(key: Key) -> str:
    """The labels that identify a Rollout. Names of objects contain no characters that need escaping."""
    return f'name="{key[1]}",namespace="{key[0]}"'


def text(value: str) -> str:
    """A label's value, escaped."""
    if value.isalnum():
        return value
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
