"""`pause`: pauses a Rollout."""

from __future__ import annotations

from serinus.cli.cluster.mutate import FLAGS, act_on_all
from serinus.cli.framework.commandline import Call, Command

SHORT = "Pause a Rollout"


def run(call: Call) -> int:
    return act_on_all(call, "pause", "paused")


COMMAND = Command(
    run,
    "Pause Rollouts until they are promoted.",
    "ROLLOUT...",
    ("kubectl argo rollouts pause guestbook",),
    flags=FLAGS,
    least=1,
    most=None,
    completes="rollouts",
)
