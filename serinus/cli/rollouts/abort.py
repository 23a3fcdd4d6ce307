"""`abort`: stops an update; traffic goes back to the stable version."""

from __future__ import annotations

from serinus.cli.change import FLAGS, change
from serinus.cli.commandline import Call, Command
from serinus.cli.session import open_session


def run(call: Call) -> int:
    session = open_session(call)
    for name in call.args:
        if change(session, call, name, "Abort", ({"status": {"abort": True}}, None)):
            print(f"rollout '{name}' aborted")
    return 0


COMMAND = Command(
    run,
    "Stop updates that are under way: all traffic goes back to the stable version, which is scaled up for it.\n"
    "The Rollout is Degraded until a new version is applied or the update is tried again with retry.",
    "ROLLOUT...",
    ("kubectl argo rollouts abort guestbook", "kubectl argo rollouts abort guestbook --revision 3"),
    flags=FLAGS,
    least=1,
    most=None,
    completes="rollouts",
)
