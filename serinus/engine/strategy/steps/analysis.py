"""`analysis`: the update waits for an AnalysisRun. Source: canary strategy, section 3; analysis, section 5."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from serinus.analysis.phases import SUCCESSFUL
from serinus.api.meta import Json
from serinus.api.validation.findings import Finding
from serinus.engine.core import wait_reasons
from serinus.engine.core.analysis_runs import STEP
from serinus.engine.core.plan import Wait
from serinus.engine.core.step_kinds import StepKind, StepPlace, StepRun, StepStatus
from serinus.engine.judging import analyses
from serinus.engine.judging.analysis_validation import argument_findings


class AnalysisStep(StepKind):
    field = "analysis"
    alone = True
    stops_deadline = True

    def describe(self, part: Json) -> str:
        return "analysis"

    def words(self, part: Any) -> str:
        templates: list[Json] = (cast(Json, part).get("templates") if isinstance(part, dict) else None) or []
        names = [str(template.get("templateName")) for template in templates]
        return f"run the analysis {', '.join(names)}".rstrip()

    def validate(self, part: Json, place: StepPlace) -> Iterator[Finding]:
        yield from argument_findings(f"{place.path}.analyses", part.get("args") or [])

    def complete(self, part: Json, run: StepRun) -> bool:
        if analyses.ensure_run(run.builder, STEP, part, run.index) == SUCCESSFUL:
            analyses.forget(run.builder, STEP)
            return True
        analyses.wait_for(run.builder, STEP, run.place)
        return False

    def reason(self, part: Json, known: StepStatus) -> Wait | None:
        run = known.status.canary.current_step_analysis_run_status
        words = f"{run.get('name')} is {run.get('status') or 'Pending'}" if run else "its analysis begins"
        return Wait(wait_reasons.ANALYSIS.code, f"step {known.index + 1}: {words}")


KIND = AnalysisStep()
