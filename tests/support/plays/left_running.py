"""The state that Argo Rollouts left in the middle of an analysis, an Experiment, or an update of a workload.

As left_behind.py, at a moment of the trace. A trace lacks the specs of AnalysisRuns and Experiments: they are
made from the play's templates as the reference does: analysis, sections 3 and 6.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from tests.support.plays.left_behind import LONG_AGO, Left, act, begun, image_of, look, tree, whole
from tests.support.plays.recordings import reference

Json = dict[str, Any]
OF = "experiment.argoproj.io/template-name"


def left_when(name: str, key: str, field: str, holds: Callable[[Any], bool]) -> Left:
    """At the first moment of a play at which a field of the object Kind/name satisfied the condition."""
    objects, acts = begun(name)
    seen: dict[str, Json] = {}
    templates: dict[str, Json] = {}
    number = 0
    for line in reference(name):
        if "object" in line:
            look(seen.setdefault(line["object"], {}), line)
            if line["object"] == key and holds(seen[key].get(field)):
                return Left(f"when {key} had {field}", _running(objects, seen, templates))
        elif "do" in line:
            followed = _set_image(objects, acts[number]) or act(objects, acts[number])
            assert followed, f"{name}: {acts[number]} cannot be followed"
            number += 1
            template = _template(objects)
            templates[image_of(template)] = template
    raise AssertionError(f"{name}: {key} never had such a {field}")


def _set_image(objects: dict[str, Json], one: Json) -> bool:
    """`kubectl set image deployment/web web=IMAGE`."""
    words = str(one.get("kubectl", "")).split()
    if words[:3] != ["set", "image", "deployment/web"]:
        return False
    objects["Deployment/web"] = copy.deepcopy(objects["Deployment/web"])
    objects["Deployment/web"]["spec"]["template"]["spec"]["containers"][0]["image"] = words[3].partition("=")[2]
    return True


def _template(objects: dict[str, Json]) -> Json:
    """Of the Rollout, or of the workload that it follows."""
    spec = objects["Rollout/web"]["spec"]
    return spec["template"] if "template" in spec else objects["Deployment/web"]["spec"]["template"]


def _running(objects: dict[str, Json], seen: dict[str, Json], templates: dict[str, Json]) -> dict[str, Json]:
    followed = "workloadRef" in objects["Rollout/web"]["spec"]
    if followed:  # its ReplicaSets are made of the workload's template
        workload = objects["Deployment/web"]["spec"]
        rollout = copy.deepcopy(objects["Rollout/web"])
        rollout["spec"] |= {"template": workload["template"], "selector": workload["selector"]}
        objects = {**objects, "Rollout/web": rollout}
    ours = {key: known for key, known in seen.items() if known.get("owner") != "Deployment"}
    made = whole(objects, ours, templates)
    if followed:
        for part in ("template", "selector"):
            del made["Rollout/web"]["spec"][part]
        workload = copy.deepcopy(objects["Deployment/web"])
        workload["spec"]["replicas"] = seen["Deployment/web"]["replicas"]
        made["Deployment/web"] = workload
    for key, known in seen.items():
        kind, name = key.split("/", 1)
        if kind == "ReplicaSet" and known.get("owner") == "Experiment":
            experiment = name.rpartition("-")[0]
            made[key]["metadata"] |= {"owner": experiment, "ownerKind": "Experiment"}
        elif kind == "Experiment":
            made[key] = {"kind": kind, **_experiment(name, known, objects, templates, seen)}
        elif kind == "AnalysisRun":
            made[key] = {"kind": kind, **_run(name, known, objects, seen)}
    made |= {key: obj for key, obj in objects.items() if key.startswith("AnalysisTemplate/")}
    return made


def _about(name: str, known: Json, owner: str, kind: str) -> Json:
    found: Json = {"name": name, "owner": owner, "ownerKind": kind}
    if labels := tree(known, "labels"):
        found["labels"] = labels
    if notes := tree(known, "annotations"):
        found["annotations"] = notes
    return found


def _run(name: str, known: Json, objects: dict[str, Json], seen: dict[str, Json]) -> Json:
    owner = next((key.split("/")[1] for key in seen if key.startswith("Experiment/")), None)
    (template,) = [obj for key, obj in objects.items() if key.startswith("AnalysisTemplate/")]
    about = _about(name, known, owner or "web", "Experiment" if owner else "Rollout")
    status = {**tree(known, "status"), "startedAt": LONG_AGO}
    return {"metadata": about, "spec": {"metrics": template["spec"]["metrics"]}, "status": status}


def _experiment(
    name: str, known: Json, objects: dict[str, Json], templates: dict[str, Json], seen: dict[str, Json]
) -> Json:
    (asked,) = [
        s["experiment"] for s in objects["Rollout/web"]["spec"]["strategy"]["canary"]["steps"] if "experiment" in s
    ]
    images = {known[f"annotations.{OF}"]: known["images"][0] for known in seen.values() if f"annotations.{OF}" in known}
    selector = objects["Rollout/web"]["spec"]["selector"]
    versions = [
        {"name": one["name"], "selector": selector, "template": copy.deepcopy(templates[images[one["name"]]])}
        for one in asked["templates"]
    ]
    spec = {"templates": versions, "analyses": asked["analyses"]}
    return {"metadata": _about(name, known, "web", "Rollout"), "spec": spec, "status": tree(known, "status")}
