"""`plan_experiment` decides the next writes for one Experiment. Pure, as `plan` is for Rollouts.

    templates (ReplicaSet, Service, status of each) → analyses → phase

Source: analysis, section 6. A template's Service gets traffic only while the Experiment runs. Its pods stay for the
scale-down delay afterwards.
"""

from __future__ import annotations

from serinus.analysis.phases import COMPLETED, ERROR, FAILED, INCONCLUSIVE, PENDING, RUNNING, SUCCESSFUL
from serinus.api.messages.cutting import shortened
from serinus.api.meta import Condition
from serinus.api.values.times import format_time
from serinus.engine.core import wait_reasons
from serinus.engine.core.builder import difference, settled
from serinus.engine.core.held_writes import summed
from serinus.engine.core.plan import Plan
from serinus.engine.experiment.analyses import run_analyses
from serinus.engine.experiment.templates import run_templates
from serinus.engine.experiment.trial import PROGRESSING, ExperimentSnapshot, Trial, worst
from serinus.engine.experiment.validation import invalid_experiment


def plan_experiment(snapshot: ExperimentSnapshot) -> Plan:
    """The writes, the status, the Events, and the time of the next pass. Never raises for an invalid object."""
    if snapshot.experiment.metadata.deletion_timestamp:
        return Plan()
    trial = Trial(snapshot)
    wrong = invalid_experiment(snapshot.experiment)
    if wrong:
        _put(trial, "InvalidSpec", "True", "InvalidSpec", f'The Experiment "{trial.name}" is invalid: {wrong}')
        return _finished(trial, wrong)
    trial.status.conditions = [c for c in trial.status.conditions if c.type != "InvalidSpec"]
    run_templates(trial)
    run_analyses(trial)
    _phase(trial)
    _progressing(trial)
    _report_held(trial)
    return _finished(trial, "")


def _finished(trial: Trial, because: str) -> Plan:
    patch = difference(settled(trial.stored), settled(trial.status))
    return Plan(tuple(trial.actions), patch or None, because, tuple(trial.events), trial.requeue_at)


def _phase(trial: Trial) -> None:
    status, before = trial.status, trial.stored.phase
    if before in COMPLETED:
        return
    templates = worst([t.status for t in status.template_statuses]) or SUCCESSFUL
    reason = next((t.message for t in status.template_statuses if t.status == templates and t.message), "")
    templates = PENDING if templates == PROGRESSING else templates
    if templates == RUNNING and status.available_at is None:
        status.available_at = format_time(trial.now)
        end = trial.ends_at()
        if end is not None:
            trial.requeue(end)
    analyses, message = _analyses(trial)
    required = waits_for_required(trial)
    if templates in COMPLETED:
        judged = templates == SUCCESSFUL and (analyses in COMPLETED or required)
        phase, text = (analyses, message) if judged else (templates, reason)
    elif analyses in COMPLETED and (analyses != SUCCESSFUL or message):
        phase, text = analyses, message
    else:
        phase, text = templates, reason
    status.phase, status.message = phase or PENDING, text
    if status.phase != before:
        bad = status.phase in (FAILED, ERROR, INCONCLUSIVE)
        trial.record_event(
            f"Experiment{status.phase}", f"Experiment transitioned from {before} -> {status.phase}", warning=bad
        )


def waits_for_required(trial: Trial) -> bool:
    """Whether only a required analysis can end it. No analysis starts after `terminate`, so existing runs count."""
    required = {a.name for a in trial.spec.analyses if a.required_for_completion}
    if not trial.spec.terminate:
        return bool(required)
    there = {run.metadata.name for run in trial.snapshot.analysis_runs}
    return any(run.name in required and run.analysis_run in there for run in trial.status.analysis_runs)


def _analyses(trial: Trial) -> tuple[str, str]:
    """(phase of all analyses together, message)."""
    runs = trial.status.analysis_runs
    if not runs:
        return SUCCESSFUL, ""
    required = {a.name for a in trial.spec.analyses if a.required_for_completion}
    needed = [run.phase for run in runs if run.name in required]
    rest = worst([RUNNING if run.phase in ("", PENDING) else run.phase for run in runs])
    if needed and all(p == SUCCESSFUL for p in needed) and rest in (SUCCESSFUL, RUNNING):
        return SUCCESSFUL, "Required AnalysisRuns completed"
    return rest, next((run.message for run in runs if run.phase == rest and run.message), "")


def _progressing(trial: Trial) -> None:
    name, phase = trial.name, trial.status.phase
    if phase in COMPLETED:
        text = f'Experiment "{name}" has successfully ran and completed.'
        _put(trial, PROGRESSING, "False", "ExperimentCompleted", text)
    elif phase == RUNNING:
        _put(trial, PROGRESSING, "True", "NewReplicaSetAvailable", f'Experiment "{name}" is running.')
    else:
        _put(trial, PROGRESSING, "True", "ReplicaSetUpdated", f'Experiment "{name}" is progressing.')


def _report_held(trial: Trial) -> None:
    """Reports held writes that do not end the Experiment: in a condition and in one Event."""
    refused = [h for h in trial.held if h.code == wait_reasons.REFUSED.code]
    contested = [h for h in trial.snapshot.held if h.code == wait_reasons.CONFLICT.code]
    for kind, held in ((wait_reasons.REFUSED.code, refused), (wait_reasons.CONFLICT.code, contested)):
        known = any(c.type == kind for c in trial.stored.conditions)
        if held:
            _put(trial, kind, "True", held[0].reason or kind, summed(held))
            if not known:
                trial.record_event(kind, summed(held), warning=True)
        elif known:
            trial.status.conditions = [c for c in trial.status.conditions if c.type != kind]


def _put(trial: Trial, kind: str, value: str, reason: str, message: str) -> None:
    message = shortened(message)
    old = next((c for c in trial.status.conditions if c.type == kind), None)
    if old and (old.status, old.reason, old.message) == (value, reason, message):
        return
    now = format_time(trial.now)
    since = old.last_transition_time if old and old.status == value else now
    rest = [c for c in trial.status.conditions if c.type != kind]
    trial.status.conditions = [*rest, Condition(kind, value, now, since, reason, message)]
