"""`list rollouts`: one line for each Rollout."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from serinus.api.resources import ROLLOUTS
from serinus.api.values.times import format_time
from serinus.cli.cluster.session import Session, open_session
from serinus.cli.framework.columns import Columns
from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.flags import Flag
from serinus.cli.framework.output import OUTPUT, output_format, versioned, written
from serinus.view.rollout_info import Json, phase_and_message, set_weight, step, strategy

SHORT = "List Rollouts"
ALIASES = "ro rollout"

HEADS = ("NAME", "STRATEGY", "STATUS", "STEP", "SET-WEIGHT", "READY", "DESIRED", "UP-TO-DATE", "AVAILABLE")
LEAST = (10, 9, 12, 4, 10, 5, 7, 10, 9)

FAILURES_IN_A_ROW, AGAIN_SECONDS = 7, 1.0


def run(call: Call) -> int:
    session = open_session(call)
    everywhere, stamped = call.truth("all-namespaces"), call.truth("timestamps")
    fields = f"metadata.name={call.text('name')}" if call.text("name") else ""
    listing = session.list(ROLLOUTS, everywhere=everywhere, fields=fields)
    items: list[Json] = listing.get("items") or []
    how = output_format(call)
    if how in ("json", "yaml", "name"):
        return _told(items, how)
    table = columns(everywhere, stamped, wide=how == "wide")

    def cells(rollout: Json) -> list[str]:
        space = [str(rollout["metadata"].get("namespace") or "")] if everywhere else []
        more = [phase_and_message(rollout)[1] or "-"] if how == "wide" else []
        return [*([format_time(time.time())] if stamped else []), *space, *summary(rollout), *more]

    if not items and not call.truth("watch"):
        sys.stderr.write("No resources found.\n")
        return 0
    print("\n".join(table.table([cells(item) for item in items])), flush=True)
    if call.truth("watch"):
        version = str((listing.get("metadata") or {}).get("resourceVersion") or "")
        summaries = {_key(item): summary(item) for item in items}
        _follow(session, everywhere, fields, version, summaries, lambda rollout: table.row(cells(rollout)))
    return 0


def _told(items: list[Json], how: str) -> int:
    """For programs: names, or the objects of the dashboard's HTTP API."""
    if how == "name":
        sys.stdout.write("".join(f"rollout.argoproj.io/{item['metadata']['name']}\n" for item in items))
        return 0
    from serinus.view.rollout_info import Surroundings, rollout_info
    from serinus.view.rollout_json import rollout_json

    alone = Surroundings()
    infos = [rollout_json(item, rollout_info(item, alone), alone, short=True) for item in items]
    sys.stdout.write(written(versioned("RolloutInfoList", {"rollouts": infos}), how))
    return 0


def columns(everywhere: bool, stamped: bool, *, wide: bool = False) -> Columns:
    heads = [*(["TIMESTAMP"] if stamped else []), *(["NAMESPACE"] if everywhere else []), *HEADS]
    least = [*([20] if stamped else []), *([9] if everywhere else []), *LEAST]
    return Columns([*heads, "MESSAGE"] if wide else heads, [*least, 7] if wide else least)


def summary(rollout: Json) -> list[str]:
    """The cells of one Rollout, from NAME to AVAILABLE."""
    spec, status = rollout.get("spec") or {}, rollout.get("status") or {}
    kind = strategy(rollout)
    desired = spec.get("replicas")
    return [
        str(rollout["metadata"]["name"]),
        kind,
        phase_and_message(rollout)[0],
        step(rollout) or "-",
        str(set_weight(rollout)) if kind == "Canary" else "-",
        f"{status.get('readyReplicas') or 0}/{status.get('replicas') or 0}",
        str(1 if desired is None else desired),
        str(status.get("updatedReplicas") or 0),
        str(status.get("availableReplicas") or 0),
    ]


def _follow(
    session: Session,
    everywhere: bool,
    fields: str,
    version: str,
    summaries: dict[tuple[str, str], list[str]],
    row: Callable[[Json], str],
) -> None:
    """Print a line for each change of the table until Ctrl-C. Problem if the watch fails."""
    from serinus.kube.errors import ApiError, Gone

    failures = 0
    while True:
        try:
            space = "" if everywhere else session.namespace
            for kind, rollout in session.client.watch(ROLLOUTS, space, version=version, fields=fields):
                failures = 0
                version = str(rollout["metadata"].get("resourceVersion") or version)
                if kind == "DELETED":
                    summaries.pop(_key(rollout), None)
                elif kind != "BOOKMARK" and summaries.get(_key(rollout)) != (new := summary(rollout)):
                    summaries[_key(rollout)] = new
                    print(row(rollout), flush=True)
        except Gone:
            version = ""
        except ApiError as error:
            failures += 1
            if failures >= FAILURES_IN_A_ROW:
                raise session.problem(error, ROLLOUTS) from error
            time.sleep(AGAIN_SECONDS)


def _key(rollout: Json) -> tuple[str, str]:
    return str(rollout["metadata"].get("namespace") or ""), str(rollout["metadata"]["name"])


COMMAND = Command(
    run,
    "List Rollouts, one line each.",
    "",
    ("kubectl argo rollouts list rollouts", "kubectl argo rollouts list rollouts --all-namespaces --watch"),
    flags=(
        Flag("name", "Only the Rollout of this name", metavar="NAME"),
        Flag("all-namespaces", "Those of all namespaces", short="A", default=False),
        Flag("watch", "Add a line at each change", short="w", default=False),
        Flag("timestamps", "The time in front of each line", default=False),
        OUTPUT,
    ),
)
