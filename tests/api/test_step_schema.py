"""A kind of step that Argo Rollouts does not have gets its schema and its place in the hash from its type."""

from __future__ import annotations

import msgspec

from serinus.api.rollout import CanaryStep, HeaderRoutingMatch, Pause, SetCanaryScale
from serinus.api.schema.crds import crds
from serinus.api.schema.step_order import CANARY_STEP
from serinus.api.schema.step_schema import fields, order


class Approval(msgspec.Struct, rename="camel", omit_defaults=True):
    by: str
    at_least: int | None = None
    within: int | str | None = None
    groups: list[str] = []
    labels: dict[str, str] = {}
    scale: SetCanaryScale | None = None


class FurtherStep(msgspec.Struct, rename="camel", omit_defaults=True):
    set_weight: int | None = None
    approval: Approval | None = None


def test_a_further_kind_is_in_the_definition_of_a_rollout() -> None:
    at = "spec.strategy.canary.steps[].approval"
    assert fields(FurtherStep) == [
        (at, "object"),
        (f"{at}.by", "string (required)"),
        (f"{at}.atLeast", "integer"),
        (f"{at}.within", "int|string"),
        (f"{at}.groups", "array"),
        (f"{at}.groups[]", "string"),
        (f"{at}.labels", "object map of string"),
        (f"{at}.scale", "object"),
        (f"{at}.scale.weight", "integer"),
        (f"{at}.scale.replicas", "integer"),
        (f"{at}.scale.matchTrafficWeight", "boolean"),
    ]


def test_a_further_kind_is_part_of_the_hash_of_the_steps() -> None:
    table = order(FurtherStep)
    assert table["CanaryStep"] == [*CANARY_STEP["CanaryStep"], ("approval", "*Approval", 1)]
    assert table["Approval"] == [
        ("by", "string", 1),
        ("atLeast", "*int", 1),
        ("within", "*intstr", 1),
        ("groups", "[]string", 1),
        ("labels", "{}string", 1),
        ("scale", "*SetCanaryScale", 1),
    ]


def test_types_give_the_listed_order_of_the_kinds_of_argo_rollouts() -> None:
    class Step(msgspec.Struct, rename="camel"):
        own: Pause | None = None
        scale: SetCanaryScale | None = None
        match: list[HeaderRoutingMatch] = []

    table = order(Step)
    assert table["CanaryStep"][-3:] == [
        ("own", "*Pause", 1),
        ("scale", "*SetCanaryScale", 1),
        ("match", "[]HeaderRoutingMatch", 1),
    ]
    assert {table[name] is CANARY_STEP[name] for name in ("Pause", "SetCanaryScale")} == {True}


def test_kinds_of_argo_rollouts_stay_as_they_are_listed() -> None:
    listed = {name for name, _, _ in CANARY_STEP["CanaryStep"]}
    assert not [path for path, _ in fields() if path.split("[].")[1].split(".")[0] in listed]
    table = order()
    assert table["CanaryStep"][: len(listed)] == CANARY_STEP["CanaryStep"]
    assert {name: table[name] for name in CANARY_STEP if name != "CanaryStep"} == {
        name: rows for name, rows in CANARY_STEP.items() if name != "CanaryStep"
    }


def test_the_definition_of_a_rollout_has_every_field_of_a_step() -> None:
    rollout = next(crd for crd in crds() if crd["spec"]["names"]["kind"] == "Rollout")
    at = rollout["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for part in ("spec", "strategy", "canary", "steps"):
        at = at["properties"][part]
    assert set(at["items"]["properties"]) == set(CanaryStep.__struct_encode_fields__)
