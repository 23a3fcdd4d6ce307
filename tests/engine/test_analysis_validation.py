"""Analyses that cannot be run are findings of the Rollout: the argument, the template and the place are named."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.support.engine.blue_green import blue_green
from tests.support.engine.world import World, ingress, release, rollout, service

Json = dict[str, Any]


def template(*args: Json, name: str = "check", **metric: Any) -> Json:
    whole = {"name": "value", "count": 1, "provider": {"web": {"url": "http://metrics/{{args.who}}"}}, **metric}
    return {"kind": "AnalysisTemplate", "metadata": {"name": name}, "spec": {"args": list(args), "metrics": [whole]}}


def nesting(*names: str) -> Json:
    spec = {"templates": [{"templateName": name} for name in names]}
    return {"kind": "AnalysisTemplate", "metadata": {"name": "outer"}, "spec": spec}


def asks(*args: Json, name: str = "check") -> Json:
    return {"templates": [{"templateName": name}], "args": list(args)}


def judged(part: str, analysis: Json, *objects: Json) -> World:
    if part in ("prePromotionAnalysis", "postPromotionAnalysis"):
        strategy: dict[str, Any] = {part: analysis}
        world = blue_green(**strategy)
    elif part == "experiment":
        (named,) = analysis["templates"]
        experiment = {
            "duration": "5m",
            "templates": [{"name": "new", "specRef": "canary"}],
            "analyses": [{"name": "a", **named, "args": analysis["args"]}],
        }
        world = canary(steps=[{"experiment": experiment}, {"pause": {}}])
    elif part == "step":
        world = canary(steps=[{"setWeight": 20}, {"analysis": analysis}])
    else:
        world = canary(steps=[{"setWeight": 20}, {"pause": {}}], analysis=analysis)
    for obj in objects:
        world.add(obj)
    return world


def canary(**strategy: Any) -> World:
    return World(service("web"), service("web-canary"), ingress(), rollout(**strategy))


def update(world: World, part: str, analysis: Json, changed: Json) -> None:
    """The next version comes, with other arguments and another template."""
    world.add(changed)
    strategy = judged(part, analysis).rollout.spec.strategy
    world.patch("Rollout", "web", {"spec": {"strategy": msgspec.to_builtins(strategy)}})
    release(world, "green")
    world.once()


PATHS = {
    "step": "spec.strategy.canary.steps[1].analysis.templates",
    "background": "spec.strategy.canary.analysis.templates",
    "experiment": "spec.strategy.canary.steps[0].experiment.analyses[0].templateName",
    "prePromotionAnalysis": "spec.strategy.blueGreen.prePromotionAnalysis.templates",
    "postPromotionAnalysis": "spec.strategy.blueGreen.postPromotionAnalysis.templates",
}
WHO: Json = {"name": "who"}


def field(path: str) -> Json:
    return {"name": "who", "valueFrom": {"fieldRef": {"fieldPath": path}}}


@pytest.mark.parametrize("part", list(PATHS))
@pytest.mark.parametrize(
    ("given", "nested", "said"),
    [
        ([], False, "args.who was not resolved: template 'check' declares it"),
        ([], True, "args.who was not resolved: template 'check' declares it"),
        ([{"name": "whom", "value": "x"}], False, "args.who was not resolved"),
        ([field("spec.nothing")], False, "args.who: invalid path spec.nothing in rollout"),
    ],
)
def test_an_argument_that_nobody_gives_is_an_invalid_spec(part: str, given: list[Json], nested: bool, said: str):
    """The update waited for ever behind Progressing."""
    name = "outer" if nested else "check"
    world = judged(part, asks(name=name), template({"name": "who", "value": "x"}), nesting("check"))
    world.settle()
    update(world, part, asks(*given, name=name), template(WHO))
    message = world.rollout.status.message
    assert said in message
    assert (
        f'InvalidSpec: The Rollout "web" is invalid: {PATHS[part]}: Invalid value: "templateNames: [{name}]"' in message
    )


@pytest.mark.parametrize("part", list(PATHS))
@pytest.mark.parametrize(
    ("given", "declared"),
    [
        ([{"name": "who", "value": "x"}], WHO),
        ([field("spec.replicas")], WHO),
        ([field("metadata.labels['none']")], WHO),
        ([{"name": "who", "valueFrom": {"podTemplateHashValue": "Latest"}}], WHO),
        ([], {"name": "who", "value": "x"}),
    ],
)
def test_an_argument_with_a_value_is_no_finding(part: str, given: list[Json], declared: Json):
    world = judged(part, asks(*given), template(declared))
    world.settle()
    assert world.rollout.status.phase == "Healthy"


@pytest.mark.parametrize("part", list(PATHS))
def test_the_finding_goes_when_the_template_gets_a_default(part: str):
    world = judged(part, asks(), template({"name": "who", "value": "x"}))
    world.settle()
    update(world, part, asks(), template(WHO))
    assert world.rollout.status.phase == "Degraded"
    world.add(template({"name": "who", "value": "x"}))
    world.settle()
    assert world.rollout.status.phase in ("Progressing", "Paused")


def test_a_label_that_limits_follow_from_is_judged_again_when_it_changes():
    arg = {"name": "who", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['every']"}}}
    world = judged("step", asks(arg), template(WHO, interval="{{args.who}}", count=2))
    world.patch("Rollout", "web", {"metadata": {"labels": {"every": "1s"}}})
    world.settle()
    release(world, "green")
    for every, found in (("1s", False), ("often", True), ("2s", False)):
        world.patch("Rollout", "web", {"metadata": {"labels": {"every": every}}})
        world.settle()
        assert ("invalid interval string" in world.rollout.status.message) == found


def test_a_field_of_the_status_that_is_not_there_is_told_when_its_step_comes():
    world = judged("step", asks(field("status.nothing")), template(WHO))
    world.settle()
    assert world.rollout.status.phase == "Healthy"
    release(world, "green")
    world.settle()
    assert (
        "the Step analysis cannot begin: args.who: invalid path status.nothing in rollout"
        in world.rollout.status.message
    )
    assert world.rollout.status.phase == "Degraded"
    world.now += 60
    assert world.once().status is None, "what is told already is not written again"
    world.add(template({"name": "who", "value": "x"}))
    world.patch(
        "Rollout", "web", {"spec": {"strategy": {"canary": {"steps": [{"setWeight": 20}, {"analysis": asks()}]}}}}
    )
    world.settle()
    assert world.rollout.status.phase == "Progressing"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("{{templates.new.podTemplateHash}} {{templates.new.replicaset.name}}", ""),
        ("{{experiment.availableAt}} {{experiment.finishedAt}}", ""),
        ("{{ .Data }}", ""),
        ("{{templates.old.podTemplateHash}}", "args.who: failed to resolve {{templates.old.podTemplateHash}}"),
        ("{{experiment.name}}", "args.who: failed to resolve {{experiment.name}}"),
    ],
)
def test_arguments_of_an_experiment_may_name_its_templates_and_times(value: str, said: str):
    world = judged("experiment", asks({"name": "who", "value": value}), template(WHO))
    world.settle()
    assert world.rollout.status.phase == "Healthy", "the first version needs no experiment"
    release(world, "green")
    world.once()
    assert (said in world.rollout.status.message) if said else (world.rollout.status.phase != "Degraded")
