"""`get experiment`: an Experiment with the objects that belong to it."""

from __future__ import annotations

import sys
import time

from serinus.api.resources import EXPERIMENTS
from serinus.cli.cluster.session import open_session
from serinus.cli.cluster.watch import Scene, Watching, surroundings
from serinus.cli.framework.colors import paint
from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.flags import Flag
from serinus.cli.framework.output import OUTPUT, output_format, versioned, written
from serinus.cli.rollouts.get_rollout import show
from serinus.cli.tree import experiment_lines
from serinus.view.rollout_info import experiment_info
from serinus.view.rollout_json import experiment_json

SHORT = "Show an Experiment with its ReplicaSets, pods and analyses"
ALIASES = "exp experiments"


def run(call: Call) -> int:
    session, name = open_session(call), call.args[0]
    colors = paint(call.truth("no-color"))
    experiment, how = session.get(EXPERIMENTS, name), output_format(call)
    if how == "name":
        print(f"experiment.argoproj.io/{name}")
        return 0
    if not call.truth("watch") or how in ("json", "yaml"):
        around = surroundings(session)
        info = experiment_info(experiment, around)
        if how in ("json", "yaml"):
            sys.stdout.write(written(versioned("ExperimentInfo", experiment_json(info, around)), how))
            return 0
        print("\n".join(experiment_lines(info, time.time(), colors)))
        return 0

    def picture(scene: Scene) -> str:
        if scene.main is None:
            return f'experiments.argoproj.io "{name}" not found'
        return "\n".join(experiment_lines(experiment_info(scene.main, scene.around), time.time(), colors))

    return show(Watching(session, EXPERIMENTS, name, wide=True), picture, None, f"experiment {name}")


COMMAND = Command(
    run,
    "Show an Experiment: its state, and as a tree its ReplicaSets, pods and analyses.",
    "EXPERIMENT",
    ("kubectl argo rollouts get experiment my-experiment --watch",),
    flags=(
        Flag("watch", "Keep showing changes", short="w", default=False),
        Flag("no-color", "No colours", default=False),
        OUTPUT,
    ),
    least=1,
    most=1,
    completes="experiments",
)
