"""The reason that keeps pods from starting appears in every view of a Rollout, for each version whose pods are awaited."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from serinus.api.workloads import Pod
from serinus.controller.monitoring.metrics import Metrics
from serinus.dashboard.rows import row
from serinus.dashboard.trimmed import Sent, keep_rollout
from serinus.engine.experiment.experiment import plan_experiment
from serinus.engine.explain.snapshot_reader import Read, answered, gather
from serinus.engine.explain.why import Why, explain
from serinus.view.rollout_info import Surroundings, rollout_info
from tests.support.engine.blue_green import blue_green
from tests.support.engine.lab import Lab
from tests.support.engine.pod_kinds import KINDS, Kind
from tests.support.engine.world import World, release, rollout, routed, service

Json = dict[str, Any]


def canary() -> tuple[World, str]:
    world = routed()
    release(world, "green")
    world.settle(ready=False)
    return world, "green"


def canary_by_pods_alone() -> tuple[World, str]:
    obj = rollout(replicas=4)
    obj["spec"]["strategy"] = {"canary": {"steps": [{"setWeight": 25}, {"pause": {}}]}}
    world = World(obj)
    world.settle()
    release(world, "green")
    world.settle(ready=False)
    return world, "green"


def first_version() -> tuple[World, str]:
    world = World(service("web"), service("web-canary"), rollout(), *[routed().objects["Ingress", "web"]])
    world.settle(ready=False)
    return world, "blue"


def preview() -> tuple[World, str]:
    world = blue_green()
    release(world, "green")
    world.settle(ready=False)
    return world, "green"


def stable() -> tuple[World, str]:
    """The stable version loses pods while a canary is at its pause: the canary is not the only cause."""
    world = routed(replicas=2, dynamicStableScale=False)
    short(world, "blue", world.set_of("blue").spec.replicas)
    world.settle(ready=False)
    return world, "blue"


VERSIONS: dict[str, Callable[[], tuple[World, str]]] = {
    "a canary with a router": canary,
    "a canary by pods alone": canary_by_pods_alone,
    "the first version": first_version,
    "a preview": preview,
    "the stable version": stable,
}


def short(world: World, image: str, count: int) -> None:
    """`count` pods of this version are not available any more."""
    rs = world.set_of(image)
    left = max(0, rs.status.available_replicas - count)
    status = {"readyReplicas": left, "availableReplicas": left}
    world.patch("ReplicaSet", rs.metadata.name, {"status": status})


def strike(world: World, name: str, kind: Kind) -> None:
    """All pods of this ReplicaSet are of this kind."""
    rs = world.objects["ReplicaSet", name]
    owner = {"kind": "ReplicaSet", "name": name, "uid": rs["metadata"]["uid"], "controller": True}
    if not kind.status:
        world.patch("ReplicaSet", name, {"status": {"replicas": 0, "conditions": kind.conditions}})
    for i in range(rs["spec"]["replicas"]) if kind.status else ():
        meta = {"name": f"{name}-{i}", "labels": rs["metadata"]["labels"], "ownerReferences": [owner]}
        world.add({"kind": "Pod", "metadata": meta, "status": kind.status})
        uid = world.objects["Pod", f"{name}-{i}"]["metadata"]["uid"]
        for n, (reason, message) in enumerate(kind.events):
            event = {"involvedObject": {"uid": uid}, "reason": reason, "message": message, "type": "Warning"}
            world.add({"kind": "Event", "metadata": {"name": f"{name}-{i}-{n}"}, **event})


def asked(world: World) -> Why:
    def answer(ask: Read) -> list[Any]:
        found = [o for (kind, name), o in world.objects.items() if kind == ask.kind and ask.name in ("", name)]
        if ask.kind == "Event":
            assert ask.fields.endswith(",type=Warning")
            return [o for o in found if f"uid={o['involvedObject']['uid']}," in ask.fields]
        return found

    return explain(answered(gather(world.objects["Rollout", "web"], world.now), answer))


def struck(version: str, kind: str) -> tuple[World, Kind]:
    world, image = VERSIONS[version]()
    world.patch("Rollout", "web", {"spec": {"progressDeadlineSeconds": 60}})
    world.once()
    world.now = 1_767_225_600.0
    progressing = [c for c in world.objects["Rollout", "web"]["status"]["conditions"] if c["type"] == "Progressing"]
    for condition in progressing:
        condition["lastUpdateTime"] = "2026-01-01T00:00:00Z"
    strike(world, world.set_of(image).metadata.name, KINDS[kind])
    for _ in range(3):
        world.once()
    return world, KINDS[kind]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", VERSIONS)
def test_why_names_what_keeps_the_pods(version: str, kind: str) -> None:
    world, found = struck(version, kind)
    reasons = [reason for reason in asked(world).reasons if reason.cause]
    assert reasons, asked(world)
    assert {reason.cause for reason in reasons} == {found.code}
    assert all(word in reasons[0].message for word in (*found.words, *found.details)), reasons[0].message


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", VERSIONS)
def test_the_status_says_it_after_the_words_of_argo_rollouts_and_stays_as_it_is(version: str, kind: str) -> None:
    world, found = struck(version, kind)
    message = world.rollout.status.message
    reference, _, more = message.partition(": ")
    assert reference in (
        "more replicas need to be updated",
        "updated replicas are still becoming available",
        "active service cutover pending",
    )
    assert bool(more) == (not found.weak)
    assert world.once().status is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("abort", [False, True])
def test_a_deadline_that_passes_says_what_kept_the_pods(kind: str, abort: bool) -> None:
    world, found = struck("a canary with a router", kind)
    world.patch("Rollout", "web", {"spec": {"progressDeadlineAbort": abort}})
    world.once()
    world.now += 62
    world.once()
    status = world.rollout.status
    assert status.phase == "Degraded"
    assert ": ReplicaSet " in status.message
    told = status.message.partition("has timed out progressing.")[2]
    assert told or found.events
    if not found.weak:
        assert all(word in told for word in found.words), told
    if abort:
        assert told in [e.message for e in world.told if e.reason == "RolloutAborted"][-1]


def test_why_names_the_trouble_of_now_once_after_a_deadline() -> None:
    """The status keeps the reason known when the deadline passed, without the pods' Events."""
    world, _ = struck("the first version", "readiness")
    world.now += 62
    world.once()
    assert "ContainersNotReady" in world.rollout.status.message
    probe = "2 of 2 pods: Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 500"
    said = [reason.message for reason in asked(world).reasons if reason.cause]
    assert all(message.count(probe) == 1 for message in said)
    assert not any("ContainersNotReady" in message for message in said)
    assert any(message.endswith(f"has timed out progressing. {probe}") for message in said)


def test_pods_that_nothing_waits_for_are_seen_at_least() -> None:
    """The canary is at its pause, and the stable version crashes."""
    world = routed()
    release(world, "green")
    world.settle()
    world.now = 1_767_225_600.0
    short(world, "blue", 1)
    strike(world, world.set_of("blue").metadata.name, KINDS["crash loop"])
    why = asked(world)
    assert [reason.code for reason in why.reasons] == ["PauseStep"]
    assert any("stable" in line and "CrashLoopBackOff" in line for line in why.observed)


def test_the_causes_are_in_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "waiting.md").read_text()
    assert [
        kind.code for kind in KINDS.values() if f"`{kind.code}`" not in page and not kind.code.startswith("Init:")
    ] == []


def test_the_message_of_a_deadline_follows_another_trouble() -> None:
    world, _ = struck("a canary with a router", "back-off of a pull")
    world.now += 62
    world.once()
    for name in [name for kind, name in world.objects if kind == "Pod"]:
        world.patch("Pod", name, {"status": KINDS["crash loop"].status})
    world.once()
    assert "CrashLoopBackOff" in world.rollout.status.message
    assert world.once().status is None


def test_the_list_and_the_metric_name_it() -> None:
    world, _ = struck("a canary with a router", "back-off of a pull")
    stored = world.objects["Rollout", "web"]
    seen = keep_rollout(msgspec.json.decode(msgspec.json.encode(stored), type=Sent)).json()
    assert "ImagePullBackOff" in row(rollout_info(seen, Surroundings()), seen)["why"]
    metrics = Metrics()
    metrics.waits(("default", "web"), tuple((wait.reason, wait.cause) for wait in world.plan().waits))
    text = metrics.text().decode()
    labels = 'name="web",namespace="default",reason="PodsNotReady",cause="ImagePullBackOff"'
    assert f"rollout_waiting_cause{{{labels}}} 1" in text


@pytest.mark.parametrize("lacks", [False, True])
@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.status])
def test_a_pod_of_another_version_is_no_reason(kind: str, lacks: bool) -> None:
    """The canary waits for its new pods; the stable version's broken pods are not the reason."""
    world, _ = canary()
    world.now = 1_767_225_600.0
    if lacks:
        short(world, "blue", 1)
    strike(world, world.set_of("blue").metadata.name, KINDS[kind])
    assert {reason.cause for reason in asked(world).reasons if reason.code == "PodsNotReady"} == {""}
    assert ":" not in world.rollout.status.message


@pytest.mark.parametrize("kind", KINDS)
def test_an_experiment_says_it_of_its_template(kind: str) -> None:
    lab = Lab(progressDeadlineSeconds=60)
    lab.once()
    lab.pods(ready=False)
    lab.now = 1_767_225_600.0
    lab.objects["Experiment", "exp"]["status"]["templateStatuses"][0]["lastTransitionTime"] = "2026-01-01T00:00:00Z"
    strike(lab, "exp-a", KINDS[kind])

    def once() -> Any:
        pods = tuple(msgspec.convert(o, Pod) for (k, _), o in lab.objects.items() if k == "Pod")
        plan = plan_experiment(msgspec.structs.replace(lab.seen(), pods=pods))
        lab.carry_out(plan, "Experiment", "exp")
        return plan

    once()
    message = lab.experiment.status.template_statuses[0].message
    assert bool(message) == (not KINDS[kind].weak)
    assert once().status is None
    lab.now += 62
    once()
    failed = lab.experiment.status
    assert failed.phase == "Failed"
    assert message in failed.message
    assert "exceeded its progressDeadlineSeconds" in failed.message
