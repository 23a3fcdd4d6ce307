"""`create analysisrun`: a run of an AnalysisTemplate, without a Rollout."""

from __future__ import annotations

import copy
import sys

from serinus.api.resources import ANALYSIS_RUNS, ANALYSIS_TEMPLATES, CLUSTER_ANALYSIS_TEMPLATES
from serinus.cli.cluster.mutate import DRY_RUN
from serinus.cli.cluster.session import Session, open_session
from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.errors import USAGE, Problem
from serinus.cli.framework.flags import Flag
from serinus.cli.rollouts.create import create, told
from serinus.view.rollout_info import Json

SHORT = "Create an AnalysisRun from a template"
ALIASES = "ar"

INSTANCE_ID = "argo-rollouts.argoproj.io/controller-instance-id"


def run(call: Call) -> int:
    given = arguments(call.texts("argument"))
    if not call.text("from") and not call.text("from-file"):
        raise Problem("one of --from or --from-file must be specified", code=USAGE)
    session = open_session(call)
    template = _template(call, session)
    obj = analysis_run(
        template,
        given,
        name=call.text("name"),
        generate_name=call.text("generate-name"),
        instance_id=call.text("instance-id"),
    )
    tried = call.truth("dry-run")
    print(told(ANALYSIS_RUNS, create(session, ANALYSIS_RUNS, obj, tried=tried), tried=tried))
    return 0


def arguments(texts: list[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise Problem("arguments must be in the form NAME=VALUE", f"Found: {text}", code=USAGE)
        values[name] = value
    return values


def analysis_run(
    template: Json, given: dict[str, str], *, name: str = "", generate_name: str = "", instance_id: str = ""
) -> Json:
    """The run to create. Problem if an argument has no value. Arguments that the template lacks: a line on stderr."""
    own = str((template.get("metadata") or {}).get("name") or "")
    meta: Json = {"name": name} if name else {"generateName": generate_name or f"{own}-"}
    if instance_id:
        meta["labels"] = {INSTANCE_ID: instance_id}
    spec: Json = copy.deepcopy(template.get("spec") or {})
    args: list[Json] = spec.get("args") or []
    for arg in args:
        if arg.get("name") in given:
            arg.pop("valueFrom", None)
            arg["value"] = given[str(arg["name"])]
        if arg.get("value") is None and arg.get("valueFrom") is None:
            raise Problem(
                f"args.{arg.get('name')} was not resolved", f"Give it with --argument {arg.get('name')}=VALUE"
            )
    unknown = given.keys() - {arg.get("name") for arg in args}
    if unknown:
        sys.stderr.write(f"Warning: the template has no argument {', '.join(sorted(unknown))}\n")
    return {
        "apiVersion": ANALYSIS_RUNS.api_version,
        "kind": ANALYSIS_RUNS.kind,
        "metadata": meta,
        "spec": spec,
    }


def _template(call: Call, session: Session) -> Json:
    if call.text("from"):
        resource = CLUSTER_ANALYSIS_TEMPLATES if call.truth("global") else ANALYSIS_TEMPLATES
        return session.get(resource, call.text("from"))
    from serinus.cli.manifests import complaints, documents

    filename = call.text("from-file")
    objects = documents(filename)
    kind = CLUSTER_ANALYSIS_TEMPLATES.kind if call.truth("global") else ANALYSIS_TEMPLATES.kind
    if len(objects) != 1 or objects[0]["kind"] != kind:
        kinds = ", ".join(str(obj["kind"]) for obj in objects) or "nothing"
        raise Problem(f"{filename}: one {kind} was expected, found {kinds}")
    wrong = complaints(objects[0])
    if wrong:
        raise Problem(f"{filename}: {wrong[0]}", "\n".join(wrong[1:]))
    return objects[0]


COMMAND = Command(
    run,
    "Run an AnalysisTemplate once, without a Rollout.",
    "",
    (
        "kubectl argo rollouts create analysisrun --from my-template -a service=web",
        "kubectl argo rollouts create analysisrun --from my-cluster-template --global --name my-run",
    ),
    flags=(
        Flag("from", "Name of the template", metavar="NAME"),
        Flag("from-file", "File with the template", metavar="FILE"),
        Flag("global", "The template is a ClusterAnalysisTemplate", default=False),
        Flag("name", "Name of the run", metavar="NAME"),
        Flag("generate-name", "Beginning of the run's name (default: the template's name)", metavar="PREFIX"),
        Flag("instance-id", "Controller that is to carry it out", metavar="ID"),
        Flag("argument", "NAME=VALUE of an argument; may be repeated", "a", (), "NAME=VALUE"),
        DRY_RUN,
    ),
)
