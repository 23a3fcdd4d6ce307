"""`serinus verdict report`: the verdicts on past releases, and the outcomes of these releases."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from serinus.analysis.sequential.reporting import ReportRow, report
from serinus.api.analysis import AnalysisRun
from serinus.api.decoding.reading import converted
from serinus.api.messages.visible import visible, visible_json
from serinus.api.meta import Json
from serinus.api.resources import ANALYSIS_RUNS, ROLLOUTS
from serinus.api.rollout import Rollout
from serinus.cli.framework.columns import Columns
from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.errors import Problem
from serinus.cli.framework.flags import Flag

SHORT = "Compare past verdicts with what became of the releases"

HEAD = [
    "ROLLOUT",
    "METRIC",
    "RELEASES",
    "HARM",
    "ROLLED-BACK",
    "PROMOTED-ANYWAY",
    "SAFE",
    "UNDECIDED",
    "FALSE-ABORTS",
    "BOUND",
]


def run(call: Call) -> int:
    files = [Path(name) for name in call.args]
    for file in files:
        if not file.is_file():
            raise call.usage_problem(f"{file} is no file: save objects there with kubectl get -o json")
    namespace = call.text("namespace")
    objects = [obj for file in files for obj in _items(file)]
    kubeconfig, context = call.text("kubeconfig"), call.text("context")
    objects += [] if files and not (kubeconfig or context) else _listed(namespace, kubeconfig, context)
    rows = report(*_typed(obj for obj in objects if namespace in ("", obj["metadata"].get("namespace"))))
    if call.text("output") == "json":
        print(visible_json(json.dumps([msgspec.to_builtins(row) for row in rows], indent=2)))
    elif not rows:
        print("No AnalysisRun here has a sequential verdict.")
    else:
        table = Columns(HEAD, [7, 6, 8, 4, 11, 15, 4, 9, 12, 5])
        print("\n".join(line.rstrip() for line in table.table([_cells(row) for row in rows])))
    return 0


def _cells(row: ReportRow) -> list[str]:
    false = "-" if row.false_abort is None else f"{row.false_abort:.1%} of {row.promoted}"
    name = visible(f"{row.namespace}/{row.name}")
    counts = (row.releases, row.harm, row.harm_rolled_back, row.harm_promoted, row.safe, row.undecided)
    metric = visible(row.metric) + ("" if row.acted else " (dry run)")
    return [name, metric, *map(str, counts), false, f"{row.bound:.3g}"]


def _items(file: Path) -> list[Json]:
    try:
        decoded: Any = msgspec.json.decode(file.read_bytes())
    except (msgspec.DecodeError, UnicodeDecodeError, OSError) as error:
        raise Problem(f"{file}: no JSON of objects: {error}") from None
    items = decoded.get("items", [decoded]) if isinstance(decoded, dict) else None
    if not isinstance(items, list) or not all(
        isinstance(o, dict) and isinstance(o.get("metadata"), dict) for o in items
    ):
        raise Problem(
            f"{file}: holds no Kubernetes objects: save them with kubectl get analysisruns,rollouts -A -o json"
        )
    return items


def _listed(namespace: str, kubeconfig: str, kube_context: str) -> Iterator[Json]:
    from serinus.kube.configuration.config import ConfigError, Flags, load
    from serinus.kube.errors import ApiError
    from serinus.kube.sync import SyncClient

    try:
        client = SyncClient(load(Flags(kubeconfig=kubeconfig, context=kube_context)))
    except ConfigError as error:
        raise Problem(str(error), "Give FILES, or choose a cluster with --kubeconfig or --context.") from None
    for resource in (ANALYSIS_RUNS, ROLLOUTS):
        try:
            items = client.list(resource, namespace).get("items") or []
        except ApiError as error:
            raise Problem(f"{resource.kind} objects cannot be read: {error.message}") from None
        yield from ({"kind": resource.kind, **obj} for obj in items)


def _typed(objects: Iterable[Json]) -> tuple[list[AnalysisRun], list[Rollout]]:
    """Each object once, by its uid, without other kinds. Problem for an object that cannot be decoded."""
    runs: dict[str, AnalysisRun] = {}
    rollouts: dict[str, Rollout] = {}
    for obj in objects:
        kind, meta = str(obj.get("kind") or ""), obj["metadata"]
        key = str(meta.get("uid") or f"{meta.get('namespace')}/{meta.get('name')}")
        try:
            if kind == "AnalysisRun":
                runs[key] = converted(obj, AnalysisRun)
            elif kind == "Rollout":
                rollouts[key] = converted(obj, Rollout)
        except msgspec.ValidationError as error:
            raise Problem(f"{kind} {meta.get('name')}: {error}") from None
    return list(runs.values()), list(rollouts.values())


COMMAND = Command(
    run,
    "Reads the AnalysisRuns and Rollouts of the cluster, and of FILES as `kubectl get -o json` writes them.\n\n"
    "A Rollout keeps few AnalysisRuns. Save them for a report over weeks, or raise `analysis.successfulRunHistoryLimit`.\n"
    "Harm in a release that was promoted all the same is a false abort, or a failure without notice.",
    "[FILE...]",
    ("kubectl get analysisruns,rollouts -A -o json > monday.json", "serinus verdict report monday.json"),
    flags=(
        Flag("namespace", "Only this namespace (default all)", short="n", metavar="NAME"),
        Flag("kubeconfig", "Path of the kubeconfig", metavar="FILE"),
        Flag("context", "Context of the kubeconfig", metavar="NAME"),
        Flag("output", "json for programs", short="o", default="table", choices=("table", "json")),
    ),
    most=None,
    completes="files",
)
