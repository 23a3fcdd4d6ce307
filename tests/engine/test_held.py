"""A write that is held back: the plan continues without it, and relies on nothing that depends on it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from serinus.api.names import HASH
from serinus.engine.core.held_writes import fields_of
from serinus.engine.core.plan import Action, HeldWrite, Plan
from serinus.engine.explain.why import explain
from serinus.engine.planner import plan
from tests.support.engine.blue_green import blue_green
from tests.support.engine.restarts import basic, restarting
from tests.support.engine.world import World, release, routed

WORDS = "admission webhook denied the request"


def refused(action: Action, world: World) -> HeldWrite:
    text = f"cannot {action.verb} {action.kind} {action.name}: {WORDS}"
    return HeldWrite("WriteRefused", action.verb, action.kind, action.name, text, world.now + 60, fields_of(action))


class Refusing(World):
    """An API that refuses the writes of a kind, for a controller that records it."""

    def refuse(self, verb: str, kind: str, name: str = "") -> None:
        self.denied = (verb, kind, name)
        self.held: dict[Any, HeldWrite] = {}

    def once(self) -> Plan:
        for _ in range(40):
            decided = plan(replace(self.snapshot(), held=tuple(self.held.values())))
            hit = next((a for a in decided.actions if self.hits(a)), None)
            if hit is None:
                self.carry_out(decided, "Rollout", self.rollout.metadata.name)
                return decided
            assert (hit.kind, hit.name, fields_of(hit)) not in self.held, "what is held back is not planned"
            before = decided.actions[: decided.actions.index(hit)]
            self.carry_out(Plan(before), "Rollout", self.rollout.metadata.name)
            self.held[hit.kind, hit.name, fields_of(hit)] = refused(hit, self)
        raise AssertionError("there is always another write to refuse")

    def hits(self, action: Action) -> bool:
        verb, kind, name = self.denied
        return (action.verb, action.kind) == (verb, kind) and name in ("", action.name)


def refusing(world: World, *denied: str) -> Refusing:
    world.__class__ = Refusing
    assert isinstance(world, Refusing)
    world.refuse(*denied)
    return world


WRITES = [
    ("create", "ReplicaSet"), ("patch", "ReplicaSet"), ("patch", "Service", "web-canary"), ("patch", "Service", "web"),
    ("patch", "Ingress"), ("patch", "Rollout"),
]  # fmt: skip


@pytest.mark.parametrize("denied", WRITES, ids=" ".join)
def test_an_update_stands_still_safely_and_says_why(denied: tuple[str, ...]):
    """No step ends on a weight that was not written, the stable version keeps its pods, and planning ends."""
    world = refusing(routed(steps=[{"setWeight": 50}]), *denied)
    stable = world.set_of("blue").metadata.name
    release(world, "green")
    world.settle()
    status = world.rollout.status
    if denied != ("patch", "Rollout"):
        assert world.of("ReplicaSet")[stable].spec.replicas == world.rollout.spec.replicas, "requests still go there"
        led = world.of("Service")["web"].spec.selector[HASH]
        assert led == world.of("ReplicaSet")[stable].metadata.labels[HASH]
    weight = world.of("Ingress")["web-web-canary"].metadata.annotations["nginx.ingress.kubernetes.io/canary-weight"]
    assert status.canary.weights is not None
    assert str(status.canary.weights.canary.weight) == weight, "the status has what gateways have"
    if denied in (("patch", "Ingress"), ("patch", "Service", "web-canary")):
        assert status.current_step_index == 0, "no step rests on it"
    assert world.held
    assert (status.phase, status.message.partition(":")[0]) == ("Degraded", "WriteRefused")
    assert WORDS in status.message
    why = explain(world.snapshot())
    assert why.reasons[0].code == "WriteRefused"
    assert not [line for line in why.pending if f"{denied[0]} {denied[1]}" in line], "nothing is about to be done"


@pytest.mark.parametrize("denied", WRITES, ids=" ".join)
def test_it_goes_on_when_nothing_is_held_back_any_more(denied: tuple[str, ...]):
    """A restarted controller has no memory, and comes to the same end."""
    world = refusing(routed(steps=[{"setWeight": 50}]), *denied)
    release(world, "green")
    world.settle()
    world.refuse("", "")
    world.settle()
    assert not [c for c in world.rollout.status.conditions if c.type == "WriteRefused"]
    assert world.rollout.status.phase == "Healthy"


@pytest.mark.parametrize(
    "steps", [[{"setWeight": 50}, {"pause": {}}], [{"setWeight": 50}, {"pause": {}}, {"setWeight": 80}]]
)
def test_a_weight_that_follows_a_promotion_and_is_refused_is_named_and_tried_again(steps: list[dict[str, Any]]):
    """The stored step is still the pause, whose weight is in force: nothing else would show the refusal."""
    world = routed(steps=steps)
    release(world, "green")
    world.settle()
    assert world.rollout.status.phase == "Paused"
    world = refusing(world, "patch", "Ingress")
    world.patch("Rollout", "web", {"status": {"pauseConditions": None}})  # as `promote` does
    world.settle()
    assert world.rollout.status.message.partition(":")[0] == "WriteRefused"
    assert world.once().requeue_at == min(one.until for one in world.held.values())
    world.refuse("", "")
    world.settle()
    assert world.rollout.status.phase == "Healthy"


def test_blue_green_says_where_the_active_service_leads_and_keeps_those_pods():
    world = blue_green()
    world.settle()
    refusing(world, "patch", "Service", world.rollout.spec.strategy.blue_green.active_service)  # type: ignore[union-attr]
    stable = world.set_of("blue")
    release(world, "green")
    world.settle()
    assert world.rollout.status.blue_green.active_selector == stable.metadata.labels[HASH]
    assert world.set_of("blue").spec.replicas == world.rollout.spec.replicas
    assert world.rollout.status.stable_rs == stable.metadata.labels[HASH]
    assert world.rollout.status.phase == "Degraded"


def test_an_eviction_that_is_refused_counts_no_pod_as_gone():
    world = refusing(restarting(basic(maxSurge=0, maxUnavailable=1)), "evict", "Pod")
    decided = world.once()
    assert [a.verb for a in decided.actions if a.verb == "evict"] == []
    assert world.rollout.status.restarted_at != world.rollout.spec.restart_at
    assert world.rollout.status.phase == "Degraded"


def test_a_field_conflict_is_told_and_changes_no_phase():
    """The other writer may be any client, for any time: the Rollout serves, and reports it."""
    world = routed()
    world.settle()
    held = HeldWrite(
        "FieldConflict", "patch", "ReplicaSet", "x", "spec.replicas is changed back", world.now + 5, frozenset()
    )
    told = plan(replace(world.snapshot(), held=(held,)))
    assert [w.reason for w in told.waits] == ["FieldConflict"]
    assert told.status is not None
    assert "phase" not in told.status
    world.carry_out(told, "Rollout", "web")
    assert [r.code for r in explain(world.snapshot()).reasons] == ["FieldConflict"]


def test_moments_and_the_size_of_a_new_replica_set_do_not_make_another_write():
    def create(size: int, color: str) -> Action:
        return Action("create", "ReplicaSet", "a", "", {"spec": {"replicas": size, "template": {"color": color}}})

    def mark(when: str | None) -> Action:
        return Action("patch", "ReplicaSet", "a", "", {"metadata": {"annotations": {"until": when}}})

    assert fields_of(create(1, "red")) == fields_of(create(2, "red")) != fields_of(create(1, "blue"))
    assert fields_of(mark("2026-01-01T00:00:00Z")) == fields_of(mark("2027-01-01T00:00:00Z")) != fields_of(mark(None))
