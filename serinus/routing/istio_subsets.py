"""The content of an Istio DestinationRule: the pods of a Rollout's subsets. Source: traffic routing, section 3.

A subset selects pods by the hash label of a version. Argo Rollouts removes every subset that it does not know; here
they stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from serinus.api.names import HASH, MANAGED_BY
from serinus.api.rollout import WeightDestination
from serinus.routing.istio_routes import Sides

Json = dict[str, Any]


def subsets(rule: Json) -> list[Json]:
    """The subsets that have a name."""
    spec = rule.get("spec")
    items = spec.get("subsets") if isinstance(spec, dict) else None
    every = items if isinstance(items, list) else []
    return [each for each in every if isinstance(each, dict) and isinstance(each.get("name"), str)]


def host_of(rule: Json) -> str:
    """`spec.host`; "" if it is no text."""
    spec = rule.get("spec")
    host = spec.get("host") if isinstance(spec, dict) else None
    return host if isinstance(host, str) else ""


def hash_in(rule: Json, name: str) -> str:
    """The version that a subset selects; "" if it selects pods of every version, or does not exist."""
    return next((str(_labels(each).get(HASH) or "") for each in subsets(rule) if each["name"] == name), "")


def missing(rule: Json, sides: Sides) -> Iterator[str]:
    names = {each["name"] for each in subsets(rule)}
    yield from (name for name in (sides.canary_subset, sides.stable_subset) if name not in names)


def lead(rule: Json, hashes: dict[str, str], rollout: str) -> None:
    """Makes each named subset select one version, and records the owner of the DestinationRule."""
    rule["metadata"]["annotations"] = {**(rule["metadata"].get("annotations") or {}), MANAGED_BY: rollout}
    for subset in subsets(rule):
        if subset["name"] in hashes:
            subset["labels"] = {**_labels(subset), HASH: hashes[subset["name"]]}


def with_trials(rule: Json, sides: Sides, trials: tuple[WeightDestination, ...], used: set[str]) -> None:
    """Adds a subset for each Service of an experiment, by its name. Removes past ones that no route uses."""
    present = {each["name"] for each in subsets(rule)}
    new = [t for t in sorted(trials, key=lambda t: t.service_name) if t.service_name not in present]
    for subset in subsets(rule):
        name, labels = subset["name"], _labels(subset)
        past = name not in sides.trials and sides.is_trial(name) and set(labels) == {HASH} and name not in used
        if past:
            rule["spec"]["subsets"].remove(subset)
        for trial in trials:
            if trial.service_name == name and labels.get(HASH) != trial.pod_template_hash:
                subset["labels"] = {**labels, HASH: trial.pod_template_hash}
    rule["spec"]["subsets"] += [{"name": t.service_name, "labels": {HASH: t.pod_template_hash}} for t in new]


def let_go(rule: Json, sides: Sides) -> None:
    """Removes every hash: the subsets select the pods of all versions, as before the Rollout."""
    with_trials(rule, sides, (), set())
    for subset in subsets(rule):
        if HASH in _labels(subset):
            subset["labels"] = {key: value for key, value in _labels(subset).items() if key != HASH}
    notes: Json = rule["metadata"].get("annotations") or {}
    rule["metadata"]["annotations"] = {key: value for key, value in notes.items() if key != MANAGED_BY}


def belongs_to(rule: Json) -> str:
    """The Rollout that manages the DestinationRule, by its annotation."""
    notes: Json = rule["metadata"].get("annotations") or {}
    return str(notes.get(MANAGED_BY) or "")


def _labels(subset: Json) -> Json:
    labels = subset.get("labels")
    return labels if isinstance(labels, dict) else {}
