"""`terminate experiment`: ends an Experiment before its time."""

from __future__ import annotations

from serinus.api.resources import EXPERIMENTS
from serinus.cli.cluster.mutate import FLAGS, change
from serinus.cli.cluster.session import open_session
from serinus.cli.framework.commandline import Call, Command
from serinus.commands.actions import TERMINATE

SHORT = "Stop an Experiment"
ALIASES = "exp experiments"


def run(call: Call) -> int:
    session = open_session(call)
    for name in call.args:
        if change(session, call, name, "terminate-experiment", TERMINATE, EXPERIMENTS):
            # Scripts match exactly this line, wrong word included.
            print(f"experiment '{name}' retried")
    return 0


COMMAND = Command(
    run,
    "End Experiments before their time.",
    "EXPERIMENT...",
    ("kubectl argo rollouts terminate experiment my-experiment",),
    flags=FLAGS,
    least=1,
    most=None,
    completes="experiments",
)
