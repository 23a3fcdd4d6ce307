"""`pause`: holds a Rollout where it is."""

from __future__ import annotations

from serinus.api.resources import ROLLOUTS
from serinus.cli.commandline import Call, Command
from serinus.cli.session import open_session


def run(call: Call) -> int:
    session = open_session(call)
    for name in call.args:
        session.patch(ROLLOUTS, name, {"spec": {"paused": True}})
        print(f"rollout '{name}' paused")
    return 0


COMMAND = Command(
    run,
    "Hold Rollouts where they are, until promote.",
    "ROLLOUT...",
    ("kubectl argo rollouts pause guestbook",),
    least=1,
    most=None,
    completes="rollouts",
)
