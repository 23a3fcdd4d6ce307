"""`serinus verdict report`: the verdicts on past releases, and the outcomes of these releases."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from serinus.analysis.sequential.reporting import Row, report
from serinus.api.analysis import AnalysisRun
from serinus.api.decoding.reading import converted
from serinus.api.messages.visible import visible, visible_json
from serinus.api.meta import Json
from serinus.api.resources import ANALYSIS_RUNS, ROLLOUTS
from serinus.api.rollout import Rollout
from serinus.cli.framework.columns import Columns
from serinus.cli.framework.errors import Problem

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


@click.command("report", short_help="Compare past verdicts with what became of the releases.")
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-n", "--namespace", default="", help="Only this namespace.  [default: all]")
@click.option("--kubeconfig", default="", help="Path of the kubeconfig.")
@click.option("--context", "kube_context", default="", help="Context of the kubeconfig.")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def report_command(files: tuple[Path, ...], namespace: str, kubeconfig: str, kube_context: str, output: str) -> None:
    """Reads the AnalysisRuns and Rollouts of the cluster, and of FILES as `kubectl get -o json` writes them.

    A Rollout keeps few AnalysisRuns. Save them for a report over weeks, or raise `analysis.successfulRunHistoryLimit`.
    Harm in a release that was promoted all the same is a false abort, or a failure without notice.

    \b
    kubectl get analysisruns,rollouts -A -o json > monday.json
    serinus verdict report monday.json
    """
    objects = [obj for file in files for obj in _items(file)]
    objects += [] if files and not (kubeconfig or kube_context) else _listed(namespace, kubeconfig, kube_context)
    rows = report(*_typed(obj for obj in objects if namespace in ("", obj["metadata"].get("namespace"))))
    if output == "json":
        click.echo(visible_json(json.dumps([msgspec.to_builtins(row) for row in rows], indent=2)))
    elif not rows:
        click.echo("No AnalysisRun here has a sequential verdict.")
    else:
        table = Columns(HEAD, [7, 6, 8, 4, 11, 15, 4, 9, 12, 5])
        click.echo("\n".join(line.rstrip() for line in table.table([_cells(row) for row in rows])))


def _cells(row: Row) -> list[str]:
    false = "-" if row.false_abort is None else f"{row.false_abort:.1%} of {row.promoted}"
    name = visible(f"{row.namespace}/{row.name}")
    counts = (row.releases, row.harm, row.harm_rolled_back, row.harm_promoted, row.safe, row.undecided)
    metric = visible(row.metric) + ("" if row.acted else " (dry run)")
    return [name, metric, *map(str, counts), false, f"{row.bound:.3g}"]


def _items(file: Path) -> list[Json]:
    try:
        found: Any = msgspec.json.decode(file.read_bytes())
    except (msgspec.DecodeError, UnicodeDecodeError, OSError) as error:
        raise Problem(f"{file}: no JSON of objects: {error}") from None
    items = found.get("items", [found]) if isinstance(found, dict) else None
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
            found = client.list(resource, namespace).get("items") or []
        except ApiError as error:
            raise Problem(f"{resource.kind} objects cannot be read: {error.message}") from None
        yield from ({"kind": resource.kind, **obj} for obj in found)


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
