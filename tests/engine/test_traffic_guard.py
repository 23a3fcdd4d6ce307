"""Requests move only to a version that has the ready pods for them, whichever version has them now.

Every pass of every story is checked: a version's share rises only as far as its pods carry it, unless the versions that
lose it have no pods that serve; and no version is made smaller than its share needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from serinus.api.names import HASH
from tests.support.engine.judged import CHECK, template
from tests.support.engine.world import World, release, rollout, routed, service
from tests.support.long import crossed

Json = dict[str, Any]
REPLICAS = 4


def ready(world: World) -> dict[str, int]:
    """Revision → its ready pods."""
    return {
        rs.metadata.labels[HASH]: min(rs.status.available_replicas, rs.spec.replicas)
        for rs in world.of("ReplicaSet").values()
    }


def shares(world: World) -> dict[str, int]:
    """Revision → percent of the requests, as the gateway sees Services and weight."""
    weight = world.weight or 0
    found: dict[str, int] = {}
    for name, share in (("web-canary", weight), ("web", 100 - weight)):
        found[world.selected(name)] = found.get(world.selected(name), 0) + share
    return found


class Story:
    """Pods become ready one at a time for each version, and never for a version in `broken`."""

    def __init__(self, world: World) -> None:
        self.world, self.broken = world, set[str]()

    def image(self, image: str) -> str:
        return self.world.set_of(image).metadata.labels[HASH]

    def one_pass(self) -> bool:
        """One pass, checked, and one more pod of each version; whether anything changed."""
        world = self.world
        pods, before = ready(world), shares(world)
        plan = world.once()
        after = shares(world)
        lost = [h for h, share in before.items() if after.get(h, 0) < share]
        for pod_hash, share in after.items():
            if share <= before.get(pod_hash, 0) or not any(pods.get(h, 0) for h in lost):
                continue
            carried = -(-100 * pods.get(pod_hash, 0) // REPLICAS)
            assert share <= carried, f"{before} becomes {after} with the ready pods {pods}: {world.writes[-6:]}"
        for rs in world.of("ReplicaSet").values():
            share = after.get(rs.metadata.labels[HASH], 0)
            need = min(-(-share * REPLICAS // 100), pods.get(rs.metadata.labels[HASH], 0))
            assert rs.spec.replicas >= need, f"{rs.metadata.name} has {rs.spec.replicas} pods for {share} %"
        return self.more_pods() or bool(plan.actions) or plan.status is not None

    def more_pods(self) -> bool:
        changed = False
        for (kind, _), obj in self.world.objects.items():
            if kind != "ReplicaSet":
                continue
            want, had = obj["spec"]["replicas"], obj.get("status", {}).get("availableReplicas", 0)
            broken = obj["metadata"]["labels"][HASH] in self.broken
            serving = min(want, had if broken else had + 1)
            status = {
                "replicas": want,
                "readyReplicas": serving,
                "availableReplicas": serving,
                "observedGeneration": obj["metadata"]["generation"],
            }
            changed, obj["status"] = changed or obj.get("status") != status, status
        return changed

    def go_on(self, seconds: int = 60) -> None:
        for _ in range(seconds // 3):
            for _ in range(30):
                if not self.one_pass():
                    break
            else:
                raise AssertionError(f"it never settles: {self.world.writes[-8:]}")
            self.world.now += 3

    def lose(self, image: str, left: int) -> None:
        """All but `left` pods of a version are not ready any more, and stay so."""
        pod_hash = self.image(image)
        self.broken.add(pod_hash)
        status = self.world.objects["ReplicaSet", self.world.set_of(image).metadata.name]["status"]
        status["readyReplicas"] = status["availableReplicas"] = left


def asked(**status: Any) -> Callable[[Story], None]:
    return lambda story: story.world.patch("Rollout", "web", {"status": status})


def to(image: str) -> Callable[[Story], None]:
    return lambda story: release(story.world, image)


def passes(count: int) -> Callable[[Story], None]:
    def do(story: Story) -> None:
        for _ in range(count):
            story.one_pass()

    return do


def loses(image: str, left: int) -> Callable[[Story], None]:
    return lambda story: story.lose(image, left)


def heals(story: Story) -> None:
    story.broken.clear()


def later(story: Story) -> None:
    story.go_on()


def steps(*new: Json) -> Callable[[Story], None]:
    return lambda story: story.world.patch("Rollout", "web", {"spec": {"strategy": {"canary": {"steps": list(new)}}}})


# From green at its gate to an end: (the event, the image that is stable then, whether the canary is at its gate)
STORIES: dict[str, tuple[tuple[Callable[[Story], None], ...], str, str]] = {
    "a third revision": ((to("yellow"),), "blue", "yellow"),
    "a third revision with other steps": ((to("yellow"), steps({"setWeight": 25}, {"pause": {}})), "blue", "yellow"),
    "a third and a fourth": ((to("yellow"), passes(3), to("red")), "blue", "red"),
    "a third, and back to the second": ((to("yellow"), passes(2), to("green")), "blue", "green"),
    "a third that never serves": ((to("yellow"), passes(1), loses("yellow", 0)), "blue", "yellow"),
    "a third that is aborted at once": ((to("yellow"), passes(2), asked(abort=True)), "blue", ""),
    "a third that is promoted at once": ((to("yellow"), passes(1), asked(promoteFull=True)), "yellow", ""),
    "a third that is promoted half way": ((to("yellow"), passes(5), asked(promoteFull=True)), "yellow", ""),
    "an abort": ((asked(abort=True),), "blue", ""),
    "an abort, then a third": ((asked(abort=True), passes(2), to("yellow")), "blue", "yellow"),
    "an abort, then a retry": ((asked(abort=True), passes(2), asked(abort=False)), "blue", "green"),
    "an abort while the stable version lacks pods": ((loses("blue", 1), asked(abort=True), later, heals), "blue", ""),
    "a third while the stable version lacks pods": ((loses("blue", 1), to("yellow"), later, heals), "blue", "yellow"),
    "back to the stable version": ((to("blue"),), "blue", ""),
    "back while the stable version lacks pods": ((loses("blue", 1), to("blue"), later, heals), "blue", ""),
    "back, then a third": ((to("blue"), passes(2), to("yellow")), "blue", "yellow"),
    "a full promotion": ((asked(promoteFull=True),), "green", ""),
    "a full promotion, then a third": ((asked(promoteFull=True), passes(3), to("yellow")), "?", "yellow"),
    "a promotion, then a third as it ends": ((asked(promoteFull=True), passes(6), to("yellow")), "?", "yellow"),
    "a promotion, then back as it ends": ((asked(promoteFull=True), passes(6), to("blue")), "?", "?"),
    "smaller steps": ((steps({"setWeight": 25}, {"pause": {}}),), "blue", "green"),
    "the canary loses its pods": ((loses("green", 0), later, heals), "blue", "green"),
}
WALKS: dict[str, list[Json]] = {
    "70": [{"setWeight": 70}, {"pause": {}}],
    "100": [{"setWeight": 100}, {"pause": {}}],
    "5 and 75": [{"setWeight": 5}, {"setWeight": 75}, {"pause": {}}],
    "25 on two pods": [{"setCanaryScale": {"replicas": 2}}, {"setWeight": 25}, {"pause": {}}],
}
OPTIONS: dict[str, Json] = {
    "stable as it is": {},
    "dynamicStableScale": {"dynamicStableScale": True, "scaleDownDelaySeconds": None},
    "dynamicStableScale, at least two": {
        "dynamicStableScale": True,
        "scaleDownDelaySeconds": None,
        "minPodsPerReplicaSet": 2,
    },
    "abort at once": {"dynamicStableScale": True, "scaleDownDelaySeconds": None, "abortScaleDownDelaySeconds": 0},
}


def at_the_gate(walk: list[Json], options: Json) -> Story:
    story = Story(routed(replicas=REPLICAS, steps=walk, **options))
    release(story.world, "green")
    story.go_on()
    assert story.world.rollout.status.phase == "Paused"
    return story


@pytest.mark.parametrize(("name", "walk", "options"), crossed(STORIES, WALKS, OPTIONS))
def test_no_request_goes_to_a_version_that_lacks_the_pods_for_it(name: str, walk: str, options: str):
    does, stable, canary = STORIES[name]
    story = at_the_gate(WALKS[walk], OPTIONS[options])
    for do in does:
        do(story)
    story.go_on(120)
    world = story.world
    images = {
        rs.metadata.labels[HASH]: rs.spec.template["spec"]["containers"][0]["image"]
        for rs in world.of("ReplicaSet").values()
    }
    named = {pod_hash: image.rpartition(":")[2] for pod_hash, image in images.items()}
    leads = {named[pod_hash]: share for pod_hash, share in shares(world).items() if share}
    status = world.rollout.status
    if stable != "?":
        assert named[status.stable_rs] == stable
    if not canary:
        assert leads == {named[status.stable_rs]: 100}
        return
    served = {image for image in leads if image != named[status.stable_rs]}
    assert served <= {named[status.current_pod_hash]}, leads
    if not story.broken:
        assert status.phase in ("Paused", "Healthy")


@pytest.mark.parametrize("walk", WALKS)
def test_what_is_replaced_loses_its_share_although_the_new_version_never_serves(walk: str):
    """The stable version grows for it: an update does not wait for a version that cannot start."""
    story = at_the_gate(WALKS[walk], OPTIONS["dynamicStableScale"])
    release(story.world, "yellow")
    story.world.once()
    story.broken.add(story.image("yellow"))
    story.go_on()
    assert {story.image("blue"): 100} == {h: share for h, share in shares(story.world).items() if share}


@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize(
    ("stable", "active", "moves"),
    [(4, 4, True), (1, 4, False), (3, 4, False), (2, 2, True), (1, 0, True), (0, 0, False)],
)
def test_blue_green_goes_back_to_a_version_that_can_answer_all_requests(
    stable: int, active: int, moves: bool, paused: bool
):
    """All requests move at once: after the switch an abort waits for the pods of the stable version."""
    made = rollout(replicas=REPLICAS)
    made["spec"]["strategy"] = {"blueGreen": {"activeService": "web", "postPromotionAnalysis": CHECK}}
    world = World(service("web"), template(), made)
    world.settle()
    release(world, "green")
    world.settle()
    blue, green = world.set_of("blue").metadata, world.set_of("green").metadata
    assert world.selected("web") == green.labels[HASH]
    for name, count in ((blue.name, stable), (green.name, active)):
        status = world.objects["ReplicaSet", name]["status"]
        status["readyReplicas"] = status["availableReplicas"] = count
    world.patch("Rollout", "web", {"spec": {"paused": paused}, "status": {"abort": True}})
    world.once()
    world.once()
    assert world.selected("web") == (blue if moves else green).labels[HASH]
    world.settle()
    assert world.selected("web") == blue.labels[HASH]
