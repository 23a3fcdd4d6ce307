"""Analyses of a Rollout that cannot be run: in its steps, in the background, around a switch, and of its experiments.

Source: analysis, section 7. The controller holds an update on these findings, and `lint` prints them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from serinus.analysis.arguments import experiment_arguments
from serinus.analysis.errors import AnalysisProblem
from serinus.analysis.expansion import MOST_WORK, Room
from serinus.analysis.validation import check_for_rollout
from serinus.api.analysis import Argument, ExperimentAnalysis, RolloutAnalysis, TemplateRef
from serinus.api.derived import once
from serinus.api.meta import Json
from serinus.api.rollout import Rollout, RolloutSpec
from serinus.api.validation.findings import Finding, invalid
from serinus.engine.core.analysis_runs import templates_of, typed

_METADATA = {"metadata.name", "metadata.namespace", "metadata.uid", "metadata.labels", "metadata.annotations"}
"""Fields of the Rollout's metadata that an argument may take its value from."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """`path`: of the field that names the templates. `endless`: whether the analysis may run for as long as the update.

    `experiment`: the step's experiment that names the analysis; None if the Rollout itself does. `arms`: its templates,
    by name.
    """

    path: str
    analysis: RolloutAnalysis
    endless: bool
    experiment: Json | None = None
    arms: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])


def findings(rollout: Rollout, objects: Mapping[str, Json]) -> Iterator[Finding]:
    """Errors that prevent an analysis of this Rollout. `objects`: the templates, by "Kind/name".

    Missing templates are not among them.
    """
    asked = analyses_of(rollout.spec)
    if not asked:
        return
    templates, whole = templates_of(objects), msgspec.to_builtins(rollout)
    work = Room("analyses of a Rollout, all together,", MOST_WORK)
    for one in asked:
        try:
            later = _given_by(one.experiment, one.analysis.args, one.arms) if one.experiment is not None else ()
            check_for_rollout(one.analysis, *templates, background=one.endless, rollout=whole, later=later, work=work)
        except AnalysisProblem as problem:
            if problem.missing is None:
                names = " ".join(ref.template_name for ref in one.analysis.templates)
                yield invalid(one.path, f"templateNames: [{names}]", str(problem))


def argument_findings(path: str, args: list[Json]) -> Iterator[Finding]:
    """Arguments, as JSON, with a metadata field that arguments may not read."""
    for arg in args:
        name = ((arg.get("valueFrom") or {}).get("fieldRef") or {}).get("fieldPath") or ""
        if name.startswith("metadata") and name.partition("[")[0] not in _METADATA:
            text = "Analyses arguments must refer to valid object metadata supported by downwardAPI"
            yield invalid(path, args, text)


def analyses_of(spec: RolloutSpec) -> tuple[_Asked, ...]:
    """All analyses in the spec, in the order of the checks."""
    return once(spec, "analyses", lambda: tuple(_asked(spec)))


def reads_metadata(spec: RolloutSpec) -> bool:
    """Whether an argument has its value from the Rollout's metadata, which changes without the spec."""
    return once(
        spec,
        "analyses read metadata",
        lambda: any(
            arg.value_from is not None
            and arg.value_from.field_ref is not None
            and arg.value_from.field_ref.field_path.startswith("metadata")
            for one in analyses_of(spec)
            for arg in one.analysis.args
        ),
    )


def _asked(spec: RolloutSpec) -> Iterator[_Asked]:
    canary, blue_green = spec.strategy.canary, spec.strategy.blue_green
    if blue_green is not None:
        for name, part in (
            ("prePromotionAnalysis", blue_green.pre_promotion_analysis),
            ("postPromotionAnalysis", blue_green.post_promotion_analysis),
        ):
            if part is not None:
                yield _Asked(f"spec.strategy.blueGreen.{name}.templates", typed(part), endless=False)
    if canary is not None:
        for i, step in enumerate(canary.steps):
            path = f"spec.strategy.canary.steps[{i}]"
            if step.analysis is not None:
                yield _Asked(f"{path}.analysis.templates", typed(step.analysis), endless=False)
            if step.experiment is not None:
                yield from _of_step(f"{path}.experiment", step.experiment)
        if canary.analysis is not None:
            yield _Asked("spec.strategy.canary.analysis.templates", typed(canary.analysis), endless=True)


def _of_step(path: str, experiment: Json) -> Iterator[_Asked]:
    arms = {str(template.get("name")): ("", "") for template in experiment.get("templates") or []}
    for i, part in enumerate(experiment.get("analyses") or []):
        analysis = msgspec.convert(part, ExperimentAnalysis)
        reference = TemplateRef(analysis.template_name, analysis.cluster_scope)
        asked = RolloutAnalysis(templates=[reference], args=analysis.args)
        yield _Asked(f"{path}.analyses[{i}].templateName", asked, endless=True, experiment=experiment, arms=arms)


def _given_by(experiment: Json, args: Sequence[Argument], arms: Mapping[str, tuple[str, str]]) -> set[str]:
    """The arguments whose values the running Experiment provides. AnalysisProblem for one without a value."""
    finished_at = "later" if experiment.get("duration") else ""
    filled = experiment_arguments(args, arms, available_at="later", finished_at=finished_at)
    return {old.name for old, new in zip(args, filled, strict=True) if old.value != new.value}
