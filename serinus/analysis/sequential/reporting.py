"""Sequential verdicts on past releases, and the outcomes of these: for a trial before verdicts decide. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import msgspec

from serinus.analysis.sequential.metric import configuration
from serinus.analysis.sequential.settings import VerdictSettings
from serinus.api.analysis import AnalysisRun, MetricResult
from serinus.api.names import HASH
from serinus.api.rollout import Rollout

Outcome = Literal["promoted", "rolled back", "under way"]
Release = tuple[str, str, str]
"""Namespace, name of the Rollout (of the run, if it belongs to none), pod template hash."""


class ReportRow(msgspec.Struct, frozen=True, rename="camel"):
    """The releases of one metric of a Rollout. `acted`: whether its verdicts decide; in a dry run they do not.

    `harm_promoted`: releases with harm that became stable, `harm_rolled_back`: those that did not. `false_abort`: the
    share of promoted versions with harm, None without one or if verdicts decide: then a version with harm is never
    promoted. `bound`: the `falseAbort` of the metric.
    """

    namespace: str
    name: str
    metric: str
    acted: bool
    releases: int
    harm: int
    harm_rolled_back: int
    harm_promoted: int
    safe: int
    undecided: int
    promoted: int
    false_abort: float | None
    bound: float


class _Value(msgspec.Struct):
    verdict: str = ""


def report(runs: Sequence[AnalysisRun], rollouts: Iterable[Rollout]) -> list[ReportRow]:
    """A row for each metric with a sequential verdict. A retried release counts once, harm before safe.

    A version was promoted if it is the stable one, or if a run of a later version names it as an argument. It was
    rolled back if its update was aborted, or another version replaced it before.
    """
    known = {(one.metadata.namespace, one.metadata.name): one for one in rollouts}
    named = {(run.metadata.namespace, arg.value) for run in runs for arg in run.spec.args if arg.value != _hash(run)}
    verdicts: dict[tuple[str, str, str], dict[Release, list[tuple[str, bool, float]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for run in runs:
        for result, bound in _verdicts(run):
            release = _release(run)
            word = _word(result)
            if word:
                verdicts[release[0], release[1], result.name][release].append((word, not result.dry_run, bound))
    return [
        _row(key, releases, {one: _outcome(one, known.get(one[:2]), named) for one in releases})
        for key, releases in sorted(verdicts.items())
    ]


def _row(
    key: tuple[str, str, str], releases: dict[Release, list[tuple[str, bool, float]]], outcomes: dict[Release, Outcome]
) -> ReportRow:
    words = {release: _worst([word for word, _, _ in verdicts]) for release, verdicts in releases.items()}
    harmed = [release for release, word in words.items() if word == "harm"]
    promoted = [release for release, outcome in outcomes.items() if outcome == "promoted"]
    harm_promoted = sum(outcomes[release] == "promoted" for release in harmed)
    acted = any(acts for verdicts in releases.values() for _, acts, _ in verdicts)
    return ReportRow(
        *key,
        acted=acted,
        releases=len(releases),
        harm=len(harmed),
        harm_rolled_back=sum(outcomes[release] == "rolled back" for release in harmed),
        harm_promoted=harm_promoted,
        safe=sum(word == "safe" for word in words.values()),
        undecided=sum(word == "undecided" for word in words.values()),
        promoted=len(promoted),
        false_abort=None if acted or not promoted else round(harm_promoted / len(promoted), 4),
        bound=max(bound for verdicts in releases.values() for _, _, bound in verdicts),
    )


def _worst(words: Sequence[str]) -> str:
    return next((word for word in ("harm", "safe") if word in words), "undecided")


def _verdicts(run: AnalysisRun) -> Iterator[tuple[MetricResult, float]]:
    """(the result of a metric with a sequential verdict, its falseAbort)."""
    sequential = {metric.name for metric in run.spec.metrics if configuration(metric) is not None}
    for result in run.status.metric_results:
        if result.name in sequential and result.measurements:
            text = result.measurements[-1].metadata.get("settings", "{}")
            try:
                yield result, msgspec.json.decode(text, type=VerdictSettings).false_abort
            except msgspec.DecodeError:
                continue


def _word(result: MetricResult) -> str:
    try:
        return msgspec.json.decode(result.measurements[-1].value, type=_Value).verdict
    except msgspec.DecodeError:
        return ""


def _release(run: AnalysisRun) -> Release:
    owner = run.metadata.controller()
    return run.metadata.namespace, owner.name if owner else run.metadata.name, _hash(run)


def _hash(run: AnalysisRun) -> str:
    return run.metadata.labels.get(HASH, "")


def _outcome(release: Release, rollout: Rollout | None, named: set[tuple[str, str | None]]) -> Outcome:
    namespace, _, version = release
    status = rollout.status if rollout is not None else None
    if (status is not None and status.stable_rs == version) or (version and (namespace, version) in named):
        return "promoted"
    if status is None or (status.current_pod_hash == version and not status.abort):
        return "under way"
    return "rolled back"
