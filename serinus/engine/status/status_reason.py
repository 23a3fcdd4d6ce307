"""Why a Rollout waits, from its status alone, in the codes of `wait_reasons.py`.

The planner can give more reasons, because it reads pods, Services and analyses: `why.explain`. It uses this reason if
it has no other wait, such as for an update that needs a user's decision. A list of thousands of Rollouts shows this
reason for each, because reading all objects costs several requests for a line. A plan without actions always contains
this reason.
"""

from __future__ import annotations

from serinus.api.meta import Json
from serinus.api.names import BLUE_GREEN_PAUSE, CANARY_PAUSE, INCONCLUSIVE_ANALYSIS, INCONCLUSIVE_EXPERIMENT
from serinus.api.rollout import CanaryStep, Pause, PauseCondition, RolloutSpec, RolloutStatus
from serinus.api.values.times import parse_time
from serinus.engine.core import wait_reasons
from serinus.engine.core.plan import Wait
from serinus.engine.core.step_kinds import StepStatus, deciding, kinds
from serinus.engine.status.conditions import TRAFFIC_VERIFIED, find
from serinus.engine.status.phase import TRAFFIC_SHIFTING

_BY_MESSAGE = {
    "more replicas need to be updated": wait_reasons.PODS,
    "updated replicas are still becoming available": wait_reasons.PODS,
    TRAFFIC_SHIFTING: wait_reasons.TRAFFIC,
    "active service cutover pending": wait_reasons.SERVICE,
    "waiting for analysis to complete": wait_reasons.ANALYSIS,
    "waiting for post-promotion verification to complete": wait_reasons.ANALYSIS,
    "old replicas are pending termination": wait_reasons.OLD_PODS,
}
"""The messages of `phase.py` for Progressing that suffice as a reason. The trouble of pods may follow
(`pod_troubles.py`)."""

ROUTING = "spec.strategy.canary.trafficRouting"
"""The field that InvalidSpec names when a router refuses."""


def reason_from_status(spec: RolloutSpec, status: RolloutStatus) -> Wait | None:
    """The wait; None without one, or if the status does not determine it."""
    if status.phase in ("", "Healthy"):
        return None
    if status.message.startswith("InvalidSpec"):
        reason = wait_reasons.ROUTING_FAILED if f": {ROUTING}: " in status.message else wait_reasons.INVALID
        return Wait(reason.code, status.message.removeprefix("InvalidSpec: "))
    if status.message.startswith(f"{wait_reasons.SET_ASIDE.code}: "):
        return Wait(wait_reasons.SET_ASIDE.code, status.message.removeprefix(f"{wait_reasons.SET_ASIDE.code}: "))
    refused = next((c.message for c in status.conditions if c.type == wait_reasons.REFUSED.code), "")
    if refused:
        return Wait(wait_reasons.REFUSED.code, refused)
    if status.abort:
        return Wait(wait_reasons.ABORTED.code, status.message, since=_time(status.aborted_at))
    if status.phase == "Degraded":
        return Wait(wait_reasons.PODS.code, status.message)
    if spec.restart_at and spec.restart_at != status.restarted_at:
        return Wait(wait_reasons.RESTARTING.code, f"pods that are older than {spec.restart_at} are restarted")
    if spec.paused:
        return Wait(wait_reasons.PAUSED.code, "spec.paused is true: it is paused by hand")
    if status.pause_conditions:
        # An inconclusive verdict may come during a timed pause. Then only a user ends both.
        undecided = (p for p in status.pause_conditions if p.reason in (INCONCLUSIVE_ANALYSIS, INCONCLUSIVE_EXPERIMENT))
        return _pause(spec, status, next(undecided, status.pause_conditions[0]))
    return _step(spec, status) or _unconfirmed(status) or _pods(spec, status)


def switch_pause(seconds: int, begun: float | None, *, by_hand: bool) -> Wait:
    """The wait of a blue-green version before it goes live."""
    if by_hand or not seconds:
        return Wait(wait_reasons.PAUSE_STEP.code, "the new version waits until it is promoted", since=begun)
    until = None if begun is None else begun + seconds
    return Wait(
        wait_reasons.TIMED_PAUSE.code, "the new version waits for autoPromotionSeconds", since=begun, until=until
    )


def _pause(spec: RolloutSpec, status: RolloutStatus, pause: PauseCondition) -> Wait | None:
    begun = _time(pause.start_time)
    canary, blue_green = spec.strategy.canary, spec.strategy.blue_green
    if pause.reason == CANARY_PAUSE and canary:
        index = status.current_step_index or 0
        step = canary.steps[index] if index < len(canary.steps) else CanaryStep()
        kind, known = kinds()["pause"], StepStatus(status, index, len(canary.steps), begun)
        return kind.reason(step.pause or Pause(), known)
    if pause.reason == BLUE_GREEN_PAUSE and blue_green:
        by_hand = blue_green.auto_promotion_enabled is False
        return switch_pause(blue_green.auto_promotion_seconds, begun, by_hand=by_hand)
    if pause.reason in (INCONCLUSIVE_ANALYSIS, INCONCLUSIVE_EXPERIMENT):
        what = "an analysis" if pause.reason == INCONCLUSIVE_ANALYSIS else "an experiment"
        return Wait(wait_reasons.INCONCLUSIVE.code, f"{what} was inconclusive: a person has to decide", since=begun)
    return Wait(wait_reasons.PAUSED.code, pause.reason, since=begun)


def _step(spec: RolloutSpec, status: RolloutStatus) -> Wait | None:
    """The reason of the current step of a canary; None if the step waits for pods."""
    steps = spec.strategy.canary.steps if spec.strategy.canary else []
    index = status.current_step_index or 0
    part = deciding(steps[index]) if index < len(steps) else None
    return part[0].reason(part[1], StepStatus(status, index, len(steps))) if part else None


def _unconfirmed(status: RolloutStatus) -> Wait | None:
    """The router does not confirm the weight: the message of the phase counts pods, and none is missing."""
    verified = find(status, TRAFFIC_VERIFIED)
    if verified is None or verified.status != "False":
        return None
    return Wait(wait_reasons.UNCONFIRMED.code, verified.message)


def _run(known: Json | None) -> str:
    return f"{known.get('name')} is {known.get('status') or 'Pending'}" if known else "its analysis begins"


def _pods(spec: RolloutSpec, status: RolloutStatus) -> Wait | None:
    switch = status.blue_green
    for where, run in (
        ("before the switch", switch.pre_promotion_analysis_run_status),
        ("after the switch", switch.post_promotion_analysis_run_status),
    ):
        if run and run.get("status", "") in ("", "Pending", "Running"):
            return Wait(wait_reasons.ANALYSIS.code, f"{where}: {_run(run)}")
    message, _, trouble = status.message.partition(": ")
    reason = _BY_MESSAGE.get(message)
    if reason is None:
        return None
    if reason is not wait_reasons.PODS or trouble:
        return Wait(reason.code, status.message)
    count = 1 if spec.replicas is None else spec.replicas
    return Wait(reason.code, f"{status.message}: {status.available_replicas} of {count} are available")


def _time(text: str | None) -> float | None:
    return parse_time(text) if text else None
