"""`retry experiment`: restarts a finished Experiment."""

from __future__ import annotations

from serinus.api.resources import EXPERIMENTS
from serinus.cli.cluster.mutate import FLAGS, change
from serinus.cli.cluster.session import open_session
from serinus.cli.framework.commandline import Call, Command
from serinus.commands.actions import RETRY_EXPERIMENT

SHORT = "Retry a failed Experiment"
ALIASES = "exp experiments"


def run(call: Call) -> int:
    session = open_session(call)
    for name in call.args:
        if change(session, call, name, "retry-experiment", RETRY_EXPERIMENT, EXPERIMENTS):
            print(f"experiment '{name}' retried")
    return 0


COMMAND = Command(
    run,
    "Retry Experiments: they start again without their earlier results.",
    "EXPERIMENT...",
    ("kubectl argo rollouts retry experiment my-experiment",),
    flags=FLAGS,
    least=1,
    most=None,
    completes="experiments",
)
