"""`abort`: aborts an update. Traffic returns to the stable version."""

from __future__ import annotations

from serinus.cli.cluster.mutate import FLAGS, act_on_all
from serinus.cli.framework.commandline import Call, Command

SHORT = "Stop an update and send all traffic back to the stable version"


def run(call: Call) -> int:
    return act_on_all(call, "abort", "aborted")


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
