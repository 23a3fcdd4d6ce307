"""`retry rollout`: restarts an aborted update from its first step."""

from __future__ import annotations

from serinus.cli.cluster.mutate import FLAGS, act_on_all
from serinus.cli.framework.commandline import Call, Command

SHORT = "Retry an aborted Rollout"
ALIASES = "ro rollouts"


def run(call: Call) -> int:
    return act_on_all(call, "retry", "retried")


COMMAND = Command(
    run,
    "Retry aborted updates from their first step.",
    "ROLLOUT...",
    ("kubectl argo rollouts retry rollout guestbook",),
    flags=FLAGS,
    least=1,
    most=None,
    completes="rollouts",
)
