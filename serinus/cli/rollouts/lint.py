"""`lint`: checks the Rollouts of a file as the API server and the controller do, without calling either."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypeVar

from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.errors import Problem
from serinus.cli.framework.flags import Flag
from serinus.view.rollout_info import Json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serinus.api.rollout import WorkloadRef
    from serinus.api.validation.findings import Finding
    from serinus.api.workloads import Workload

SHORT = "Check the Rollouts of a file"

T = TypeVar("T")
_TEMPLATES = ("AnalysisTemplate", "ClusterAnalysisTemplate")


def run(call: Call) -> int:
    from serinus.cli.framework.yaml_lines import line_of
    from serinus.cli.manifests import admitted, manifests

    filename = call.text("filename")
    if not filename:
        raise call.usage_problem("lint needs -f FILENAME")
    checked = [(manifest, *admitted(manifest.obj)) for manifest in manifests(filename)]
    objects = [obj for _, obj, wrong in checked if not wrong]
    first: Finding | None = None
    warned: list[str] = []
    places: list[str] = []
    for manifest, obj, wrong in checked:
        if not obj["apiVersion"].startswith("argoproj.io/"):
            continue
        if not wrong and obj["kind"] == "Rollout":
            warned += [f"{_named(obj)}: {short}" for short in short_steps(obj, objects)]
        for finding in wrong or findings(obj, objects):
            first = first or finding
            print(finding.message.removeprefix(f"{finding.path}: "))
            path = f"{manifest.within}.{finding.path}"
            where = f"{filename}:{line_of(manifest.chunk, path)}: {_named(obj)}"
            places.append(f"{where}: {finding.path}" if finding.path else where)
    sys.stderr.write("".join(f"warning: {text}\n" for text in warned))
    if first is not None:
        raise Problem(first.message, "\n".join(places))
    return 0


def findings(obj: Json, objects: list[Json]) -> Iterator[Finding]:
    """Why the controller refuses an object that the API server admits, from the objects of this file.

    Objects that are not in the file are no finding: they may be on the cluster.
    """
    if obj["kind"] == "Rollout":
        yield from _of_rollout(obj, [other for other in objects if _space(other) in (_space(obj), None)])
    elif obj["kind"] == "Experiment":
        yield from _of_experiment(obj)
    elif obj["kind"] in (*_TEMPLATES, "AnalysisRun"):
        yield from _of_metrics(obj)


def _of_metrics(obj: Json) -> Iterator[Finding]:
    """Errors of the providers under `plugin`. The schema of the CRDs covers the others."""
    from serinus.analysis.providers.registry import problems
    from serinus.api.analysis import AnalysisTemplate
    from serinus.api.validation.findings import Finding

    for place, metric in enumerate(_typed(obj, AnalysisTemplate).spec.metrics):
        own = [row for row in problems(metric) if row[0].startswith("provider.plugin.")]
        for field, problem in own:
            path = f"spec.metrics[{place}].{field}"
            yield Finding(path, f"{path}: {problem}")


def _of_rollout(obj: Json, near: list[Json]) -> Iterator[Finding]:
    from serinus.api.network import Ingress, Service
    from serinus.api.rollout import Rollout
    from serinus.api.validation.rollout import validate_all
    from serinus.engine.judging.analysis_validation import findings as analysis_findings
    from serinus.engine.strategy.spec_rules import RULES

    rollout = _typed(obj, Rollout)
    templates = {f"{o['kind']}/{_name(o)}": o for o in near if o["kind"] in _TEMPLATES}
    findings = validate_all(
        rollout,
        services={_name(o): _typed(o, Service) for o in near if o["kind"] == "Service"},
        ingresses={_name(o): _typed(o, Ingress) for o in near if o["kind"] == "Ingress"},
        objects=templates | {f"{_key(o)}/{_name(o)}": o for o in near if "." in _key(o)},
        workload=_workload(rollout.spec.workload_ref, near),
        rules=RULES,
    )
    yield from [finding for finding in findings if finding.missing is None] or analysis_findings(rollout, templates)


def short_steps(obj: Json, objects: list[Json]) -> list[str]:
    """Warnings about steps of a Rollout that are too short for their sequential verdict. They are no errors."""
    from serinus.api.rollout import Rollout
    from serinus.engine.judging.short_steps import short_steps as found_in

    near = [other for other in objects if _space(other) in (_space(obj), None)]
    templates = {f"{o['kind']}/{_name(o)}": o for o in near if o["kind"] in _TEMPLATES}
    return [short.message for short in found_in(_typed(obj, Rollout), templates)]


def _workload(reference: WorkloadRef | None, near: list[Json]) -> Workload | None:
    from serinus.api.workloads import Workload

    identity = (reference.api_version, reference.kind, reference.name) if reference else None
    return next((_typed(o, Workload) for o in near if (o["apiVersion"], o["kind"], _name(o)) == identity), None)


def _of_experiment(obj: Json) -> Iterator[Finding]:
    from serinus.api.experiment import Experiment
    from serinus.api.validation.findings import Finding
    from serinus.engine.experiment.validation import invalid_experiment

    wrong = invalid_experiment(_typed(obj, Experiment))
    if wrong:
        yield Finding("", wrong)


def _typed(obj: Json, kind: type[T]) -> T:
    import msgspec

    try:
        return msgspec.convert(obj, kind)
    except msgspec.ValidationError as error:
        raise Problem(f"{_named(obj)}: {error}") from None


def _name(obj: Json) -> str:
    return str((obj.get("metadata") or {}).get("name") or "")


def _named(obj: Json) -> str:
    return f"{obj['kind']} {_name(obj)}".rstrip()


def _key(obj: Json) -> str:
    """`Kind.group`, as routers name the kinds of other projects; `Kind` for the core group."""
    group = str(obj["apiVersion"]).rpartition("/")[0]
    return f"{obj['kind']}.{group}" if group else str(obj["kind"])


def _space(obj: Json) -> str | None:
    """The namespace; None for cluster-scoped kinds."""
    if obj["kind"] == "ClusterAnalysisTemplate":
        return None
    return str((obj.get("metadata") or {}).get("namespace") or "")


COMMAND = Command(
    run,
    "Check the Rollouts, Experiments and analysis templates of a file, as the API server and the controller do.\n"
    "Exit code 1 if any would be refused. Objects that the file does not hold are not missed.\n"
    "Warns on standard error of steps that are too short for a sequential verdict.",
    "-f FILENAME",
    ("kubectl argo rollouts lint -f my-rollout.yaml",),
    flags=(Flag("filename", "File with the objects, - for standard input", "f", metavar="FILE"),),
)
