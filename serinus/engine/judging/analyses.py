"""Analyses in a Rollout: the creation of runs, the effects of verdicts, and when runs are stopped or deleted.

The status names the current run. A run that it does not name is stopped, and its verdict has no effect.
Source: analysis, section 5.
"""

from __future__ import annotations

from serinus.analysis.errors import AnalysisProblem
from serinus.analysis.phases import COMPLETED, ERROR, FAILED, INCONCLUSIVE
from serinus.analysis.run_objects import STEP_INDEX, placed
from serinus.api.analysis import MetricResult, RolloutAnalysis
from serinus.api.derived import latest
from serinus.api.meta import Json
from serinus.api.names import INCONCLUSIVE_ANALYSIS
from serinus.api.rollout import PauseCondition, RolloutStatus
from serinus.api.validation.findings import Finding
from serinus.api.values.times import format_deadline
from serinus.engine.core import wait_reasons
from serinus.engine.core.analysis_runs import (
    BACKGROUND,
    POST,
    PRE,
    STEP,
    AnalysisKind,
    finished,
    named,
    spec_of,
    typed,
    wanted_run,
)
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.plan import Action, Snapshot
from serinus.engine.judging.analysis_validation import analyses_of, findings, reads_metadata
from serinus.engine.judging.history_limits import surplus
from serinus.engine.status.abort import abort
from serinus.engine.status.conditions import promoted
from serinus.engine.status.promotion import in_rollback_window

KINDS = (BACKGROUND, STEP, PRE, POST)


def current(builder: PlanBuilder, kind: AnalysisKind) -> Json | None:
    """{name, status, message} of the current run."""
    return _known(builder.status, kind)


def _known(status: RolloutStatus, kind: AnalysisKind) -> Json | None:
    # Called ten times in each pass: a dict would hash every kind each time.
    canary, blue_green = status.canary, status.blue_green
    if kind is BACKGROUND:
        return canary.current_background_analysis_run_status
    if kind is STEP:
        return canary.current_step_analysis_run_status
    if kind is PRE:
        return blue_green.pre_promotion_analysis_run_status
    return blue_green.post_promotion_analysis_run_status


def put(builder: PlanBuilder, kind: AnalysisKind, value: Json | None) -> None:
    """Replaces {name, status, message} of the current run; None: there is none."""
    status = builder.status
    if kind is BACKGROUND:
        status.canary.current_background_analysis_run_status = value
    elif kind is STEP:
        status.canary.current_step_analysis_run_status = value
    elif kind is PRE:
        status.blue_green.pre_promotion_analysis_run_status = value
    else:
        status.blue_green.post_promotion_analysis_run_status = value


def forget(builder: PlanBuilder, *kinds: AnalysisKind) -> None:
    """These runs no longer count; `stop` ends them."""
    for kind in kinds:
        if _known(builder.status, kind) is not None:
            put(builder, kind, None)


def phase(builder: PlanBuilder, kind: AnalysisKind) -> str:
    """The phase of the current run; "" without one, or while it is unknown."""
    return (current(builder, kind) or {}).get("status", "")


def sync_runs(builder: PlanBuilder) -> None:
    """Copy the state of the current runs: a failed run aborts the update, an inconclusive one pauses it.

    A version inside the rollback window is not judged: a run that still measures may measure the version that it
    replaces.
    """
    if in_rollback_window(builder):
        forget(builder, *KINDS)
    if not builder.context.snapshot.analysis_runs:
        return
    for kind in KINDS:
        known = current(builder, kind)
        run = named(builder.context, known["name"]) if known else None
        if known is None or run is None:
            continue
        before, now = known.get("status", ""), run.status.phase
        if before == now:
            continue
        run_status: Json = {"name": known["name"], "status": now}
        if run.status.message:
            run_status["message"] = run.status.message
        put(builder, kind, run_status)
        text = f"{kind.label} Analysis Run '{known['name']}' Status New: '{now}' Previous: '{before}'"
        builder.record_event(f"AnalysisRun{now}", text, warning=now in (FAILED, ERROR))
        if now in (FAILED, ERROR):
            if not builder.status.abort and not builder.status.promote_full and not promoted(builder.status):
                abort(builder, kind.failed + (f": {run.status.message}" if run.status.message else ""))
        elif now == INCONCLUSIVE:
            _pause(builder)


def _pause(builder: PlanBuilder) -> None:
    """Pause the update until a user decides."""
    status = builder.status
    if any(p.reason == INCONCLUSIVE_ANALYSIS for p in status.pause_conditions):
        return
    status.pause_conditions.append(PauseCondition(INCONCLUSIVE_ANALYSIS, format_deadline(builder.context.now)))
    status.controller_pause = True
    builder.record_event("RolloutPaused", f"Rollout is paused ({INCONCLUSIVE_ANALYSIS})")


def ensure_run(builder: PlanBuilder, kind: AnalysisKind, analysis: Json, index: int | None = None) -> str:
    """The phase of the current run. Creates one if none exists, or if a user resumed after an inconclusive run."""
    known = current(builder, kind)
    if known is not None and known.get("status") not in COMPLETED and named(builder.context, known["name"]) is None:
        known = None  # another client deleted it: without its measurements there is no verdict
    if known is not None and known.get("status") == INCONCLUSIVE and not builder.status.pause_conditions:
        known = None
        builder.status.controller_pause = False
    return _begin(builder, kind, typed(analysis), index) if known is None else known.get("status", "")


def _begin(builder: PlanBuilder, kind: AnalysisKind, analysis: RolloutAnalysis, index: int | None) -> str:
    s = builder.context
    try:
        spec = spec_of(s, analysis)
    except AnalysisProblem as problem:
        builder.wait(wait_reasons.INVALID.code, f"the {kind.label} analysis cannot begin: {problem}")
        return ""
    existing = {run.metadata.name: run for run in s.snapshot.analysis_runs}
    body, there = placed(wanted_run(s, kind, index, analysis, spec), existing.get)
    name = there.metadata.name if there else str(body["metadata"]["name"])
    because = f"the new version is judged by its {kind.label} analysis"
    if there is not None or builder.act(Action("create", "AnalysisRun", name, because, body)):
        put(builder, kind, {"name": name, "status": ""})
    return ""


def wait_for(builder: PlanBuilder, kind: AnalysisKind, where: str) -> None:
    """Add the wait for a verdict."""
    known = current(builder, kind)
    if known is None:
        return
    run = named(builder.context, known["name"])
    results = ", ".join(_measured(m) for m in run.status.metric_results) if run else ""
    builder.wait(
        wait_reasons.ANALYSIS.code,
        f"{where}: {known['name']} is {known.get('status') or 'Pending'}" + (f" ({results})" if results else ""),
    )


def _measured(result: MetricResult) -> str:
    """Its phase, and why the pods of an unfinished measurement (a Job) are not ready."""
    last = result.measurements[-1] if result.measurements else None
    why = f": {last.message}" if last is not None and last.message and last.phase not in COMPLETED else ""
    return f"{result.name}: {result.phase or 'not measured'}{why}"


def forget_other_steps(builder: PlanBuilder) -> None:
    """A step's run no longer counts when another step is the current one."""
    known, steps, index = current(builder, STEP), builder.context.steps, builder.status.current_step_index or 0
    if known is None:
        return
    run = named(builder.context, known["name"])
    of_step = run is None or run.metadata.labels.get(STEP_INDEX) == str(index)
    if index >= len(steps) or steps[index].analysis is None or not of_step:
        forget(builder, STEP)


def stop(builder: PlanBuilder) -> None:
    """Stop the runs that do not count any more: all of them once the update is completed or aborted.

    The status must be stored before. Stopping a run can make it Inconclusive, and that would pause an update whose end
    is not stored.
    """
    s = builder.context
    if not s.snapshot.analysis_runs:
        return
    counting = _counting(builder.status) | _counting(s.rollout.status)
    for run in s.analysis_runs:
        if finished(run) or run.spec.terminate or run.metadata.deletion_timestamp or run.metadata.name in counting:
            continue
        because = "its verdict is not needed any more"
        patch: Json = {"spec": {"terminate": True}}
        builder.act(Action("patch", "AnalysisRun", run.metadata.name, because, patch, uid=run.metadata.uid))


def _counting(status: RolloutStatus) -> set[str]:
    """Names of the runs whose verdicts decide about an update with this status."""
    return set() if promoted(status) or status.abort or status.promote_full else _names(status)


def _names(status: RolloutStatus) -> set[str]:
    """Names of all runs in this status, for any state of the update."""
    canary, blue_green = status.canary, status.blue_green
    runs = (
        canary.current_background_analysis_run_status,
        canary.current_step_analysis_run_status,
        blue_green.pre_promotion_analysis_run_status,
        blue_green.post_promotion_analysis_run_status,
    )
    return {known["name"] for known in runs if known}


def trim(builder: PlanBuilder) -> None:
    """Delete old runs, except those whose verdict had an effect in this pass. An unstored effect would recreate one."""
    if not builder.context.snapshot.analysis_runs:
        return
    counting = _names(builder.status) | _names(builder.context.rollout.status)
    for action in surplus(builder.context, "AnalysisRun", builder.context.analysis_runs, counting):
        builder.act(action)


def finding(snapshot: Snapshot) -> Finding | None:
    """The first error in the Rollout's analyses; None if all of them can run."""
    rollout, spec = snapshot.rollout, snapshot.rollout.spec
    if not analyses_of(spec):
        return None
    versions = tuple((key, obj["metadata"].get("resourceVersion")) for key, obj in snapshot.objects.items())
    if reads_metadata(spec):
        versions += tuple(sorted((rollout.metadata.labels | rollout.metadata.annotations).items()))
    return latest(spec, "analysis finding", versions, lambda: next(findings(rollout, snapshot.objects), None))
