"""The execution of a plan: in order, once, and never over another client's change."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from serinus.api.meta import WrittenMeta
from serinus.api.names import HASH
from serinus.api.rollout import Rollout
from serinus.api.step_plugin import Answer, Question
from serinus.controller.action_groups import groups
from serinus.controller.apply import Applier
from serinus.controller.expectations import Writes
from serinus.controller.held_writes import HeldBack
from serinus.engine.core.plan import Action, Event, Plan, PluginCall
from serinus.kube.client import Client
from serinus.kube.clock import SystemClock
from serinus.kube.errors import Conflict, NotFound
from serinus.kube.transport import Request, Response


class Hands:
    """An applier at work on `web`, and the events it recorded."""

    def __init__(self, store: Any) -> None:
        self.store, self.told, self.noted = store, list[str](), list[str]()
        self.answers: dict[str, int] = {}
        self.sent: list[tuple[str, str, dict[str, Any]]] = []
        self.applier = Applier(
            Client(self),
            SystemClock(),
            Writes(),
            lambda _, event: self.told.append(event.reason),
            lambda _, what, because: self.noted.append(f"{what}: {because}"),
        )

    async def __call__(self, request: Request) -> Response:
        name = "/".join(request.path.split("/")[-2:])
        self.sent.append((request.method, name, json.loads(request.body or b"{}")))
        if name in self.answers:
            return Response(self.answers[name], b'{"reason": "TooManyRequests"}')
        return await self.store(request)

    async def apply(self, *actions: Action, **plan: Any) -> int:
        found = self.store.get("rollouts", "web")["metadata"]
        metadata = WrittenMeta(name="web", namespace="a", uid=found["uid"], resource_version=found["resourceVersion"])
        return await self.applier.apply(Rollout(metadata), Plan(actions, **plan))


@pytest.fixture
async def hands(store: Any) -> Hands:
    await store.put("rollouts", {"metadata": {"name": "web"}, "spec": {}})
    return Hands(store)


def action(verb: Any, kind: str, name: str, body: dict[str, Any] | None = None, **more: Any) -> Action:
    return Action(verb, kind, name, f"{name} is needed", body or {}, events=(Event(f"{verb} {name}", ""),), **more)


async def test_actions_come_in_order_then_the_status_then_the_events(hands: Hands) -> None:
    create = action("create", "ReplicaSet", "one", {"spec": {"replicas": 0}})
    patch = action("patch", "ReplicaSet", "one", {"spec": {"replicas": 2}})
    writes = await hands.apply(create, patch, status={"phase": "X"}, status_because="so", events=(Event("Last", ""),))
    assert [(m, n) for m, n, _ in hands.sent] == [
        ("POST", "a/replicasets"),
        ("PATCH", "replicasets/one"),
        ("PATCH", "web/status"),
    ]
    assert hands.told == ["create one", "patch one", "Last"]
    assert hands.noted == [
        "create ReplicaSet one: one is needed",
        "patch ReplicaSet one: one is needed",
        "write status: so",
    ]
    assert writes == 3
    made = hands.store.get("replicasets", "one")
    assert (made["kind"], made["apiVersion"], made["spec"]) == ("ReplicaSet", "apps/v1", {"replicas": 2})


def pair() -> tuple[Action, Action]:
    first = action("create", "ReplicaSet", "one", {"spec": {"replicas": 0}})
    return first, action("create", "ReplicaSet", "two", {"spec": {"replicas": 0}}, beside="ReplicaSet/one")


async def test_actions_that_name_each_other_are_sent_at_once(hands: Hands) -> None:
    both = asyncio.Barrier(2)

    async def answer(request: Request) -> Response:
        if request.method == "POST":
            async with asyncio.timeout(5):
                await both.wait()  # the first gets its answer when the second has come
        return await hands(request)

    hands.applier.client = Client(answer)
    last = action("patch", "ReplicaSet", "one", {"spec": {"replicas": 2}})
    assert await hands.apply(*pair(), last, status={"phase": "X"}, status_because="so") == 4
    assert hands.store.names("replicasets") == ["one", "two"]
    assert hands.told == ["create one", "create two", "patch one"]
    assert [name for _, name, _ in hands.sent[2:]] == ["replicasets/one", "web/status"]


@pytest.mark.parametrize("failing", ["one", "two"])
async def test_a_failure_of_one_of_two_ends_the_pass_after_both(hands: Hands, failing: str) -> None:
    async def answer(request: Request) -> Response:
        if request.method == "POST" and json.loads(request.body)["metadata"]["name"] == failing:
            return Response(409, b'{"reason": "Conflict"}')
        return await hands(request)

    hands.applier.client = Client(answer)
    with pytest.raises(Conflict):
        await hands.apply(*pair(), status={"phase": "X"})
    (other,) = {"one", "two"} - {failing}
    assert hands.store.names("replicasets") == [other]
    assert hands.told == [f"create {other}"]
    assert "status" not in hands.store.get("rollouts", "web")


def test_an_action_whose_partner_is_left_out_is_alone() -> None:
    first, second = pair()
    other = action("patch", "Service", "one")
    assert [len(group) for group in groups([other, second, first, second, other])] == [1, 1, 2, 1]


async def test_the_first_failure_ends_the_pass(hands: Hands) -> None:
    with pytest.raises(NotFound):
        await hands.apply(
            action("patch", "Service", "gone"), action("create", "ReplicaSet", "one"), status={"phase": "X"}
        )
    assert hands.told == []
    assert hands.store.names("replicasets") == []
    assert "status" not in hands.store.get("rollouts", "web")


async def test_what_is_done_already_counts_as_done(hands: Hands) -> None:
    await hands.store.put("replicasets", {"metadata": {"name": "one"}, "spec": {"replicas": 5}})
    await hands.apply(
        action("create", "ReplicaSet", "one"),
        action("delete", "ReplicaSet", "two", uid="u"),
        action("patch", "Pod", "three", {"metadata": {"labels": {"a": "b"}}}),
        action("evict", "Pod", "four"),
        action("create", "ReplicaSet", "five"),
    )
    assert hands.told == ["create five"], "only what was done is told"
    assert hands.store.get("replicasets", "one")["spec"] == {"replicas": 5}


async def test_an_eviction_that_is_refused_is_skipped(hands: Hands) -> None:
    await hands.store.put("pods", {"metadata": {"name": "p"}})
    hands.answers["p/eviction"] = 429
    await hands.apply(action("evict", "Pod", "p"), action("create", "ReplicaSet", "one"))
    assert hands.store.names("pods") == ["p"]
    assert hands.told == ["create one"]


@pytest.mark.parametrize("seen", [{"resource_version": "1"}, {"uid": "another"}])
@pytest.mark.parametrize("verb", ["patch", "delete"])
async def test_an_object_that_is_not_the_one_that_was_seen_is_left_alone(
    hands: Hands, verb: str, seen: dict[str, str]
) -> None:
    await hands.store.put("services", {"metadata": {"name": "s"}, "spec": {"selector": {}}})
    with pytest.raises(Conflict):
        await hands.apply(action(verb, "Service", "s", {"spec": {"selector": {"a": "b"}}}, **seen))
    assert hands.store.get("services", "s")["spec"] == {"selector": {}}


async def test_a_second_write_to_an_object_follows_the_first(hands: Hands) -> None:
    """Both were planned on the version that was seen; the second must not fail because of the first."""
    seen = (await hands.store.put("services", {"metadata": {"name": "s"}, "spec": {"selector": {}}}))["metadata"]
    version = {"resource_version": seen["resourceVersion"], "uid": seen["uid"]}
    await hands.apply(
        action("patch", "Service", "s", {"spec": {"selector": {"a": "1"}}}, **version),
        action("patch", "Service", "s", {"spec": {"selector": {"b": "2"}}}, **version),
    )
    assert hands.store.get("services", "s")["spec"]["selector"] == {"a": "1", "b": "2"}


async def test_a_replica_set_of_that_name_that_is_somebody_elses_gives_way_to_another_name(hands: Hands) -> None:
    """A Deployment of the same name may have one: without this the Rollout would wait for ever."""
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "other", "controller": True}
    await hands.store.put("replicasets", {"metadata": {"name": "one", "ownerReferences": [owner]}})
    with pytest.raises(Conflict):
        await hands.apply(action("create", "ReplicaSet", "one", {"spec": {"replicas": 0}}))
    assert hands.store.get("rollouts", "web")["status"]["collisionCount"] == 1


@pytest.mark.parametrize("labels", [{}, {HASH: "edited"}])
async def test_our_own_replica_set_without_its_label_gets_it_back(hands: Hands, labels: dict[str, str]) -> None:
    """Without the label the cache does not have it, and the name is taken: the Rollout would wait for ever."""
    uid = hands.store.get("rollouts", "web")["metadata"]["uid"]
    owner = {"kind": "Rollout", "name": "web", "uid": uid, "controller": True}
    labels = {"app": "web", **labels}
    await hands.store.put("replicasets", {"metadata": {"name": "one", "ownerReferences": [owner], "labels": labels}})
    await hands.apply(action("create", "ReplicaSet", "one", {"metadata": {"labels": {"app": "web", HASH: "abc"}}}))
    assert hands.store.get("replicasets", "one")["metadata"]["labels"] == {"app": "web", HASH: "abc"}
    assert "collisionCount" not in (hands.store.get("rollouts", "web").get("status") or {})


async def test_the_label_of_a_replica_set_is_no_race_either(hands: Hands) -> None:
    """Without it the cache does not have the ReplicaSet: the write that restores it runs the same code as all others."""
    uid = hands.store.get("rollouts", "web")["metadata"]["uid"]
    owner = {"kind": "Rollout", "name": "web", "uid": uid, "controller": True}
    create = action("create", "ReplicaSet", "one", {"metadata": {"labels": {HASH: "abc"}}})
    for _ in range(4):
        await hands.store.put("replicasets", {"metadata": {"name": "one", "ownerReferences": [owner], "labels": {}}})
        await hands.apply(create)
        assert hands.store.get("replicasets", "one")["metadata"]["labels"] == {HASH: "abc"}
    await hands.store.put("replicasets", {"metadata": {"name": "one", "ownerReferences": [owner], "labels": {}}})
    with pytest.raises(HeldBack) as back:
        await hands.apply(create)
    assert (back.value.held.code, back.value.held.kind) == ("FieldConflict", "ReplicaSet")
    assert f"metadata.labels.{HASH}" in back.value.held.message


@pytest.mark.parametrize("code", [400, 403, 413, 422])
async def test_a_refused_write_is_held_back_and_not_sent_again_before_its_time(hands: Hands, code: int) -> None:
    """The next plan includes it; nothing after it was done."""
    hands.answers["a/replicasets"] = code
    create = action("create", "ReplicaSet", "web-1")
    with pytest.raises(HeldBack) as first:
        await hands.apply(create, action("create", "Service", "web"))
    assert (first.value.held.code, first.value.held.kind, first.value.known) == ("WriteRefused", "ReplicaSet", False)
    with pytest.raises(HeldBack) as second:
        await hands.apply(create)
    assert second.value.known
    assert [(m, n) for m, n, _ in hands.sent] == [("POST", "a/replicasets")]
    assert await hands.apply(action("create", "Service", "web")) == 1, "other writes are not concerned"


async def test_what_a_plugin_says_is_written_into_the_status_after_everything_else(hands: Hands) -> None:
    async def ask(question: Question) -> Answer:
        assert question.rollout["status"]["currentStepIndex"] == 2, "the status that was just written"
        return Answer("Running", "half", status={"seen": question.config})

    hands.applier.ask = ask
    call = PluginCall(2, "org/check", "Run", "step 3 needs it", {"deep": True})
    await hands.apply(status={"currentStepIndex": 2}, calls=(call,))
    (entry,) = hands.store.get("rollouts", "web")["status"]["canary"]["stepPluginStatuses"]
    assert (entry["phase"], entry["message"], entry["status"]) == ("Running", "half", {"seen": {"deep": True}})
    assert hands.told == ["StepPluginTransition"]
    assert "call plugin org/check (Run): step 3 needs it" in hands.noted
