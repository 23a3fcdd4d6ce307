"""`retry rollout`: an aborted update is tried again from its first step."""

from __future__ import annotations

from serinus.cli.change import FLAGS, change
from serinus.cli.commandline import Call, Command
from serinus.cli.session import open_session


def run(call: Call) -> int:
    session = open_session(call)
    for name in call.args:
        if change(session, call, name, "Retry", ({"status": {"abort": False}}, None)):
            print(f"rollout '{name}' retried")
    return 0


COMMAND = Command(
    run,
    "Try aborted updates again, from their first step.",
    "ROLLOUT...",
    ("kubectl argo rollouts retry rollout guestbook",),
    flags=FLAGS,
    least=1,
    most=None,
    completes="rollouts",
)
