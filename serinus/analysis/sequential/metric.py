"""A metric whose provider is `plugin: {serinus.dev/sequential: …}`: its configuration, checked. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from serinus.analysis.sequential.settings import SetupError, VerdictSettings, checked
from serinus.api.analysis import Metric
from serinus.api.messages.counted import counted
from serinus.api.values.durations import go_duration

PLUGIN = "serinus.dev/sequential"
COUNTING = ("prometheus", "datadog", "newRelic", "influxdb", "cloudWatch", "graphite", "wavefront", "web")
"""Providers of numbers, by their keys in `provider`."""
NUMBERS = ("requests", "errors")
_WINDOW = re.compile(r"\[\s*([0-9][0-9a-z.]*)\s*(?::[^\]]*)?\]")


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The expected traffic, for warnings about short steps: requests a minute of both versions together, and the error
    rate of the stable version."""

    requests: float
    rate: float


class Sequential(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The configuration as written. `undecided`: the result without a verdict. `role`: harm fails a guardrail, and
    makes a signal inconclusive, which pauses the release. `no_data`: the longest time without counts.

    `weight`: the canary's share of the traffic in percent, for the check of the split; None: not checked.
    """

    counts: dict[str, Any]
    false_abort: float = 0.05
    false_pass: float = 0.05
    tolerated: float = 1.0
    margin: float = 1.5
    budget: float | None = None
    dispersion: float = 1.0
    undecided: Literal["pass", "inconclusive"] = "inconclusive"
    role: Literal["guardrail", "signal"] = "guardrail"
    no_data: str = "10m"
    weight: float | None = None
    expected: Expected | None = None


@dataclass(frozen=True, slots=True)
class SequentialMetric:
    """`provider`: the key of the counting provider. `base`: its configuration without queries. `queries`: texts or
    parts of a configuration, by the field of a look (`canary.errors`), and `time` for the age of the data.

    `totals`: the queries give totals since the start of a counter, and a look is the difference. Times are seconds.
    """

    settings: VerdictSettings
    provider: str
    base: Mapping[str, Any]
    queries: Mapping[str, str | Mapping[str, Any]]
    totals: bool
    interval: float
    no_data: float
    weight: float | None
    undecided: Literal["pass", "inconclusive"]
    role: Literal["guardrail", "signal"]
    expected: Expected | None = None

    @property
    def compares(self) -> bool:
        """Whether there is a stable version to compare with."""
        return "stable.requests" in self.queries


def configuration(metric: Metric) -> Mapping[str, Any] | None:
    """The value of the plugin's name; None for a metric of another provider."""
    plugins = metric.provider.get("plugin")
    if not isinstance(plugins, dict) or PLUGIN not in plugins:
        return None
    value = plugins[PLUGIN]
    return value if isinstance(value, dict) else {}


def sequential_metric(metric: Metric) -> SequentialMetric:
    """The metric with its arguments filled in. SetupError names the field that prevents a verdict."""
    try:
        config = msgspec.convert(configuration(metric) or {}, Sequential, strict=False)
    except msgspec.ValidationError as error:
        raise SetupError("", str(error)) from None
    settings = checked(
        VerdictSettings(
            config.false_abort, config.false_pass, config.tolerated, config.margin, config.budget, config.dispersion
        )
    )
    if not metric.interval:
        raise SetupError("interval", "is missing: a sequential verdict takes a look at each interval, such as 30s")
    if config.weight is not None and not 0 <= config.weight <= 100:
        raise SetupError("weight", f"{config.weight:g} is no percentage between 0 and 100")
    counts = dict(config.counts)
    totals = counts.pop("totals", False) in (True, "true")
    age = {"time": counts.pop("time")} if "time" in counts else {}
    canary, stable = counts.pop("canary", None), counts.pop("stable", None)
    if stable is None and settings.budget is None:
        raise SetupError(
            "counts.stable",
            "is missing: without a stable version to compare with, set `budget`, the error rate allowed",
        )
    queries = {**_side("canary", canary), **({} if stable is None else _side("stable", stable)), **age}
    provider, base = _provider(counts)
    interval = _seconds("interval", metric.interval)
    if provider == "prometheus" and not totals:
        _check_windows(queries, interval)
    return SequentialMetric(
        settings,
        provider,
        base,
        queries,
        totals,
        interval,
        max(_seconds("noData", config.no_data), 2 * interval),
        config.weight,
        config.undecided,
        config.role,
        _expected(config.expected),
    )


def _expected(given: Expected | None) -> Expected | None:
    if given is not None and not (given.requests > 0 and math.isfinite(given.requests)):
        raise SetupError(
            "expected.requests", f"{given.requests:g} is no number of requests a minute: it must be above 0"
        )
    if given is not None and not 0 < given.rate < 1:
        raise SetupError("expected.rate", f"{given.rate:g} is no error rate between 0 and 1, both excluded")
    return given


def _side(name: str, side: Any) -> dict[str, str | Mapping[str, Any]]:
    if not isinstance(side, dict):
        raise SetupError(f"counts.{name}", "is missing: it holds two queries, `requests` and `errors`")
    for number in NUMBERS:
        if not side.get(number):
            raise SetupError(f"counts.{name}.{number}", "is missing: it holds the query that counts them")
    unknown = sorted(set(side) - set(NUMBERS))
    if unknown:
        raise SetupError(f"counts.{name}.{unknown[0]}", "is not known: the fields are `requests` and `errors`")
    return {f"{name}.{number}": side[number] for number in NUMBERS}


def _provider(counts: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    known = ", ".join(COUNTING)
    if len(counts) != 1:
        raise SetupError("counts", f"names {counted(len(counts), 'provider')}, and must name one of {known}")
    ((name, base),) = counts.items()
    if name not in COUNTING:
        raise SetupError(f"counts.{name}", f"is no provider that gives numbers: use one of {known}")
    return name, base if isinstance(base, dict) else {}


def _check_windows(queries: Mapping[str, Any], interval: float) -> None:
    """SetupError for overlapping windows, which would count the same error in several looks."""
    for field, query in queries.items():
        for window in _WINDOW.findall(query) if isinstance(query, str) and field != "time" else ():
            try:
                seconds = go_duration(window)
            except ValueError:
                continue
            if seconds > interval:
                raise SetupError(
                    f"counts.{field}",
                    f"looks back {window} at each interval of {interval:g} s: the same errors would count several times. "
                    f"Use a window of [{interval:g}s]",
                )


def _seconds(field: str, text: str) -> float:
    try:
        seconds = go_duration(text)
    except ValueError as error:
        raise SetupError(field, f"{text!r} is no duration such as 30s: {error}") from None
    if seconds <= 0:
        raise SetupError(field, f"{text!r} is not above 0")
    return seconds
