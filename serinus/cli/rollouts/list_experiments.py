"""`list experiments`: one line for each Experiment."""

from __future__ import annotations

import sys
import time

from serinus.api.resources import EXPERIMENTS
from serinus.api.values.durations import pause_seconds
from serinus.api.values.times import age_words, parse_time
from serinus.cli.cluster.session import open_session
from serinus.cli.framework.columns import Columns
from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.flags import Flag
from serinus.cli.framework.output import OUTPUT, output_format, versioned, written
from serinus.view.rollout_info import Json, Surroundings, experiment_info
from serinus.view.rollout_json import experiment_json

SHORT = "List Experiments"
ALIASES = "exp experiment"


def run(call: Call) -> int:
    session, everywhere = open_session(call), call.truth("all-namespaces")
    items: list[Json] = session.list(EXPERIMENTS, everywhere=everywhere).get("items") or []
    how = output_format(call)
    if how == "name":
        sys.stdout.write("".join(f"experiment.argoproj.io/{item['metadata']['name']}\n" for item in items))
        return 0
    if how in ("json", "yaml"):
        alone = Surroundings()
        infos = [experiment_json(experiment_info(item, alone), alone) for item in items]
        sys.stdout.write(written(versioned("ExperimentInfoList", {"experiments": infos}), how))
        return 0
    if not items:
        sys.stderr.write("No resources found.\n")
        return 0
    heads = [*(["NAMESPACE"] if everywhere else []), "NAME", "STATUS", "DURATION", "REMAINING", "AGE"]
    table = Columns(heads, [*([9] if everywhere else []), 10, 6, 8, 9, 3])
    now = time.time()
    rows = [[*([str(e["metadata"].get("namespace") or "")] if everywhere else []), *summary(e, now)] for e in items]
    print("\n".join(table.table(rows)))
    return 0


def summary(experiment: Json, now: float) -> list[str]:
    """The cells of one Experiment, from NAME to AGE."""
    meta, spec, status = experiment["metadata"], experiment.get("spec") or {}, experiment.get("status") or {}
    born = parse_time(meta.get("creationTimestamp"))
    return [
        str(meta["name"]),
        str(status.get("phase") or ""),
        str(spec.get("duration") or "-"),
        _remaining(spec, status, now),
        "<unknown>" if born is None else age_words(now - born),
    ]


def _remaining(spec: Json, status: Json, now: float) -> str:
    began = parse_time(status.get("availableAt"))
    if status.get("phase") != "Running" or began is None or not spec.get("duration"):
        return "-"
    try:
        return age_words(began + pause_seconds(spec["duration"]) - now)
    except ValueError:
        return "-"


COMMAND = Command(
    run,
    "List Experiments, one line each.",
    "",
    ("kubectl argo rollouts list experiments",),
    flags=(Flag("all-namespaces", "Those of all namespaces", short="A", default=False), OUTPUT),
)
