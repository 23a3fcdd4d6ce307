"""The box at the top of a Rollout's page: pods that cannot start, the reasons for the wait, and what decided. Pure."""

from __future__ import annotations

import re
from typing import Any

from msgspec import to_builtins
from msgspec.structs import replace

from serinus.engine.explain.metrics import words
from serinus.engine.explain.why import PodTrouble, Why, WhyReason
from serinus.view.pod_words import cannot_start
from serinus.view.rollout_info import RolloutInfo

Json = dict[str, Any]

_DECIDED = ("Failed", "Error", "Inconclusive")
"""Phases of a metric that ends an update."""

_CODED = re.compile(r"([A-Z][A-Za-z]+)(?:: (.*))?", re.DOTALL)
"""A status message that begins with a code, such as `CanaryPauseStep` or `RolloutAborted: Rollout aborted …`."""


def now_box(info: RolloutInfo, why: Why) -> Json:
    """The lines of the box, without the live versions. No line repeats another one or a bare code."""
    reasons = [_without(reason, why.troubles) for reason in why.reasons]
    message = _message(info, why)
    return {
        "troubles": [_trouble(one) for one in why.troubles],
        "said": "" if any(message in reason.message for reason in reasons) else message,
        "reasons": [to_builtins(reason) for reason in reasons if reason.message],
        "judged": [
            {"label": "Decided" if metric.phase in _DECIDED else "Measured", "text": words(metric)}
            for metric in why.metrics
        ],
        "shortSteps": list(why.short_steps),
        "next": why.next,
        "unread": why.unread,
    }


def _trouble(one: PodTrouble) -> Json:
    text = f"{cannot_start(one.code)} ({one.available} of {one.desired} pods of revision {one.revision} are available)"
    return {"text": text, "detail": one.sentence}


def _without(reason: WhyReason, troubles: tuple[PodTrouble, ...]) -> WhyReason:
    """The reason without the trouble of pods, which has its own line."""
    message = reason.message
    for one in troubles:
        message = message.replace(f": {one.sentence}", "").replace(one.sentence, "").rstrip()
    return replace(reason, message=message)


def _message(info: RolloutInfo, why: Why) -> str:
    """The message of the status without its code; "" if a line of the box has the same."""
    coded = _CODED.fullmatch(info.message)
    message = (coded[2] or "") if coded and (coded[2] or why.reasons) else info.message
    for one in why.troubles:
        message = message.replace(f": {one.lasting}", "")
    return message
