"""Promises about every analysis, each a function that reports how it was broken; as in `promises.py`.

    no verdict without its measurements · no measurement counted twice · every run ends · a failed verdict aborts, an undecided
    one waits · a verdict judges the version that was measured, and no other

Checked after each write of a controller (`WRITES`), and once all has settled (`SETTLED`). The verdict of a run that a
user terminated (`spec.terminate`) is as good as its measurements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from serinus.analysis.phases import COMPLETED
from serinus.api.names import HASH
from tests.sim.history import NAME
from tests.sim.ledger import named_runs, owned_by_rollout, phase_of, source_of
from tests.sim.monitoring import result_of
from tests.sim.probes import ERRORS, filled
from tests.sim.store import Change, Json
from tests.sim.watchdog import OnWrite, Watchdog

WORST = ("", "Successful", "Inconclusive", "Error", "Failed")
COUNTERS = ("successful", "failed", "inconclusive")
NOTICE = 30.0
"""Seconds in which a verdict and a user's command may cross, before each side has received the other."""

TERMINATED = "Metric Terminated"
"""The message of a measurement that was cut short because its run ends: no provider gave it."""

REFUSED = "its status is refused"
"""The beginning of a run's message when the API server accepted no more measurements: no metric decided that."""

KEPT = 5
"""Finished runs of one kind that are kept by default."""


# No measurement is counted twice


def each_measurement_counts_once(dog: Watchdog, change: Change) -> Iterator[str]:
    """A write adds at most one measurement to a metric: one that monitoring gave, for this version, and never before."""
    old, new = change.old, change.new
    if change.plural != "analysisruns" or old is None or new is None:
        return
    for result in (new.get("status") or {}).get("metricResults", []):
        before, name = result_of(old, result["name"]), f"{change.name}: {result['name']}"
        if sum(result.get(c, 0) for c in COUNTERS) != result.get("count", 0):
            yield f"{name} has counted {result.get('count', 0)} measurements, and their phases are {result}"
        ended = sum(result.get(c, 0) - before.get(c, 0) for c in ("count", "error"))
        if ended not in (0, 1):
            yield f"{name} counts {ended} measurements in one write"
        if ended == 1:
            yield from _is_new(dog, new, result, name)
        elif not _trimmed(_finished(before), _finished(result)):
            yield f"{name} has counted nothing, and its measurements are others than before"


def _finished(result: Json) -> list[Json]:
    return [m for m in result.get("measurements", []) if "finishedAt" in m]


def _trimmed(before: list[Json], now: list[Json]) -> bool:
    """Whether at most the oldest have gone (`measurementRetention`)."""
    return before[len(before) - len(now) :] == now if now else True


def _is_new(dog: Watchdog, run: Json, result: Json, name: str) -> Iterator[str]:
    last: Json = result["measurements"][-1]
    said, phase = source_of(last), last.get("phase", "")
    if phase == "Error" or last.get("message") == TERMINATED or "looks" in last.get("metadata", {}):
        return  # a sequential verdict is made of many answers: `counted_promises.py` has its promises
    given = dog.world.monitoring.given.get(said)
    if given is None:
        yield f"{name} counts a {phase} measurement that nobody gave"
    elif said in dog.ledger.counted:
        yield f"{name} counts answer {said} again"
    elif phase != given.phase:
        yield f"{name} takes answer {said} for {phase}, and it is {given.phase}"
    elif given.version != run["metadata"]["labels"].get(HASH, given.version):
        yield f"{name} judges another version: answer {said} is about {given.version}"


# No verdict without its measurements


def no_verdict_without_measurements(dog: Watchdog, change: Change) -> Iterator[str]:
    """A metric has a phase, and a run a verdict, only from its limits and the counted measurements."""
    run = change.new
    if change.plural != "analysisruns" or run is None or phase_of(run) == phase_of(change.old):
        return
    phase, ended, worst = phase_of(run), run["spec"].get("terminate", False), ""
    if phase not in COMPLETED:
        return
    refused = run["status"].get("message", "").startswith(REFUSED)
    dry = {rule["metricName"] for rule in run["spec"].get("dryRun") or []}
    for metric in run["spec"]["metrics"]:
        result = result_of(run, metric["name"])
        if metric["name"] not in dry and result.get("phase") in COMPLETED:
            worst = max(worst, result["phase"], key=WORST.index)
        if result.get("phase") in COMPLETED and not ended and "plugin" not in metric["provider"]:
            filled_in = filled(metric, run["spec"].get("args") or [])
            yield from _is_earned(filled_in, result, change.name, cut_short=phase != "Successful")
        # A server that refuses the last measurements too leaves the run with its phase and message alone. Their Jobs are gone.
        unfinished = [m for m in result.get("measurements", []) if "finishedAt" not in m]
        if any(not refused or _job_exists(dog, m) for m in unfinished):
            yield f"{change.name} has ended, and {metric['name']} is measured still"
    names = [metric["name"] for metric in run["spec"]["metrics"]]
    unmeasured = [name for name in names if result_of(run, name).get("phase") not in COMPLETED]
    if phase == "Successful" and not ended and unmeasured:
        yield f"{change.name} is Successful, and {unmeasured} has not ended"
    if not refused and phase != (worst or "Successful"):
        yield f"{change.name} is {phase}, and its worst metric {worst or 'none'}"


def _job_exists(dog: Watchdog, measurement: Json) -> bool:
    job: str = (measurement.get("metadata") or {}).get("job-name", "")
    return not job or dog.world.store.get("jobs", job) is not None


def _is_earned(metric: Json, result: Json, run: str, *, cut_short: bool) -> Iterator[str]:
    """Whether the counters justify the phase. `cut_short`: another metric ended the run."""
    phase, count = result["phase"], metric.get("count") or (0 if "interval" in metric else 1)
    enough = bool(count) and result.get("count", 0) >= count
    in_a_row = metric.get("consecutiveSuccessLimit", 0)
    earned = {
        "Failed": result.get("failed", 0) > metric.get("failureLimit", 0),
        "Inconclusive": result.get("inconclusive", 0) > metric.get("inconclusiveLimit", 0) or bool(in_a_row and enough),
        "Error": result.get("consecutiveError", 0) > metric.get("consecutiveErrorLimit", ERRORS),
        "Successful": cut_short or enough or bool(in_a_row and result.get("consecutiveSuccess", 0) >= in_a_row),
    }
    if not earned[phase]:
        yield f"{run}: {metric['name']} is {phase} after {result}"


def passes_only_on_a_verdict(dog: Watchdog, change: Change) -> Iterator[str]:
    """An analysis step, and a blue-green promotion, is passed only when a run of this version was Successful."""
    old, new = change.old, change.new
    if change.plural != "rollouts" or old is None or new is None:
        return
    was: Json = old.get("status") or {}
    now: Json = new.get("status") or {}
    pod_hash, stable, good = now.get("currentPodHash", ""), now.get("stableRS", ""), dog.ledger.successes
    if was.get("currentPodHash") != pod_hash or was.get("promoteFull") or pod_hash in dog.ledger.was_stable:
        return
    steps: list[Json] = (new["spec"]["strategy"].get("canary") or {}).get("steps") or []
    first, then = was.get("currentStepIndex") or 0, now.get("currentStepIndex") or 0
    if was.get("currentStepHash") == now.get("currentStepHash"):
        for i in range(first, min(then, len(steps))):
            if "analysis" in steps[i] and (pod_hash, "Step", str(i)) not in good:
                yield f"step {i + 1} is passed, and no analysis of {pod_hash} was Successful"
            if "experiment" in steps[i] and (pod_hash, "Experiment", "") not in good:
                yield f"step {i + 1} is passed, and no experiment with {pod_hash} was Successful"
    asked: Json = new["spec"]["strategy"].get("blueGreen") or {}
    if was.get("stableRS") and stable == pod_hash != was["stableRS"]:
        for field, use in (("prePromotionAnalysis", "PrePromotion"), ("postPromotionAnalysis", "PostPromotion")):
            led = (was.get("blueGreen") or {}).get("activeSelector")
            free = use == "PrePromotion" and (pod_hash in dog.ledger.first_led or not led)
            if field in asked and (pod_hash, use, "") not in good and not free:
                yield f"{pod_hash} becomes stable, and no {use} analysis of it was Successful"


# A verdict judges the version that was measured


def names_only_runs_of_its_version(dog: Watchdog, change: Change) -> Iterator[str]:
    """The run that counts, and the Experiment, is one of the current version."""
    if change.plural != "rollouts" or change.new is None:
        return
    status: Json = change.new.get("status") or {}
    named = [*named_runs(status).values(), (status.get("canary") or {}).get("currentExperiment", "")]
    for name in filter(None, named):
        judges = dog.ledger.versions.get(name)
        if judges is None:
            yield f"{name} is said to count, and was never there"
        elif judges != status.get("currentPodHash"):
            yield f"{name} is said to count, and judges {judges}, not {status.get('currentPodHash')}"


def old_verdict_judges_nobody(dog: Watchdog, change: Change) -> Iterator[str]:
    """An update that is aborted because of an analysis has a bad verdict of its own version."""
    old, new = change.old or {}, change.new or {}
    was: Json = old.get("status") or {}
    now: Json = new.get("status") or {}
    if change.plural != "rollouts" or was.get("abort") or not now.get("abort"):
        return
    because = next((c["message"] for c in now.get("conditions", []) if c.get("reason") == "RolloutAborted"), "")
    if "analysis phase" not in because:
        return
    pod_hash = now.get("currentPodHash", "")
    bad = [j for j in dog.ledger.judged.values() if j.pod_hash == pod_hash and j.phase in ("Failed", "Error")]
    if not bad:
        yield f"{pod_hash} is aborted ({because}), and no analysis of it has failed"


# A bad verdict has its effect


def failed_verdict_aborts(dog: Watchdog) -> Iterator[str]:
    """A counted verdict that failed aborts the update, and an undecided one waits for approval: unless a user
    has decided otherwise since, or released another version."""
    status = dog.world.status
    for name, judged in dog.ledger.judged.items():
        if name not in dog.ledger.heard or judged.cut_short:
            continue
        if dog.ledger.commanded > judged.at - NOTICE or judged.pod_hash != status.get("currentPodHash"):
            continue
        if judged.phase in ("Failed", "Error") and not status.get("abort"):
            yield f"{judged.what} is {judged.phase}, and the update is not aborted"
        held = dog.world.spec.get("paused")  # by hand: steps are evaluated when that ends
        waits = (
            held or status.get("abort") or any("Inconclusive" in p["reason"] for p in status.get("pauseConditions", []))
        )
        if judged.phase == "Inconclusive" and not waits:
            yield f"{judged.what} is {judged.phase}, and the update does not wait"


def condemned_version_gets_nothing(dog: Watchdog) -> Iterator[str]:
    """An aborted version has no requests any more, whether it was live already or not."""
    world, status = dog.world, dog.world.status
    if not status.get("abort") or not world.spec.get("replicas") or not world.blue_green:
        return
    active, stable = world.selected().get(world.blue_green["activeService"], ""), status.get("stableRS", "")
    if active == status.get("currentPodHash") and dog.serving_pods(stable):
        yield f"{active} is aborted, and the active Service leads there, not to {stable}"


# Every run ends


def runs_end(dog: Watchdog) -> Iterator[str]:
    """Once all has settled, only an endless analysis that its Rollout still has runs; nothing else is left of the others."""
    world = dog.world
    counting = set(named_runs(world.status).values())
    for run in world.store.all("analysisruns"):
        name, phase = run["metadata"]["name"], phase_of(run)
        endless = any("interval" in m and "count" not in m for m in run["spec"]["metrics"])
        if phase not in COMPLETED and not (endless and name in counting and not run["spec"].get("terminate")):
            yield f"{name} stays {phase or 'untouched'}"
    for experiment in world.store.all("experiments"):
        if phase_of(experiment) not in COMPLETED:
            yield f"Experiment {experiment['metadata']['name']} stays {phase_of(experiment) or 'untouched'}"
    for rs in world.store.all("replicasets"):
        owners: list[Json] = rs["metadata"].get("ownerReferences") or []
        if rs["spec"]["replicas"] and any(o["kind"] == "Experiment" for o in owners):
            yield f"{rs['metadata']['name']} keeps {rs['spec']['replicas']} pods of an Experiment that is over"
    for job in world.store.all("jobs"):
        if not (job.get("status") or {}).get("conditions"):
            yield f"Job {job['metadata']['name']} runs on"


def few_runs_are_kept(dog: Watchdog) -> Iterator[str]:
    """Finished runs and Experiments are deleted by the limits of `spec.analysis`."""
    world = dog.world
    limits: Json = world.spec.get("analysis") or {}
    counting = {*named_runs(world.status).values(), (world.status.get("canary") or {}).get("currentExperiment", "")}
    for plural in ("analysisruns", "experiments"):
        found = [o for o in world.store.all(plural) if owned_by_rollout(o) and o["metadata"]["name"] not in counting]
        good = sum(1 for one in found if phase_of(one) == "Successful")
        for how, has, key in (
            ("Successful", good, "successfulRunHistoryLimit"),
            ("other", len(found) - good, "unsuccessfulRunHistoryLimit"),
        ):
            if has > limits.get(key, KEPT):
                yield f"{has} {how} {plural} of {NAME} are kept, and {limits.get(key, KEPT)} are wanted"


WRITES: tuple[OnWrite, ...] = (
    each_measurement_counts_once,
    no_verdict_without_measurements,
    passes_only_on_a_verdict,
    names_only_runs_of_its_version,
    old_verdict_judges_nobody,
)
SETTLED: tuple[Callable[[Watchdog], Iterator[str]], ...] = (
    failed_verdict_aborts,
    condemned_version_gets_nothing,
    runs_end,
    few_runs_are_kept,
)
