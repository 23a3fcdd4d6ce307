"""Templates for `on-rollout-step-completed` that were written for Argo Rollouts.

In Argo Rollouts templates see the status before the step was completed, so its catalog, and copies of it, add 1 to
`currentStepIndex`. Here templates see the status just written. Templates that add 1 get the index from before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

REASON = "RolloutStepCompleted"
_ADDS_ONE = re.compile(
    r"\badd1?\s+(?:1\s+)?\(?\s*\.rollout\.status\.currentStepIndex|\.rollout\.status\.currentStepIndex\s*\)?\s*\|\s*add1?\b"
)
_NUMBER = re.compile(r"\bstep (\d+)/")


def adds_one(text: str) -> bool:
    """Whether a template counts from the index of the completed step."""
    return _ADDS_ONE.search(text) is not None


def before_the_step(values: Mapping[str, Any], message: str) -> Mapping[str, Any]:
    """The variables with the index of the step in the Event's message."""
    match = _NUMBER.search(message)
    if match is None:
        return values
    rollout = values["rollout"]
    status = {**(rollout.get("status") or {}), "currentStepIndex": int(match.group(1)) - 1}
    return {**values, "rollout": {**rollout, "status": status}}
