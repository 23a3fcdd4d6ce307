"""A resolved run: its metrics with values, the dry-run metrics, and the number of measurements that stay."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from serinus.analysis.arguments import Secrets, argument_values, secret_values
from serinus.analysis.errors import AnalysisProblem
from serinus.analysis.expansion import Room
from serinus.analysis.expr.errors import ConditionError
from serinus.analysis.expr.patterns import Pattern
from serinus.analysis.hiding import STAND_IN
from serinus.analysis.limits import KEPT, AnalysisLimits, limits_of
from serinus.analysis.templating import with_arguments
from serinus.analysis.validation import check_metrics
from serinus.api.analysis import AnalysisRunSpec, DryRun, MeasurementRetention, Metric
from serinus.api.messages.counted import counted

MOST_MATCHES = 50_000
"""Most pairs of a rule's pattern and a metric's name to match: a third of a second."""


_PLAIN = re.compile(r"(\^?)([\w-]*+)(\$?)", re.ASCII)
"""A pattern that is a name or a part of a name, and needs no regular expression."""


@dataclass(frozen=True, slots=True)
class ResolvedMetric:
    """`dry_run`: it is measured and shown, without an effect. `kept`: measurements that stay in the status.

    `shown`: the metric with stand-ins for secret values, the source of all texts for users; None: it has none.
    """

    metric: Metric = field(repr=False)
    limits: AnalysisLimits
    dry_run: bool = False
    kept: int = KEPT
    shown: Metric | None = None

    @property
    def name(self) -> str:
        return self.metric.name


@dataclass(frozen=True, slots=True)
class Resolved:
    """`secrets`: values that no text may show. `size`: characters of the metrics, at most `expansion.LARGEST`."""

    metrics: tuple[ResolvedMetric, ...]
    secrets: tuple[str, ...] = field(default=(), repr=False)
    size: int = 0
    _by_name: dict[str, ResolvedMetric] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {metric.name: metric for metric in self.metrics})

    def metric(self, name: str) -> ResolvedMetric | None:
        return self._by_name.get(name)


def resolve(spec: AnalysisRunSpec, secrets: Secrets) -> Resolved:
    """The metrics of a run. AnalysisProblem, worded as the run's message, if the run is invalid.

    `secrets`: every Secret of `secret_names(spec.args)`. The run is validated with stand-ins for their values.
    """
    try:
        values, known = argument_values(spec.args, secrets), argument_values(spec.args, None)
        room = Room()
        metrics = [with_arguments(metric, values, room) for metric in spec.metrics]
        checked = metrics if known == values else _filled(spec, known)
        shown = metrics if known == values else _filled(spec, argument_values(spec.args, None, STAND_IN))
    except AnalysisProblem as problem:
        message = f"Unable to resolve metric arguments: {problem}"
        raise AnalysisProblem(message, missing=problem.missing) from None
    try:
        check_metrics(checked)
        names = [metric.name for metric in checked]
        known = dict.fromkeys(names)
        watched, retained = _dry_runs(spec.dry_run, known), _retentions(spec.measurement_retention, known)
    except AnalysisProblem as problem:
        raise AnalysisProblem(f"Analysis spec invalid: {problem}") from None
    resolved = tuple(
        # Names are labels of metrics and parts of Job names, so they keep the stand-ins that were validated.
        ResolvedMetric(
            replace(metric, name=name),
            limits_of(valid),
            name in watched,
            retained.get(name, KEPT),
            replace(shown_metric, name=name),
        )
        for metric, valid, shown_metric, name in zip(metrics, checked, shown, names, strict=True)
    )
    return Resolved(resolved, tuple(secret_values(spec.args, values)), room.used)


def _filled(spec: AnalysisRunSpec, values: Mapping[str, str]) -> list[Metric]:
    room = Room()
    return [with_arguments(metric, values, room) for metric in spec.metrics]


def _dry_runs(rules: Sequence[DryRun], names: Mapping[str, None]) -> set[str]:
    _bounded("dryRun", [rule.metric_name for rule in rules], names)
    dry: set[str] = set()
    for index, rule in enumerate(rules):
        dry.update(_matching("dryRun", index, rule.metric_name, names))
    return dry


def _retentions(rules: Sequence[MeasurementRetention], names: Mapping[str, None]) -> dict[str, int]:
    """The number for each metric. The last matching rule applies."""
    _bounded("measurementRetention", [rule.metric_name for rule in rules], names)
    retained: dict[str, int] = {}
    for index, rule in enumerate(rules):
        for name in _matching("measurementRetention", index, rule.metric_name, names):
            retained[name] = rule.limit if rule.limit > 0 else KEPT
    return retained


def _bounded(what: str, patterns: Sequence[str], names: Mapping[str, None]) -> None:
    """AnalysisProblem for too many matches. `^name$` costs nothing, a part of a name 1/100 of a regular expression."""
    plain = [_PLAIN.fullmatch(pattern) for pattern in patterns]
    cost = sum(100 if match is None else not (match[1] and match[3]) for match in plain) * len(names)
    if cost > 100 * MOST_MATCHES:
        raise AnalysisProblem(
            f"{what} has {counted(len(patterns), 'pattern')} for {counted(len(names), 'metric')}: at most "
            f"{MOST_MATCHES} pairs of a pattern and a metric are tried; write patterns that match several metrics, or whole names: ^name$"
        )


def _matching(what: str, index: int, pattern: str, names: Mapping[str, None]) -> list[str]:
    try:
        if (plain := _PLAIN.fullmatch(pattern)) is not None:
            matches = _plainly(plain, names)
        else:
            compiled = Pattern(pattern)
            matches = [name for name in names if compiled.found_in(name)]
    except ConditionError:
        matches = []
    if not matches:
        raise AnalysisProblem(f"{what}[{index}]: Rule didn't match any metric name(s)")
    return matches


def _plainly(plain: re.Match[str], names: Mapping[str, None]) -> list[str]:
    start, text, end = plain.groups()
    if start and end:
        return [text] if text in names else []
    if start:
        return [name for name in names if name.startswith(text)]
    return [name for name in names if name.endswith(text)] if end else [name for name in names if text in name]
