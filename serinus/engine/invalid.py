"""A Rollout whose spec, or what it names, cannot be used: the parts that it holds, and the status that reports it.

It holds the update: no step, no weight, no promotion. Versions that serve already follow `spec.replicas`. What is wrong with
steps, and with templates of analyses, concerns nothing else: the first version, a way back that needs no trial, and an abort go on.
"""

from __future__ import annotations

from serinus.api import validation
from serinus.api.cutting import shortened
from serinus.api.findings import Finding
from serinus.api.identity import step_hash
from serinus.api.strategy_validation import strategy_findings
from serinus.engine import held_sizes, waits
from serinus.engine.conditions import find, put
from serinus.engine.draft import Draft
from serinus.engine.phase import phase_of
from serinus.engine.plan import Plan, Snapshot, Wait
from serinus.engine.promotion import in_rollback_window
from serinus.engine.refused import tell_held
from serinus.engine.sight import hash_of, look_by_status
from serinus.engine.sizes import View
from serinus.routing.rules import RULES


def first_finding(snapshot: Snapshot) -> Finding | None:
    """What is wrong with the Rollout itself and with what it names, but for the content of templates."""
    return validation.validate(
        snapshot.rollout,
        services=snapshot.services,
        ingresses=snapshot.ingresses,
        objects=snapshot.objects,
        workload=snapshot.workload,
        served=snapshot.served,
        rules=RULES,
    )


def concerns_only_updates(snapshot: Snapshot, first: Finding) -> bool:
    """Whether this finding and all others are about what nothing but an update needs."""
    return first.of_update and validation.concerns_only_updates(
        snapshot.rollout,
        services=snapshot.services,
        ingresses=snapshot.ingresses,
        objects=snapshot.objects,
        workload=snapshot.workload,
        served=snapshot.served,
        rules=RULES,
    )


def is_tried(draft: Draft) -> bool:
    """Whether steps and analyses decide about the wanted version.

    They do not about the first version, the stable one, one that is aborted, and one inside the rollback window.
    """
    s, status = draft.sight, draft.sight.rollout.status
    wanted = hash_of(s.new) or s.computed_hash
    aborted = status.abort and status.current_pod_hash == wanted
    return status.stable_rs not in ("", wanted) and not aborted and not in_rollback_window(draft)


def hold(snapshot: Snapshot, message: str) -> Plan:
    """The whole pass while the update is held: sizes follow `spec.replicas`, and people read why."""
    draft, replicas = Draft(look_by_status(snapshot)), snapshot.rollout.spec.replicas
    if replicas is not None and replicas >= 0:
        held_sizes.follow_replicas(draft, _view(draft))
    held_sizes.count_pods(draft)
    tell_held(draft)
    draft.waits.insert(0, Wait(waits.INVALID.code, message))
    say(draft, message)
    return draft.finish(message if draft.status != snapshot.rollout.status else "")


def _view(draft: Draft) -> View | None:
    """What the steps want, where they can be used, and are those of the update that is under way."""
    s = draft.sight
    if s.canary is None or s.new is None or next(strategy_findings(s.rollout, RULES), None) is not None:
        return None
    return View(draft) if s.rollout.status.current_step_hash == step_hash(s.steps) else None


def say(draft: Draft, message: str) -> None:
    """The condition InvalidSpec, and the phase that follows from it."""
    message = shortened(message)  # as it is stored, to be compared with what is
    status, stored = draft.status, draft.sight.rollout
    # A pass that came to its end has taken the condition away already: what is stored tells since when it holds.
    old = find(stored.status, "InvalidSpec")
    status.conditions = [c for c in status.conditions if c.type != "InvalidSpec"] + ([old] if old else [])
    changed = old is not None and old.message != message
    put(status, draft.sight.now, "InvalidSpec", "True", "InvalidSpec", message, renew=changed)
    status.observed_generation = str(stored.metadata.generation)
    status.phase, status.message = phase_of(stored.spec, status)
