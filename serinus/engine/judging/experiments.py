"""Experiments as steps of a canary: create one, wait for its end, and end those that no longer count.

Source: analysis, section 6 ("Canary step").
"""

from __future__ import annotations

import copy

import msgspec

from serinus.analysis.arguments import ARGUMENTS, rollout_arguments
from serinus.analysis.errors import AnalysisProblem
from serinus.analysis.expansion import Room, TooLarge
from serinus.analysis.phases import COMPLETED, ERROR, FAILED, INCONCLUSIVE, RUNNING, SUCCESSFUL
from serinus.api.analysis import ExperimentAnalysis
from serinus.api.decoding.reading import converted
from serinus.api.experiment import Experiment, ExperimentSpec, service_ports
from serinus.api.meta import Json
from serinus.api.names import HASH, INCONCLUSIVE_EXPERIMENT, REVISION
from serinus.api.rollout import CanaryStep, PauseCondition, WeightDestination
from serinus.api.values.times import format_deadline
from serinus.api.workloads import ReplicaSet
from serinus.engine.core import wait_reasons
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.context import RolloutContext, hash_of, revision_of
from serinus.engine.core.plan import Action, Event
from serinus.engine.judging.history_limits import surplus
from serinus.engine.replicasets.revision import owner_reference
from serinus.engine.status.abort import abort
from serinus.engine.status.conditions import promoted
from serinus.engine.status.promotion import in_rollback_window


def complete(builder: PlanBuilder, step: CanaryStep, index: int) -> bool:
    """Whether the step's Experiment has succeeded. Creates it if none exists."""
    status, s = builder.status, builder.context
    assert step.experiment is not None
    experiment = named(s, status.canary.current_experiment)
    if experiment is None:
        return _begin(builder, step.experiment, index)
    phase = experiment.status.phase
    if phase == SUCCESSFUL:
        status.canary.current_experiment = ""
        return True
    if phase == INCONCLUSIVE:
        _pause(builder)
        return False
    templates = ", ".join(
        f"{t.name}: {t.status}" + (f": {t.message}" if t.message else "") for t in experiment.status.template_statuses
    )
    builder.wait(
        wait_reasons.EXPERIMENT.code,
        f"step {index + 1}: {experiment.metadata.name} is {phase or 'new'}" + (f" ({templates})" if templates else ""),
    )
    return False


def abort_if_failed(builder: PlanBuilder) -> None:
    """Abort the update if its current Experiment has failed, also while its steps are paused or held up."""
    status = builder.status
    if promoted(status) or status.abort or status.promote_full or in_rollback_window(builder):
        return
    experiment = named(builder.context, status.canary.current_experiment)
    if experiment is not None and experiment.status.phase in (FAILED, ERROR):
        message = experiment.status.message
        abort(builder, "Experiment analysis phase is error/failed" + (f": {message}" if message else ""))


def named(s: RolloutContext, name: str) -> Experiment | None:
    """The Rollout's own Experiment of this name."""
    return next((e for e in s.experiments if e.metadata.name == name), None) if name else None


def _pause(builder: PlanBuilder) -> None:
    """Pause until a user decides. The Experiment stays the current one, so that no new one starts meanwhile."""
    status = builder.status
    if any(p.reason == INCONCLUSIVE_EXPERIMENT for p in status.pause_conditions):
        return
    if status.controller_pause:  # a user removed the condition: try again
        status.controller_pause, status.canary.current_experiment = False, ""
        return
    status.pause_conditions.append(PauseCondition(INCONCLUSIVE_EXPERIMENT, format_deadline(builder.context.now)))
    status.controller_pause = True
    builder.record_event("RolloutPaused", f"Rollout is paused ({INCONCLUSIVE_EXPERIMENT})")


def _begin(builder: PlanBuilder, asked: Json, index: int) -> bool:
    s = builder.context
    assert s.new is not None
    if s.stable is None or builder.created(s.new):
        return False
    try:
        spec = _spec(s, asked)
    except AnalysisProblem as problem:
        builder.wait(wait_reasons.INVALID.code, f"step {index + 1}: the experiment cannot begin: {problem}")
        return False
    base, n = f"{s.rollout.metadata.name}-{hash_of(s.new)}-{revision_of(s.new)}-{index}", 0
    name, taken = base, {e.metadata.name: e for e in s.snapshot.experiments}
    typed = converted(spec, ExperimentSpec)
    while name in taken:
        other = taken[name]
        if other in s.experiments and other.status.phase not in COMPLETED and other.spec == typed:
            builder.status.canary.current_experiment = name
            return False
        n += 1
        name = f"{base}-{n}"
    labels = {**s.rollout.metadata.labels, HASH: hash_of(s.new)}
    metadata: Json = {
        "name": name,
        "labels": labels,
        "annotations": {REVISION: str(revision_of(s.new))},
        "ownerReferences": [owner_reference(builder)],
    }
    event = Event("ExperimentCreated", f"Created Experiment '{name}'")
    because = f"step {index + 1} compares versions in an experiment"
    body: Json = {"metadata": metadata, "spec": spec}
    if not builder.act(Action("create", "Experiment", name, because, body, events=(event,))):
        return False
    builder.status.canary.current_experiment = name
    builder.wait(wait_reasons.EXPERIMENT.code, f"step {index + 1}: {name} is new")
    return False


def _spec(s: RolloutContext, asked: Json) -> Json:
    """The spec of the step's Experiment. AnalysisProblem for an unresolved argument, and for too many pods."""
    spec: Json = {"templates": _templates(s, asked.get("templates") or [])}
    for part in ("duration", "dryRun", "analysisRunMetadata", "scaleDownDelaySeconds"):
        if asked.get(part) is not None:
            spec[part] = asked[part]
    if s.spec.progress_deadline_seconds is not None:
        spec["progressDeadlineSeconds"] = s.spec.progress_deadline_seconds
    rollout, latest, stable = msgspec.to_builtins(s.rollout), hash_of(s.new), s.rollout.status.stable_rs
    analyses: list[Json] = []
    room = Room(ARGUMENTS)
    for raw in asked.get("analyses") or []:
        analysis = converted(raw, ExperimentAnalysis)
        args = rollout_arguments(analysis.args, rollout, latest=latest, stable=stable, room=room)
        analyses.append(msgspec.to_builtins(msgspec.structs.replace(analysis, args=args)))
    if analyses:
        spec["analyses"] = analyses
    return spec


def _templates(s: RolloutContext, asked: list[Json]) -> list[Json]:
    """The step's templates, each with a copy of a version's pod template. Raises TooLarge before it makes too many."""
    room, templates = Room("templates of an Experiment with their pods"), list[Json]()
    sizes: dict[str, int] = {}
    for one in asked:
        rs = s.stable if one.get("specRef") == "stable" else s.new
        assert rs is not None
        if rs.metadata.uid not in sizes:
            sizes[rs.metadata.uid] = len(msgspec.json.encode(rs.spec.template))
        try:
            room.take(sizes[rs.metadata.uid])
        except TooLarge as problem:
            problem.path.append(f"templates['{one['name'][:100]}']")
            raise
        templates.append(_template(s, one, rs))
    return templates


def _template(s: RolloutContext, asked: Json, rs: ReplicaSet) -> Json:
    pods = _without_hash(rs)
    extra: Json = asked.get("metadata") or {}
    meta: Json = pods.setdefault("metadata", {})
    for part in ("labels", "annotations"):
        if extra.get(part):
            meta[part] = {**(meta.get(part) or {}), **extra[part]}
    selector: Json = asked.get("selector") or s.selector
    labels = {k: v for k, v in (selector.get("matchLabels") or {}).items() if k != HASH}
    selector = {**selector, "matchLabels": {**labels, **(extra.get("labels") or {})}}
    template: Json = {"name": asked["name"], "selector": selector, "template": pods}
    if asked.get("replicas") is not None:
        template["replicas"] = asked["replicas"]
    if rs.spec.min_ready_seconds:
        template["minReadySeconds"] = rs.spec.min_ready_seconds
    if asked.get("service") is not None or asked.get("weight") is not None:
        template["service"] = asked.get("service") or {}
    return template


def _without_hash(rs: ReplicaSet) -> Json:
    pods = copy.deepcopy(rs.spec.template)
    ((pods.get("metadata") or {}).get("labels") or {}).pop(HASH, None)
    return pods


def additional(builder: PlanBuilder) -> tuple[WeightDestination, ...]:
    """The share of traffic that a running Experiment of the current step gets (`weight` of its templates)."""
    s, status = builder.context, builder.status
    experiment = named(s, status.canary.current_experiment)
    index = status.current_step_index or 0
    asked = s.steps[index].experiment if index < len(s.steps) else None
    if experiment is None or experiment.status.phase != RUNNING or asked is None:
        return ()
    weights = {t["name"]: t["weight"] for t in asked.get("templates") or [] if t.get("weight")}
    return tuple(
        WeightDestination(weights[t.name], t.service_name, t.pod_template_hash)
        for t in experiment.status.template_statuses
        if t.name in weights and t.service_name
    )


def additional_ports(builder: PlanBuilder) -> dict[str, int]:
    """Name of a template's Service -> its first port, of the current step's Experiment."""
    experiment = named(builder.context, builder.status.canary.current_experiment)
    if experiment is None:
        return {}
    ports = {template.name: service_ports(template) for template in experiment.spec.templates}
    return {t.service_name: ports[t.name][0]["port"] for t in experiment.status.template_statuses if ports.get(t.name)}


def stop(builder: PlanBuilder) -> None:
    """End every Experiment that does not count any more. Clear the current one once the update is over.

    The status must be stored before: the end of a terminated Experiment decides about an update that still names it.
    """
    s, status = builder.context, builder.status
    if not status.canary.current_experiment and not s.snapshot.experiments:
        return
    index = status.current_step_index or 0
    over = (
        promoted(status)
        or status.abort
        or status.promote_full
        or index >= len(s.steps)
        or s.steps[index].experiment is None
    )
    if over:
        status.canary.current_experiment = ""
    counting = {status.canary.current_experiment, s.rollout.status.canary.current_experiment}
    for experiment in s.experiments:
        meta = experiment.metadata
        if experiment.status.phase in COMPLETED or experiment.spec.terminate or meta.deletion_timestamp:
            continue
        if meta.name not in counting:
            because = "the update goes on without it"
            patch: Json = {"spec": {"terminate": True}}
            builder.act(Action("patch", "Experiment", meta.name, because, patch, uid=meta.uid))


def trim(builder: PlanBuilder) -> None:
    """Delete old Experiments, except those with an effect in this pass: an unstored effect would recreate them."""
    if not builder.context.snapshot.experiments:
        return
    counting = {status.canary.current_experiment for status in (builder.status, builder.context.rollout.status)}
    for action in surplus(builder.context, "Experiment", builder.context.experiments, counting):
        builder.act(action)
