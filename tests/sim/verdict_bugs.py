"""Bugs in analyses and experiments, as in `bugs.py`: what reaches verdicts, and what follows from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import msgspec

from serinus.analysis import run_status as assessment
from serinus.analysis.phases import COMPLETED, ERROR, FAILED, INCONCLUSIVE, SUCCESSFUL
from serinus.analysis.providers.measuring import Round
from serinus.analysis.run_status import Assessed, MetricMeasurement
from serinus.api.resources import ANALYSIS_RUNS
from serinus.api.values.times import format_time
from serinus.controller import analysis_runs
from serinus.engine.core.builder import difference, settled
from serinus.engine.experiment import experiment
from serinus.engine.judging import analyses
from serinus.engine.strategy import canary
from serinus.engine.strategy.bluegreen import plan as blue_green
from serinus.engine.strategy.bluegreen import versions
from serinus.engine.strategy.bluegreen.switch import Selectors
from serinus.engine.strategy.steps import analysis
from tests.sim.bugs import MUTANTS, Place, mutant

# Measurements


@mutant("an answer whose write failed is kept and counted later, also where the write was done", judges=True)
def measured_twice() -> Iterable[Place]:
    real, write = Round.measured, analysis_runs.AnalysisRuns.write
    kept: dict[tuple[str, str], MetricMeasurement] = {}

    async def measured(self: Round) -> list[MetricMeasurement]:
        return [answer(self.run.metadata.uid, fresh) for fresh in await real(self)]

    def answer(uid: str, fresh: MetricMeasurement) -> MetricMeasurement:
        place = (uid, fresh.task.metric.name)
        again = place in kept and fresh.task.call == "run"
        kept[place] = dataclasses.replace(kept[place], task=fresh.task) if again else fresh
        return kept[place]

    async def written(self: Any, key: Any, run: Any, assessed: Any) -> None:
        await write(self, key, run, assessed)
        for place in [p for p in kept if p[0] == run.metadata.uid]:
            del kept[place]

    return [(Round, "measured", measured), (analysis_runs.AnalysisRuns, "write", written)]


@mutant("measurements are written whatever the run says meanwhile, as the cache had it", judges=True)
def measured_on_an_old_status() -> Iterable[Place]:
    async def written(self: Any, key: Any, run: Any, assessed: Any) -> None:
        patch = difference(settled(run.status), settled(assessed.status))
        if patch:
            await self._client.patch(ANALYSIS_RUNS, key[1], {"status": patch}, key[0])

    return [(analysis_runs.AnalysisRuns, "write", written)]


@mutant("a measurement that takes longer is begun again at every look", judges=True)
def begun_again() -> Iterable[Place]:
    real = analysis_runs.tasks

    def tasks(*values: Any) -> Any:
        return [
            dataclasses.replace(t, call="run", measurement=None) if t.call == "resume" else t for t in real(*values)
        ]

    return [(analysis_runs, "tasks", tasks)]


@mutant("a run that ends leaves its unfinished measurements as they are, and their Jobs", judges=True)
def jobs_left_behind() -> Iterable[Place]:
    real = analysis_runs.tasks
    return [(analysis_runs, "tasks", lambda *values: [t for t in real(*values) if t.call != "terminate"])]


# Verdicts


@mutant("a run ends with its first metric", judges=True)
def first_metric_decides() -> Iterable[Place]:
    real = analysis_runs.assess

    def assess(run: Any, resolved: Any, measured: Any, now: float, due: Any = None) -> Assessed:
        assessed = real(run, resolved, measured, now, due)
        ended = [r.phase for r in assessed.status.metric_results if r.phase in COMPLETED and not r.dry_run]
        if assessed.status.phase in COMPLETED or not ended:
            return assessed
        status = msgspec.structs.replace(assessed.status, phase=ended[0], completed_at=format_time(now))
        return Assessed(status, assessed.events, trimmed=assessed.trimmed)

    return [(analysis_runs, "assess", assess)]


@mutant("metrics of a dryRun decide like the others", judges=True)
def dry_run_decides() -> Iterable[Place]:
    real = analysis_runs.assess

    def assess(run: Any, resolved: Any, *values: Any) -> Assessed:
        metrics = tuple(dataclasses.replace(metric, dry_run=False) for metric in resolved.metrics)
        return real(run, dataclasses.replace(resolved, metrics=metrics), *values)

    return [(analysis_runs, "assess", assess)]


@mutant("an answer that could not be had counts as a failed measurement", judges=True)
def errors_are_failures() -> Iterable[Place]:
    real = assessment.counted
    return [(assessment, "counted", lambda result, phase: real(result, FAILED if phase == ERROR else phase))]


# What follows from them


@mutant(
    "a version that was replaced before it was promoted goes live without its trial, if it has its pods", judges=True
)
def trial_forgotten() -> Iterable[Place]:
    return [(versions, "never_promoted", lambda rs: False)]


@mutant("a failed verdict is only heard of while its run was seen running", judges=True)
def verdict_by_edge() -> Iterable[Place]:
    def hear(builder: Any) -> None:
        for kind in analyses.KINDS:
            known = analyses.current(builder, kind)
            run = analyses.named(builder.context, known["name"]) if known else None
            if run is not None and known and not known.get("status") and run.status.phase == FAILED:
                analyses.put(builder, kind, {"name": known["name"], "status": FAILED})
        real(builder)

    real = analyses.sync_runs
    return [(analyses, "sync_runs", hear)]


@mutant("an undecided analysis counts as passed", judges=True)
def undecided_is_good() -> Iterable[Place]:
    real = analyses.ensure_run

    def want(*values: Any) -> str:
        phase = real(*values)
        return SUCCESSFUL if phase == INCONCLUSIVE else phase

    sync = analyses.sync_runs

    def sync_runs(builder: Any) -> None:
        status = builder.status
        paused = list(status.pause_conditions), status.controller_pause
        sync(builder)
        if len(status.pause_conditions) > len(paused[0]):
            status.pause_conditions, status.controller_pause = paused

    return [(analyses, "ensure_run", want), (analyses, "sync_runs", sync_runs)]


@mutant("the run of the version before goes on to count when a new one is asked for", judges=True)
def old_verdict_counts() -> Iterable[Place]:
    real = canary.reset_if_changed

    def reset(builder: Any, new: Any) -> None:
        of = builder.status.canary
        before = of.current_step_analysis_run_status, of.current_background_analysis_run_status
        real(builder, new)
        of.current_step_analysis_run_status, of.current_background_analysis_run_status = before

    return [(canary, "reset_if_changed", reset)]


@mutant("runs that do not count any more are not stopped", judges=True)
def runs_never_stopped() -> Iterable[Place]:
    return [(analyses, "stop", lambda builder: None)]


@mutant("an analysis step is passed once its run is there", judges=True)
def step_does_not_wait() -> Iterable[Place]:
    real = analysis.AnalysisStep.complete

    def complete(self: Any, part: Any, run: Any) -> bool:
        return real(self, part, run) or analyses.phase(run.builder, analyses.STEP) == "Running"

    return [(analysis.AnalysisStep, "complete", complete)]


@mutant("a version that fails after the blue-green switch keeps the active Service", judges=True)
def no_way_back() -> Iterable[Place]:
    real = blue_green.switch

    def switch(builder: Any, found: versions.Versions, **how: Any) -> Any:
        if builder.status.abort:
            return Selectors(found.active, found.preview)
        return real(builder, found, **how)

    return [(blue_green, "switch", switch)]


@mutant("an Experiment that is told to end waits for its required analysis", judges=True)
def experiment_never_ends() -> Iterable[Place]:
    def waits(trial: Any) -> bool:
        return any(a.required_for_completion for a in trial.spec.analyses)

    return [(experiment, "waits_for_required", waits)]


ALL = tuple(MUTANTS)
"""Those of `bugs.py`, and these."""
