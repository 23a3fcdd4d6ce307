"""Steps that a plugin runs: when to call it, and the effects of its answer. The controller makes the call.

`status.canary.stepPluginStatuses` contains the plugin's answers, one entry for each step and operation. After a restart
the controller continues from them. Source: canary strategy, section 3 ("Plugin"); the Rollout resource, section 9.
"""

from __future__ import annotations

from typing import Literal

from serinus.api.meta import Json
from serinus.api.rollout import CanaryStep, RolloutStatus
from serinus.api.step_plugin import Answer
from serinus.api.values.times import format_time, parse_time
from serinus.engine.core import wait_reasons
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.plan import Event, PluginCall
from serinus.engine.status.abort import abort
from serinus.engine.status.conditions import promoted

LEAST_BACKOFF = 10.0
"""Seconds; a shorter delay from the plugin, or none, means `BACKOFF`."""
BACKOFF = 30.0


def entry(status: RolloutStatus, index: int, operation: str) -> Json | None:
    entries = (e for e in status.canary.step_plugin_statuses if e["index"] == index and e["operation"] == operation)
    return next(entries, None)


def complete(builder: PlanBuilder, step: CanaryStep, index: int) -> bool:
    """Whether the plugin of this step is done; calls it when it is time to."""
    assert step.plugin is not None
    status, now, name = builder.status, builder.context.now, step.plugin.name
    answer = entry(status, index, "Run")
    phase = (answer or {}).get("phase")
    if answer and (answer.get("disabled") or phase == "Successful"):
        return True
    if answer and phase == "Failed":
        abort(builder, f"Step Plugin {index + 1} ({name}) failed: {answer.get('message', '')}")
        return False
    message = f": {answer['message']}" if answer and answer.get("message") else ""
    again = _requeue_at(answer)
    if again is not None and now < again:
        builder.wait(wait_reasons.PLUGIN.code, f"step {index + 1}: plugin {name} is {phase}{message}")
        builder.requeue(again)  # the plugin is called again then, which may not end the wait
        return False
    builder.wait(wait_reasons.PLUGIN.code, f"step {index + 1}: plugin {name} is asked{message}")
    because = f"step {index + 1} is carried out by the plugin {name}"
    builder.calls.append(PluginCall(index, name, "Run", because, step.plugin.config, answer))
    return False


def _requeue_at(answer: Json | None) -> float | None:
    """When the next call of the plugin is due (seconds since the epoch)."""
    since = parse_time(answer.get("updatedAt")) if answer else None
    if answer is None or since is None:
        return None
    text = str(answer.get("backoff") or "")
    seconds = float(text.removesuffix("s")) if text.removesuffix("s").replace(".", "", 1).isdigit() else BACKOFF
    return since + seconds


def stop_plugins(builder: PlanBuilder) -> None:
    """Plan calls that undo the plugins' work after an abort (the last first), or end it after a promotion."""
    status, steps = builder.status, builder.context.steps
    if not status.canary.step_plugin_statuses:
        return
    ran = [e for e in status.canary.step_plugin_statuses if e["operation"] == "Run" and not e.get("disabled")]
    if status.abort:
        operation, phases, because = "Abort", ("Running", "Successful"), "the update was aborted"
    elif status.promote_full or promoted(status):
        operation, phases, because = "Terminate", ("Running",), "the update goes on without it"
    else:
        return
    for answer in sorted(ran, key=lambda e: e["index"], reverse=True):
        index = answer["index"]
        if answer.get("phase") not in phases or entry(status, index, operation) is not None:
            continue
        plugin = steps[index].plugin if index < len(steps) else None
        config = plugin.config if plugin else None
        builder.calls.append(PluginCall(index, answer["name"], operation, because, config, answer))


def answered(status: RolloutStatus, call: PluginCall, answer: Answer, now: float) -> tuple[list[Json], Event | None]:
    """(the new `stepPluginStatuses`, an Event if the phase changed)."""
    before = entry(status, call.index, call.operation)
    at = format_time(now)
    new: Json = {
        "index": call.index,
        "name": call.name,
        "operation": call.operation,
        "phase": answer.phase,
        "startedAt": (before or {}).get("startedAt", at),
        "updatedAt": at,
        "executions": (before or {}).get("executions", 0) + 1,
    }
    if answer.message:
        new["message"] = answer.message
    notes = answer.status if answer.status is not None else (before or {}).get("status")
    if notes is not None:
        new["status"] = notes
    if answer.disabled:
        new["disabled"] = True
    if answer.phase in ("Running", "Error"):
        asked = answer.requeue_after if answer.phase == "Running" else 0.0
        new["backoff"] = f"{asked if asked > LEAST_BACKOFF else BACKOFF:g}s"
    else:
        new["finishedAt"] = at
    rest = [e for e in status.canary.step_plugin_statuses if e is not before]
    return [*rest, new], _told(call, before, answer)


def _told(call: PluginCall, before: Json | None, answer: Answer) -> Event | None:
    if (before or {}).get("phase") == answer.phase or (call.operation == "Run" and answer.phase == "Successful"):
        return None
    how = {"Run": "transitioned to", "Abort": "aborted", "Terminate": "terminated"}[call.operation]
    state = f"{how} {answer.phase}" if call.operation == "Run" else f"{how} ({answer.phase})"
    kind: Literal["Normal", "Warning"] = "Warning" if answer.phase in ("Failed", "Error") else "Normal"
    return Event("StepPluginTransition", f"Step plugin {call.name} (step {call.index + 1}) {state}", kind)
