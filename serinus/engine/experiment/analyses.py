"""The analyses of an Experiment: they begin once all templates serve, and end with it.

Source: analysis, section 6 ("Analyses").
"""

from __future__ import annotations

from contextlib import suppress

import msgspec

from serinus.analysis.arguments import experiment_arguments
from serinus.analysis.errors import AnalysisProblem
from serinus.analysis.expansion import Room, TooLarge
from serinus.analysis.phases import COMPLETED, ERROR, FAILED, INCONCLUSIVE, PENDING
from serinus.analysis.run_objects import Owner, experiment_run, placed
from serinus.analysis.templates import found_templates, run_spec
from serinus.api.analysis import AnalysisRun, AnalysisRunSpec, ExperimentAnalysis, TemplateRef
from serinus.api.experiment import RunStatus
from serinus.api.meta import Json
from serinus.api.names import INSTANCE_ID
from serinus.api.values.times import format_time
from serinus.engine.core.analysis_runs import finished
from serinus.engine.core.plan import Action
from serinus.engine.core.references import expected_until
from serinus.engine.experiment.trial import MOST_A_PASS, Trial


def run_analyses(trial: Trial) -> None:
    """Begin, follow and end the runs."""
    terminating = trial.terminating()
    before = {run.name: run for run in trial.stored.analysis_runs}
    runs: list[RunStatus] = []
    for analysis in trial.spec.analyses:
        old = before.get(analysis.name) or RunStatus(analysis.name, "", "")
        new = _one(trial, analysis, old, terminating)
        if new.phase != old.phase:
            text = f"AnalysisRun '{new.name}' transitioned from {old.phase} -> {new.phase}"
            bad = new.phase in (FAILED, ERROR, INCONCLUSIVE)
            trial.record_event(
                f"AnalysisRun{new.phase}", text + (f": {new.message}" if new.message else ""), warning=bad
            )
        runs.append(new)
    trial.status.analysis_runs = runs


def _one(trial: Trial, analysis: ExperimentAnalysis, old: RunStatus, terminating: bool) -> RunStatus:
    if not old.analysis_run:
        return old if terminating or old.phase in COMPLETED else _begin_when_ready(trial, analysis, old)
    run = trial.runs.get(old.analysis_run)
    if terminating:
        return old if run is None else _terminate(trial, analysis, old, run)
    if run is not None:
        return RunStatus(old.name, old.analysis_run, run.status.phase or old.phase, run.status.message)
    if old.phase in COMPLETED:
        return old
    return RunStatus(old.name, old.analysis_run, ERROR, f"AnalysisRun {old.analysis_run} is gone")


def _terminate(trial: Trial, analysis: ExperimentAnalysis, old: RunStatus, run: AnalysisRun) -> RunStatus:
    """End a run that still measures. The verdict of one that has ended counts for a terminated Experiment."""
    if finished(run):
        if trial.spec.terminate and old.phase not in COMPLETED:
            # The Experiment ends with its required run; otherwise it would wait for the verdict forever.
            return RunStatus(old.name, old.analysis_run, run.status.phase, run.status.message)
    elif not run.spec.terminate:
        message = f"Terminating {analysis.name} ({run.metadata.name})"
        trial.record_event("AnalysisRunTerminating", message)
        patch: Json = {"spec": {"terminate": True}}
        because = "the experiment is over"
        trial.act(Action("patch", "AnalysisRun", run.metadata.name, because, patch, uid=run.metadata.uid))
    return old


def _begin_when_ready(trial: Trial, analysis: ExperimentAnalysis, old: RunStatus) -> RunStatus:
    """Begin the run once its template exists and all templates of the Experiment serve."""
    kind = "ClusterAnalysisTemplate" if analysis.cluster_scope else "AnalysisTemplate"
    if f"{kind}/{analysis.template_name}" not in trial.snapshot.objects:
        until = expected_until(trial.experiment.metadata, trial.now)
        if until is not None:
            trial.requeue(until)
            return old
        text = f"{kind} verification failed for analysis '{analysis.name}': {kind} '{analysis.template_name}' not found"
        return RunStatus(old.name, "", ERROR, text)
    return old if trial.status.available_at is None else _begin(trial, analysis, old)


def _begin(trial: Trial, analysis: ExperimentAnalysis, old: RunStatus) -> RunStatus:
    if trial.room.used >= MOST_A_PASS:
        trial.requeue(trial.now)  # the others follow in the next pass: all planned objects are in memory at once
        return old
    try:
        spec = _spec(trial, analysis)
        size = len(msgspec.json.encode(spec))
        Room(f"metrics of analysis '{analysis.name}'").take(size)
        with suppress(TooLarge):
            trial.room.take(size)
    except AnalysisProblem as problem:
        return RunStatus(old.name, "", ERROR, f"Failed to create AnalysisRun for analysis '{analysis.name}': {problem}")
    meta = trial.experiment.metadata
    owner = Owner(meta.name, meta.namespace, meta.uid, meta.labels.get(INSTANCE_ID, ""))
    body, existing = placed(
        experiment_run(owner, analysis.name, spec, trial.spec.analysis_run_metadata), trial.runs.get
    )
    name = existing.metadata.name if existing else str(body["metadata"]["name"])
    if existing is None:
        because = f"all templates serve: analysis {analysis.name} can judge them"
        write = trial.act(Action("create", "AnalysisRun", name, because, body))
        if write.refused:
            text = f"Failed to create AnalysisRun for analysis '{analysis.name}': {write.refused}"
            return RunStatus(old.name, "", ERROR, text)
        if not write.planned:
            return old
    return RunStatus(old.name, name, PENDING)


def _spec(trial: Trial, analysis: ExperimentAnalysis) -> AnalysisRunSpec:
    reference = TemplateRef(analysis.template_name, analysis.cluster_scope)
    templates = found_templates([reference], *trial.templates)
    end = trial.ends_at()
    args = experiment_arguments(
        analysis.args,
        trial.arms,
        available_at=trial.status.available_at or "",
        finished_at=format_time(end) if end is not None else "",
    )
    return run_spec(templates, args, trial.spec.dry_run, trial.spec.measurement_retention)
