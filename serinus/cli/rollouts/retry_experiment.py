"""`retry experiment`: a finished Experiment starts anew."""

from __future__ import annotations

from serinus.api.resources import EXPERIMENTS
from serinus.cli.commandline import Call, Command
from serinus.cli.session import open_session


def run(call: Call) -> int:
    session = open_session(call)
    for name in call.args:
        session.patch(EXPERIMENTS, name, {"status": None})
        print(f"experiment '{name}' retried")
    return 0


COMMAND = Command(
    run,
    "Start Experiments anew: all that they found is forgotten.",
    "EXPERIMENT...",
    ("kubectl argo rollouts retry experiment my-experiment",),
    least=1,
    most=None,
    completes="experiments",
)
