"""`create`: objects of argoproj.io from files."""

from __future__ import annotations

from serinus.api.resources import ARGOPROJ, EXPERIMENTS, ROLLOUTS, Resource
from serinus.cli.cluster.mutate import DRY_RUN
from serinus.cli.cluster.session import Session, open_session
from serinus.cli.framework.commandline import Call, Command, understand
from serinus.cli.framework.errors import Problem
from serinus.cli.framework.flags import Flag
from serinus.view.rollout_info import Json

SHORT = "Create Rollouts, Experiments, AnalysisTemplates and AnalysisRuns"


def run(call: Call) -> int:
    from serinus.cli.manifests import complaints, documents

    filenames = call.texts("filename")
    if not filenames:
        raise call.usage_problem("create needs -f FILENAME")
    session, created = open_session(call), list[tuple[Resource, Json]]()
    tried = call.truth("dry-run")
    for filename in filenames:
        objects = documents(filename)
        if len(objects) != 1:
            raise Problem(f"{filename}: one object was expected, found {len(objects)}", "Use one file for each object.")
        resource = resource_of(objects[0])
        wrong = complaints(objects[0])
        if wrong:
            raise Problem(f"{filename}: {wrong[0]}", "\n".join(wrong[1:]))
        obj = create(session, resource, objects[0], tried=tried)
        print(told(resource, obj, tried=tried))
        created.append((resource, obj))
    return _watch(call, created) if call.truth("watch") and not tried else 0


def resource_of(obj: Json) -> Resource:
    group = obj["apiVersion"].rpartition("/")[0]
    resource = next((r for r in ARGOPROJ if (r.api_version, r.kind) == (obj["apiVersion"], obj["kind"])), None)
    if resource is None:
        raise Problem(
            f"creates of {group}/{obj['kind']} unsupported",
            "Of argoproj.io/v1alpha1 these can be created: " + ", ".join(r.kind for r in ARGOPROJ),
        )
    return resource


def told(resource: Resource, obj: Json, *, tried: bool) -> str:
    """The line that scripts parse. The line for `--dry-run` differs from it."""
    name = f"{resource.singular}.argoproj.io/{obj['metadata'].get('name') or obj['metadata'].get('generateName')}"
    return f"{name} would be created" if tried else f"{name} created"


def create(session: Session, resource: Resource, obj: Json, *, tried: bool = False) -> Json:
    """Create the object in its own namespace, or in the user's. `tried`: a dry run on the server."""
    from serinus.kube.errors import ApiError

    meta = obj.setdefault("metadata", {})
    namespace = str(meta.get("namespace") or session.namespace) if resource.namespaced else ""
    if namespace:
        meta["namespace"] = namespace
    try:
        query = {"dryRun": "All"} if tried else {}
        return session.client.call("POST", resource.path(namespace), query=query, body=obj)
    except ApiError as error:
        raise session.problem(error, resource) from error


def _watch(call: Call, created: list[tuple[Resource, Json]]) -> int:
    resource, obj = created[-1]
    if resource not in (ROLLOUTS, EXPERIMENTS):
        raise Problem("Can only watch resources of type Rollout or Experiment")
    meta = obj["metadata"]
    given = {**call.given, "namespace": str(meta["namespace"])}
    program = call.target.program
    shown = understand(program, ["get", resource.singular, str(meta["name"]), "--watch"])
    names = {flag.name for flag in (*program.flags, *shown.target.flags)}
    shown.given |= {name: value for name, value in given.items() if name in names}
    command = shown.target.command
    assert command is not None
    return command.run(shown)


COMMAND = Command(
    run,
    "Create Rollouts, Experiments, AnalysisTemplates, ClusterAnalysisTemplates and AnalysisRuns from files.",
    "-f FILENAME",
    ("kubectl argo rollouts create -f my-experiment.yaml --watch",),
    flags=(
        Flag("filename", "File with one object, - for standard input; may be repeated", "f", (), "FILE"),
        Flag("watch", "Watch it afterwards, as get does", short="w", default=False),
        Flag("no-color", "No colours", default=False),
        DRY_RUN,
    ),
)
