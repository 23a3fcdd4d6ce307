"""`pause`: holds a Rollout where it is."""

from __future__ import annotations

from serinus.cli.change import FLAGS, change
from serinus.cli.commandline import Call, Command
from serinus.cli.session import open_session


def run(call: Call) -> int:
    session = open_session(call)
    for name in call.args:
        if change(session, call, name, "Pause", (None, {"spec": {"paused": True}})):
            print(f"rollout '{name}' paused")
    return 0


COMMAND = Command(
    run,
    "Hold Rollouts where they are, until promote.",
    "ROLLOUT...",
    ("kubectl argo rollouts pause guestbook",),
    flags=FLAGS,
    least=1,
    most=None,
    completes="rollouts",
)
