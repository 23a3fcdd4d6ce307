"""Gives half of the histories user inputs that are easily overlooked.

Metadata by role that replaces labels of the template, writes that are refused for good, ReplicaSets that others edit, specs
that make no sense for a while, arguments in place of numbers, Experiments with named Services. All of it comes from a random
source of its own, so that the other histories are what they were.
"""

from __future__ import annotations

from random import Random
from typing import Any

from msgspec import structs

from serinus.api.names import DESIRED_REPLICAS, REVISION
from tests.sim.faults import Episode
from tests.sim.history import Action, History

Json = dict[str, Any]
SHARE = 1 / 2
METADATA = {"canary": ("canaryMetadata", "stableMetadata"), "blueGreen": ("previewMetadata", "activeMetadata")}
"""Strategy -> the fields of the version on trial and of the one in charge."""
DENIED = (
    "replicasets",
    "replicasets",
    "services",
    "ingresses",
    "pods",
    "rollouts",
    "analysisruns",
    "experiments",
    "jobs",
)


def with_inputs(history: History) -> History:
    """The history, with such inputs if its seed selects them."""
    rng = Random(f"inputs {history.seed}")
    if rng.random() >= SHARE:
        return history
    spec: Json = {**history.rollout["spec"]}
    ((strategy, fields),) = spec["strategy"].items()
    fields, templates = {**fields}, history.templates
    if named := rng.random() < 0.4:
        fields |= {name: _metadata(rng) for name in METADATA[strategy] if rng.random() < 0.8}
    if "steps" in fields:
        fields["steps"] = [_named_service(rng, step) for step in fields["steps"]]
    if templates and rng.random() < 0.5:
        templates = tuple(_with_arguments(t) for t in templates)
    spec["strategy"] = {strategy: fields}
    actions = [*history.actions]
    for kind, value in _actions(rng, strategy, named=named, judged=bool(templates)):
        actions.append(Action(round(rng.uniform(3.0, history.length), 2), kind, value))
    return structs.replace(
        history,
        rollout={**history.rollout, "spec": spec},
        templates=templates,
        actions=tuple(sorted(actions, key=lambda a: a.at)),
        episodes=(*history.episodes, *_denials(rng, history.length)),
    )


def _metadata(rng: Random) -> Json:
    """Labels and annotations of a role; some replace those of the template."""
    labels = {key: rng.choice(("a", "b")) for key in ("tier", "role") if rng.random() < 0.7}
    return {"labels": labels, "annotations": {"note": rng.choice(("a", "b"))}}


def _named_service(rng: Random, step: Json) -> Json:
    """An experiment's step whose Service has a name of its own: the next experiment needs the same one."""
    templates: list[Json] = step.get("experiment", {}).get("templates", [])
    if not any("service" in t for t in templates) or rng.random() < 0.4:
        return step
    templates = [{**t, "service": {"name": "trial"}} if "service" in t else t for t in templates]
    return {"experiment": {**step["experiment"], "templates": templates}}


def _with_arguments(template: Json) -> Json:
    """The same template, with arguments in place of numbers and intervals, and braces that are none of ours."""
    args: list[Json] = [*template["spec"]["args"]]
    metrics: list[Json] = []
    for metric in template["spec"]["metrics"]:
        changed = {**metric}
        for field in ("interval", "count", "failureLimit"):
            if field in metric:
                name = f"{metric['name']}-{field}"
                args.append({"name": name, "value": str(metric[field])})
                changed[field] = f"{{{{ args.{name} }}}}"
        if "job" in metric["provider"]:
            job: Json = metric["provider"]["job"]
            notes = {**job["metadata"]["annotations"], "vault.test/template": "{{ with secret }}{{ end }}"}
            changed["provider"] = {"job": {**job, "metadata": {**job["metadata"], "annotations": notes}}}
        metrics.append(changed)
    return {**template, "spec": {**template["spec"], "args": args, "metrics": metrics}}


def _actions(rng: Random, strategy: str, *, named: bool, judged: bool) -> list[tuple[str, Any]]:
    out: list[tuple[str, Any]] = []
    for _ in range(rng.choice((0, 1, 2, 3))):
        kinds = {"set-edited": 1.0, "set-stripped": 2.0, "scale": 2.0, "paused": 0.7, "unpaused": 1.0}
        if named:
            kinds["metadata-taken"] = 1.0
        if strategy == "canary":
            kinds["steps-broken"] = 1.0
        if judged:
            kinds["template-lost"] = 1.0
        kind = rng.choices(tuple(kinds), tuple(kinds.values()))[0]
        out.append((kind, _value(rng, kind)))
    return out


def _value(rng: Random, kind: str) -> Any:
    match kind:
        case "set-edited":
            return [rng.randrange(1000), rng.choice(("v1", "v2", "v3", "v4", "v5"))]
        case "set-stripped":
            return [rng.randrange(1000), rng.choice((DESIRED_REPLICAS, REVISION, "team", 6, 12))]
        case "scale":
            return rng.choice((1, 2, 3, 5, 8))
        case "steps-broken":
            return round(rng.uniform(1.0, 40.0), 2)
        case "template-lost":
            return [rng.randrange(1000), round(rng.uniform(1.0, 40.0), 2)]
        case _:
            return None


def _denials(rng: Random, length: float) -> tuple[Episode, ...]:
    return tuple(
        Episode(
            "denied",
            at=round(rng.uniform(0.0, length), 2),
            length=round(rng.uniform(2.0, 60.0), 2),
            rate=rng.choice((0.5, 1.0)),
            plural=rng.choice(DENIED),
        )
        for _ in range(rng.choice((0, 0, 1, 2)))
    )
