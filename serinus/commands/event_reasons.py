"""The reason of the Event that records a command, for the command line and the dashboard."""

from __future__ import annotations

EVENT_REASONS = {
    "promote": "Promote",
    "promote-full": "PromoteFull",
    "skip-current-step": "Promote",
    "skip-all-steps": "Promote",
    "abort": "Abort",
    "retry": "Retry",
    "pause": "Pause",
    "restart": "Restart",
    "set-image": "SetImage",
    "undo": "Undo",
    "retry-experiment": "Retry",
    "terminate-experiment": "Terminate",
    "terminate-analysisrun": "Terminate",
}
"""Command -> reason, in one word."""
