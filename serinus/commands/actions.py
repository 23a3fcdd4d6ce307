"""The patches of each action on a Rollout, an Experiment or an AnalysisRun.

Source: the command line, section 1 (writes and effects of each action).
"""

from __future__ import annotations

from serinus.commands.decision import Json, Patches, Refusal
from serinus.commands.effects import NoEffect, no_effect
from serinus.commands.promotion import promotion

UNREAD: dict[str, Patches] = {
    "abort": Patches(status={"status": {"abort": True}}),
    "retry": Patches(status={"status": {"abort": False}}),
    "pause": Patches(spec={"spec": {"paused": True}}),
}
"""The actions whose patches do not depend on the Rollout: a user who may not read it can still carry them out."""

RETRY_EXPERIMENT = Patches(spec={"status": None})
"""Experiments have no status subresource: this patch goes to the object."""

TERMINATE = Patches(spec={"spec": {"terminate": True}})
"""For Experiments and AnalysisRuns."""


class WithoutEffect(Refusal):
    """The action would have no effect now. `holds`: the requested state exists already, which is no failure.

    `sentence`: a clause with the Rollout as its subject, "it".
    """

    def __init__(self, reason: NoEffect) -> None:
        super().__init__(reason.why, reason.hint)
        self.holds = reason.holds


def action_patches(action: str, rollout: Json, *, restart_at: str = "") -> Patches:
    """The patches of one of `effects.ACTIONS`. Raises WithoutEffect, or Refusal for steps that cannot be skipped.

    `restart_at`: the time of a restart, in RFC 3339.
    """
    reason = no_effect(action, rollout)
    if reason is not None:
        raise WithoutEffect(reason)
    if action in UNREAD:
        return UNREAD[action]
    if action == "restart":
        return Patches(spec={"spec": {"restartAt": restart_at}})
    return promotion(action, rollout)
