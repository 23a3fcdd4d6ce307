"""`experiment`: the update waits for an Experiment. Source: canary strategy, section 3; analysis, section 6."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from serinus.api.meta import Json
from serinus.api.validation.findings import Finding, invalid
from serinus.engine.core import wait_reasons
from serinus.engine.core.plan import Wait
from serinus.engine.core.step_kinds import StepKind, StepPlace, StepRun, StepStatus
from serinus.engine.judging import experiments
from serinus.engine.judging.analysis_validation import argument_findings


class ExperimentStep(StepKind):
    field = "experiment"
    alone = True
    stops_deadline = True

    def describe(self, part: Json) -> str:
        return "experiment"

    def words(self, part: Any) -> str:
        return "run an experiment"

    def validate(self, part: Json, place: StepPlace) -> Iterator[Finding]:
        for i, template in enumerate(part.get("templates") or []):
            weight = template.get("weight")
            at = f"{place.path}.experiment.templates[{i}].weight"
            if weight is not None and place.routing is None:
                yield invalid(at, weight, "Experiment template weight cannot be set unless TrafficRouting is enabled")
            elif weight is not None and not place.capabilities.experiments:
                routers = "SMI, ALB, Istio and Plugins"
                text = f"Experiment template weight is only available for TrafficRouting with {routers} at this time"
                yield invalid(at, weight, text)
        arguments = [arg for analysis in part.get("analyses") or [] for arg in analysis.get("args") or []]
        yield from argument_findings(f"{place.path}.analyses", arguments)

    def complete(self, part: Json, run: StepRun) -> bool:
        return experiments.complete(run.builder, run.step, run.index)

    def reason(self, part: Json, known: StepStatus) -> Wait | None:
        name = known.status.canary.current_experiment or "its experiment"
        return Wait(wait_reasons.EXPERIMENT.code, f"step {known.index + 1}: {name} is not over")


KIND = ExperimentStep()
