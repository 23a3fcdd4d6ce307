"""The state that Argo Rollouts left when a user acted, or at the end: whole objects, rebuilt from a recording.

A trace has the fields of each object that the recorder reads; the rest comes from the manifests of the play. Fields
that are not recorded are as the reference writes them: names, labels and owners of ReplicaSets and pods, `status.observedGeneration`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from tests.support.plays.recordings import reference, scenario

Json = dict[str, Any]
HASH = "rollouts-pod-template-hash"
LONG_AGO, LATER = "2026-01-01T00:00:00Z", "2099-01-01T00:00:00Z"
DEADLINE = "scale-down-deadline"
PREFIXES = ("annotations", "labels", "selector", "podLabels", "podAnnotations")


@dataclass(frozen=True)
class Left:
    """`about`: when. `objects`: whole, by Kind/name, statuses among them."""

    about: str
    objects: dict[str, Json]

    def of(self, kind: str) -> list[Json]:
        return [obj for name, obj in self.objects.items() if name.startswith(f"{kind}/")]


def left_behind(name: str) -> Iterator[Left]:
    """At each moment when the user acted, and at the end; as far as manifests and changes can be followed."""
    objects, acts = begun(name)
    seen: dict[str, Json] = {}
    templates: dict[str, Json] = {}
    number = 0
    for line in reference(name):
        if "object" in line:
            look(seen.setdefault(line["object"], {}), line)
        elif "do" in line:
            if number:
                yield Left(f"before {line['do']}", whole(objects, seen, templates))
            if number >= len(acts) or not act(objects, acts[number]):
                return
            number += 1
            for key, obj in objects.items():
                if key.startswith("Rollout/"):
                    template = obj["spec"].get("template") or {}
                    templates[image_of(template)] = template
    yield Left("at the end", whole(objects, seen, templates))


def begun(name: str) -> tuple[dict[str, Json], list[Json]]:
    """A play's first manifests, by Kind/name, and its user's later actions, without the waits."""
    play = scenario(name)
    objects: dict[str, Json] = {f"{o['kind']}/{o['metadata']['name']}": o for o in yaml.safe_load_all(play["objects"])}
    return objects, [act for act in play["do"] if not {"wait", "sleep"} & set(act)]


def look(known: Json, line: Json) -> None:
    for field, value in line.items():
        if field not in ("t", "object", "flipped"):
            known[field] = value
            if value is None:
                del known[field]


def act(objects: dict[str, Json], act: Json) -> bool:
    """Whether it could be followed."""
    target = (act.get("image") or act.get("patch") or [None])[0]
    if target is not None and target not in objects:
        return False
    if "image" in act:
        target, image = act["image"]
        objects[target] = copy.deepcopy(objects[target])
        objects[target]["spec"]["template"]["spec"]["containers"][0]["image"] = image
    elif "patch" in act:
        target, patch = act["patch"]
        objects[target] = _merged(objects[target], patch)
    return bool({"apply", "image", "patch"} & set(act)) or not str(act.get("cli", "set")).startswith(("set", "undo"))


def _merged(value: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    made = dict(value) if isinstance(value, dict) else {}
    for key, change in patch.items():
        if change is None:
            made.pop(key, None)
        else:
            made[key] = _merged(made.get(key), change)
    return made


def image_of(template: Json) -> str:
    containers = (template.get("spec") or {}).get("containers") or [{}]
    return str(containers[0].get("image"))


def tree(known: Json, head: str) -> Json:
    """The fields below `head`, nested again; maps of labels and the like keep their dots."""
    made: Json = {}
    for field, value in known.items():
        path = field.split(".")
        if path[0] == head:
            keys = [".".join(path[1:])] if head in PREFIXES else path[1:]
            place = made
            for key in keys[:-1]:
                place = place.setdefault(key, {})
            place[keys[-1]] = _dated(value)
    return made


def _dated(value: Any) -> Any:
    if isinstance(value, list):
        return [_dated(part) for part in value]
    if isinstance(value, dict):
        return {key: _dated(part) for key, part in value.items()}
    return LONG_AGO if value == "<time>" else value


def _notes(known: Json) -> Json:
    """Annotations; a delay that runs has not passed yet."""
    found = tree(known, "annotations")
    return {**found, DEADLINE: LATER} if DEADLINE in found else found


def whole(objects: dict[str, Json], seen: dict[str, Json], templates: dict[str, Json]) -> dict[str, Json]:
    made: dict[str, Json] = {}
    for key, known in seen.items():
        kind, name = key.split("/", 1)
        if known.get("deleted") or known.get("deleting"):
            continue
        build = {"Rollout": _rollout, "ReplicaSet": _set, "Pod": _pod, "Service": _service, "Ingress": _ingress}.get(
            kind
        )
        if build:
            base = copy.deepcopy(objects.get(key) or {"metadata": {}, "spec": {}})
            base["metadata"] = {**base["metadata"], "name": name.replace("#", "")}
            if notes := _notes(known):
                base["metadata"]["annotations"] = notes
            made[key] = {"kind": kind, **build(base, known, objects, templates)}
    return made


def _rollout(base: Json, known: Json, objects: dict[str, Json], templates: dict[str, Json]) -> Json:
    status = tree(known, "status")
    conditions = status.pop("conditions", {})
    status["conditions"] = []
    for kind, text in conditions.items():
        state, _, message = str(text).partition(" | ")
        value, _, reason = state.partition(" ")
        found = {"type": kind, "status": value, "reason": reason, "message": message}
        status["conditions"].append({**found, "lastUpdateTime": LONG_AGO, "lastTransitionTime": LONG_AGO})
    status["observedGeneration"] = "1"
    return {**base, "spec": {**base["spec"], **tree(known, "spec")}, "status": status}


def _set(base: Json, known: Json, objects: dict[str, Json], templates: dict[str, Json]) -> Json:
    (rollout,) = [obj for key, obj in objects.items() if key.startswith("Rollout/")]
    template = copy.deepcopy(templates[known["images"][0]])
    labels, notes = tree(known, "podLabels"), tree(known, "podAnnotations")
    template["metadata"] = {**(template.get("metadata") or {}), "labels": labels}
    if notes:
        template["metadata"]["annotations"] = notes
    own = (rollout["spec"].get("template") or {}).get("metadata", {}).get("labels", {})
    labels = {**own, HASH: labels[HASH]}
    base["metadata"] |= {"labels": labels, "owner": rollout["metadata"]["name"]}
    selector = {"matchLabels": {**rollout["spec"]["selector"]["matchLabels"], HASH: labels[HASH]}}
    spec = {"replicas": known.get("replicas", 0), "selector": selector, "template": template}
    status = {key: number for key, number in tree(known, "status").items() if number}
    return {**base, "spec": spec, "status": {"replicas": 0, **status}}


def _pod(base: Json, known: Json, objects: dict[str, Json], templates: dict[str, Json]) -> Json:
    base["metadata"] |= {"labels": tree(known, "labels"), "owner": base["metadata"]["name"].rsplit("-", 1)[0]}
    ready = {"type": "Ready", "status": known.get("ready", "False")}
    return {**base, "status": {"phase": "Running", "conditions": [ready]}}


def _service(base: Json, known: Json, objects: dict[str, Json], templates: dict[str, Json]) -> Json:
    return {**base, "spec": {**base["spec"], "selector": tree(known, "selector")}}


def _ingress(base: Json, known: Json, objects: dict[str, Json], templates: dict[str, Json]) -> Json:
    """The canary Ingress has the rules of the stable one, for its own Service."""
    if not base["spec"]:
        (stable,) = [obj for key, obj in objects.items() if key.startswith("Ingress/")]
        base["spec"] = copy.deepcopy(stable["spec"])
        for rule, (_, _, service) in zip(base["spec"]["rules"], known["backends"], strict=True):
            for path in rule["http"]["paths"]:
                path["backend"]["service"]["name"] = service
        base["metadata"]["owner"] = next(key for key in objects if key.startswith("Rollout/")).split("/")[1]
    return base
