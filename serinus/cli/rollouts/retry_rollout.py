"""`retry rollout`: an aborted update is tried again from its first step."""

from __future__ import annotations

from serinus.api.resources import ROLLOUTS
from serinus.cli.commandline import Call, Command
from serinus.cli.session import open_session


def run(call: Call) -> int:
    session = open_session(call)
    for name in call.args:
        session.patch_status(ROLLOUTS, name, {"status": {"abort": False}})
        print(f"rollout '{name}' retried")
    return 0


COMMAND = Command(
    run,
    "Try aborted updates again, from their first step.",
    "ROLLOUT...",
    ("kubectl argo rollouts retry rollout guestbook",),
    least=1,
    most=None,
    completes="rollouts",
)
