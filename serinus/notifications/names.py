"""Names in configurations of notifications, of the reference and of Serinus."""

from __future__ import annotations

import re

from serinus.api.names import (
    NOTIFICATION_CONFIG_MAP,
    NOTIFICATION_PENDING,
    NOTIFICATION_SECRET,
    NOTIFICATION_THREADS,
)

CONFIG_MAP, SECRET = NOTIFICATION_CONFIG_MAP, NOTIFICATION_SECRET


PREFIX = "notifications.argoproj.io/"
SUBSCRIBE = f"{PREFIX}subscribe."
SUBSCRIPTIONS = f"{PREFIX}subscriptions"
NOTIFIED = "notified.notifications.argoproj.io"
"""The annotation that records the conditions whose messages were sent."""

PENDING = NOTIFICATION_PENDING

THREADS = NOTIFICATION_THREADS

OWN_ANNOTATIONS = (NOTIFIED, PENDING, THREADS)

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def trigger_of(reason: str) -> str:
    """The trigger of an Event reason: `RolloutStepCompleted` gives `on-rollout-step-completed`.

    `PatchingALBIngress` gives `on-patching-alb-ingress`.
    """
    return "on-" + "-".join(_WORD.split(reason)).lower()
