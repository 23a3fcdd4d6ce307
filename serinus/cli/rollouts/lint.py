"""`lint`: checks the Rollouts of a file as the controller would, without an API server."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from serinus.api.rollout_info import Json
from serinus.cli.commandline import Call, Command, Flag
from serinus.cli.problems import Problem

if TYPE_CHECKING:
    from serinus.api.findings import Finding
    from serinus.api.rollout import Rollout

T = TypeVar("T")


def run(call: Call) -> int:
    from serinus.cli.manifests import objects_of, text_of
    from serinus.cli.yaml_lines import Lines

    filename = call.text("filename")
    if not filename:
        raise call.usage_problem()
    text = text_of(filename)
    objects = objects_of(filename, text)
    first: Finding | None = None
    places: list[str] = []
    for i, obj in enumerate(objects):
        if obj["kind"] == "Rollout" and obj["apiVersion"].startswith("argoproj.io/"):
            for finding in findings(obj, objects):
                first = first or finding
                print(finding.message.removeprefix(f"{finding.path}: "))
                places.append(f"{filename}:{Lines(text).line(i, finding.path)}: {_named(obj)}: {finding.path}")
    if first is not None:
        raise Problem(first.message, "\n".join(places))
    return 0


def findings(obj: Json, objects: list[Json]) -> list[Finding]:
    """What is wrong with a Rollout, as far as this file tells: objects that are not in it are not missed.

    Problem for what is no Rollout at all.
    """
    from serinus.api.network import Ingress, Service
    from serinus.api.rollout import Rollout
    from serinus.api.validation import validate_all
    from serinus.cli.manifests import complaints

    wrong = complaints(obj)
    if wrong:
        raise Problem(f"{_named(obj)}: {wrong[0]}", "\n".join(wrong[1:]))
    rollout: Rollout = _typed(obj, Rollout)
    near = [other for other in objects if _space(other) == _space(obj)]
    services = {str(o["metadata"]["name"]): _typed(o, Service) for o in near if o["kind"] == "Service"}
    ingresses = {str(o["metadata"]["name"]): _typed(o, Ingress) for o in near if o["kind"] == "Ingress"}
    found = validate_all(rollout, services=services, ingresses=ingresses)
    return [finding for finding in found if finding.missing is None]


def _typed(obj: Json, kind: type[T]) -> T:
    import msgspec

    try:
        return msgspec.convert(obj, kind)
    except msgspec.ValidationError as error:
        raise Problem(f"{_named(obj)}: {error}") from None


def _named(obj: Json) -> str:
    return f"{obj['kind']} {(obj.get('metadata') or {}).get('name') or ''}".rstrip()


def _space(obj: Json) -> str:
    return str((obj.get("metadata") or {}).get("namespace") or "")


COMMAND = Command(
    run,
    "Check the Rollouts of a file, with the Services and Ingresses in it, without an API server.\n"
    "Prints nothing and ends with 0 if all is well.",
    "-f FILENAME",
    ("kubectl argo rollouts lint -f my-rollout.yaml",),
    flags=(Flag("filename", "File with one or more objects, - for standard input", "f", "", "FILE"),),
)
