"""For any spec that the schema admits, in any surroundings: the planner answers, and writes only to its own objects."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serinus.api.analysis import AnalysisRun
from serinus.api.meta import ObjectMeta
from serinus.api.names import HASH, MANAGED_BY
from serinus.api.rollout import Rollout, RolloutStatus
from serinus.api.workloads import Workload
from serinus.engine.core.plan import Action, Plan, Snapshot
from serinus.engine.planner import plan
from tests.support.engine.any_objects import (
    SCHEMA,
    UID,
    analysis_runs,
    analysis_templates,
    any_of,
    mutated,
    surroundings,
    workloads,
)
from tests.support.engine.world import World, ingress, merged, rollout, service
from tests.support.long import examples

Json = dict[str, Any]
QUICK = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def basic() -> Json:
    return rollout(
        steps=[{"setWeight": 50}, {"pause": {}}],
        trafficRouting=None,
        canaryService="",
        stableService="",
        scaleDownDelaySeconds=None,
    )


def blue_green() -> Json:
    obj = rollout()
    obj["spec"]["strategy"] = {"blueGreen": {"activeService": "web", "previewService": "web-preview"}}
    return obj


def referring() -> Json:
    obj = rollout()
    del obj["spec"]["template"]
    obj["spec"]["workloadRef"] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "web",
        "scaleDown": "onsuccess",
    }
    return obj


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    return value


def judged() -> Json:
    step = {"analysis": {"templates": [{"templateName": "web"}], "args": [{"name": "x", "value": "2"}]}}
    obj = rollout(steps=[{"setWeight": 20}, step, {"setWeight": 50}])
    obj["spec"]["strategy"]["canary"]["analysis"] = {"templates": [{"templateName": "a"}], "startingStep": 1}
    return obj


def judged_before_and_after() -> Json:
    obj = blue_green()
    strategy = obj["spec"]["strategy"]["blueGreen"]
    strategy["prePromotionAnalysis"] = strategy["postPromotionAnalysis"] = {"templates": [{"templateName": "web"}]}
    return obj


MAKERS = (rollout, basic, blue_green, referring, judged, judged_before_and_after)
BASES = [without_nulls(make()) for make in MAKERS]
MID_UPDATE: list[Json] = [
    {},
    {"stableRS": "68fb5766d6", "currentPodHash": "68fb5766d6", "currentStepIndex": 6},
    {"stableRS": "68fb5766d6", "currentPodHash": "77f97bbcbf", "currentStepIndex": 1},
    {"stableRS": "68fb5766d6", "currentPodHash": "77f97bbcbf", "abort": True},
    {"stableRS": "gone", "currentPodHash": "68fb5766d6", "promoteFull": True},
    {
        "stableRS": "68fb5766d6",
        "canary": {"weights": {"canary": {"weight": 60, "podTemplateHash": "77f97bbcbf"}, "stable": {"weight": 40}}},
    },
]


@st.composite
def situations(draw: st.DrawFn) -> Snapshot:
    """A Rollout and all that is around it, as the cache would hand them to the planner."""
    base = copy.deepcopy(draw(st.sampled_from(BASES)))
    base["status"] = draw(st.sampled_from(MID_UPDATE))
    template = BASES[0]["spec"]["template"]
    world = World()
    world.objects["Rollout", "web"] = draw(mutated(base))
    for other in draw(surroundings(template)):
        world.objects[other["kind"], other["metadata"]["name"]] = other
    workload = msgspec.convert(draw(workloads(template) if draw(st.integers(0, 4)) else st.none()), Workload | None)
    runs = draw(st.lists(analysis_runs(), max_size=2, unique_by=lambda run: run["metadata"]["name"]))
    seen = tuple(msgspec.json.decode(msgspec.json.encode(run), type=AnalysisRun) for run in runs)
    return msgspec.structs.replace(
        world.snapshot(), workload=workload, objects=draw(analysis_templates()), analysis_runs=seen
    )


def controlled(meta: ObjectMeta, uid: str) -> bool:
    owner = meta.controller()
    return owner is not None and owner.uid == uid


def not_ours(seen: Snapshot, action: Action) -> str:
    """Why this write is not allowed; "" when it is."""
    sets = {rs.metadata.name: rs.metadata for rs in seen.replica_sets}
    if action.kind == "Rollout":
        return "" if action.uid == UID else "another Rollout"
    if action.verb == "create":
        owners = action.body["metadata"]["ownerReferences"]
        mine = [o for o in owners if o["uid"] == UID and o["controller"]]
        there = action.name in seen.ingresses if action.kind == "Ingress" else False
        return "" if mine and not there else "made for nobody, or there already"
    if action.kind == "ReplicaSet":
        meta = sets[action.name]
        adopted = meta.controller() is None and list(action.body["metadata"]) == ["ownerReferences"]
        wrong = "" if controlled(meta, UID) or adopted else "another's ReplicaSet"
        return wrong or ("" if action.uid == meta.uid else "without saying which one")
    if action.kind == "Ingress":
        meta = seen.ingresses[action.name].metadata
        adopted = meta.controller() is None and "ownerReferences" in action.body["metadata"]
        return "" if controlled(meta, UID) or adopted else "another's Ingress"
    if action.kind == "Service":
        by = seen.services[action.name].metadata.annotations.get(MANAGED_BY, "web")
        only = list(action.body.get("spec", {}).get("selector", {})) in ([], [HASH])
        return "" if by == "web" and only else "another's Service, or another's part of it"
    if action.kind == "Pod":
        pod = next(p for p in seen.pods if p.metadata.name == action.name)
        owner = pod.metadata.controller()
        rs = sets.get(owner.name) if owner else None
        return "" if rs is not None and controlled(rs, UID) else "another's pod"
    if action.kind == "Deployment":
        reference = seen.rollout.spec.workload_ref
        return "" if reference and reference.name == action.name else "a Deployment that is not referred to"
    if action.kind == "AnalysisRun":
        known = next(r for r in seen.analysis_runs if r.metadata.name == action.name)
        return "" if controlled(known.metadata, UID) and known.metadata.uid == action.uid else "another's AnalysisRun"
    return "of a kind that the planner does not write"


def check(seen: Snapshot, answer: Plan) -> None:
    wrong = [f"{a.verb} {a.kind} {a.name}: {why}" for a in answer.actions if (why := not_ours(seen, a))]
    assert not wrong
    for action in answer.actions:
        assert action.because
        assert action.verb == "create" or action.uid, "a write says which object it means"
        size = action.body.get("spec", {}).get("replicas", 0)
        assert action.kind == "Rollout" or size >= 0, f"{action.kind} {action.name} to {size}"
    msgspec.json.encode(answer)
    stored = merged(msgspec.to_builtins(seen.rollout.status), answer.status or {})
    status = msgspec.convert(stored, RolloutStatus)
    for condition in status.conditions:
        if condition.type == "InvalidSpec" and answer.status and "conditions" in answer.status:
            assert condition.message.startswith('The Rollout "web" is invalid: ')
            text = condition.message.removeprefix('The Rollout "web" is invalid: ')
            assert text.startswith("spec.") or "workload" in text or "not found" in text, text


@settings(QUICK, max_examples=examples(250))
@given(situations())
def test_the_planner_answers_whatever_it_sees_and_leaves_what_is_not_ours(seen: Snapshot):
    before = msgspec.json.encode(seen)
    answer = plan(seen)
    assert msgspec.json.encode(seen) == before
    assert plan(seen) == answer
    check(seen, answer)


@settings(QUICK, max_examples=examples(150))
@given(st.data())
def test_whatever_the_schema_admits_can_be_read(data: st.DataObject):
    """An object that the API server accepts and the controller cannot decode would never be reported."""
    obj: Json = {"metadata": {"name": "web"}}
    for part in ("spec", "status"):
        obj[part] = data.draw(any_of(SCHEMA["properties"][part], 1.0))
    msgspec.convert(obj, Rollout)


@settings(QUICK, max_examples=examples(150))
@given(st.sampled_from(BASES).flatmap(mutated), st.booleans())
def test_whatever_is_asked_comes_to_rest(obj: Json, ready: bool):
    """A Rollout that is written again and again without a change would keep the whole cluster busy."""
    obj["metadata"].pop("resourceVersion")
    world = World(*(service(n) for n in ("web", "web-canary", "web-preview")), ingress(), obj)
    template = copy.deepcopy(BASES[0]["spec"]["template"])
    world.add({"kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": template, "replicas": 2}})
    world.settle(ready=ready)
    if world.rollout.metadata.deletion_timestamp is None:
        world.patch("Rollout", "web", {"spec": {"paused": False}, "status": {"pauseConditions": None}})
        release_of(world, "green")
        world.settle(ready=ready)
        world.now += 40
        world.settle()


def release_of(world: World, image: str) -> None:
    kind = "Deployment" if "workloadRef" in world.objects["Rollout", "web"]["spec"] else "Rollout"
    spec = world.objects[kind, "web"]["spec"].get("template", {}).get("spec", {})
    containers = copy.deepcopy(spec.get("containers") or [])
    for container in containers[:1]:
        container["image"] = image
    world.patch(kind, "web", {"spec": {"template": {"spec": {"containers": containers}}}})
