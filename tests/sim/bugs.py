"""The bugs themselves: small ones, as they are made in engines and controllers, each replacing functions where they are used."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from serinus.api.names import HASH, MANAGED_BY
from serinus.controller import apply
from serinus.controller import expectations as writes
from serinus.engine import planner
from serinus.engine.core import builder, context
from serinus.engine.status import scale_down_delay
from serinus.engine.status.conditions import promoted
from serinus.engine.strategy import canary, stages
from serinus.engine.strategy.bluegreen import plan as blue_green
from serinus.engine.strategy.bluegreen import switch
from serinus.engine.strategy.bluegreen.versions import Versions
from serinus.engine.strategy.scaling import routed, scale_plan
from serinus.engine.strategy.scaling.scale_plan import ScalePlan
from serinus.engine.strategy.steps import pause
from serinus.engine.strategy.traffic import route
from serinus.kube import queue
from serinus.kube.errors import Conflict
from serinus.routing import nginx
from serinus.routing.router import Objects, RouteResult, Traffic, Write

Place = tuple[Any, str, Any]
"""(owner, attribute, what stands there instead)."""


@dataclass(frozen=True)
class Mutant:
    name: str
    bug: str
    """As a reviewer would put it."""
    places: Callable[[], Iterable[Place]]
    judges: bool = False
    """It is about verdicts: histories without analyses cannot catch it."""


MUTANTS: list[Mutant] = []


def mutant(
    bug: str, *, judges: bool = False
) -> Callable[[Callable[[], Iterable[Place]]], Callable[[], Iterable[Place]]]:
    def register(places: Callable[[], Iterable[Place]]) -> Callable[[], Iterable[Place]]:
        MUTANTS.append(Mutant(places.__name__, bug, places, judges))
        return places

    return register


def believed(self: writes.Writes, key: Any, informers: Any) -> list[Any]:
    """In place of `unseen`: the cache is believed whatever was written."""
    self.forget(key)
    return []


def routed_by_nginx(writes: Callable[[RouteResult, Any, Traffic, Objects], Iterable[Write]]) -> Place:
    """The router with other writes."""
    real = nginx.Nginx.route

    def route(self: nginx.Nginx, config: Any, traffic: Traffic, objects: Objects) -> RouteResult:
        result = real(self, config, traffic, objects)
        return msgspec.structs.replace(result, writes=tuple(writes(result, config, traffic, objects)))

    return nginx.Nginx, "route", route


# The bugs


@mutant("a ReplicaSet is drained in the pass that writes the new selector, before the write was observed")
def drain_before_observe() -> Iterable[Place]:
    def planned(d: builder.PlanBuilder) -> dict[str, str]:
        return {d.status.stable_rs: "stable", d.status.current_pod_hash: "new"}

    real = scale_down_delay.retire
    at_once = (
        scale_down_delay,
        "retire",
        lambda d, sets, *, delay, limit: real(d, sets, delay=lambda _: 0, limit=limit),
    )
    return [(routed, "references", planned), at_once]


@mutant("the weight of the step is written whatever pods are there")
def weight_above_capacity() -> Iterable[Place]:
    return [
        (ScalePlan, "allowed", lambda view, new, index: view.s.max_weight),
        (ScalePlan, "arrived", lambda view, index: not view.builder.created(view.s.new)),
    ]


@mutant("a Service is led to a version without asking whether its pods are ready")
def selector_to_nothing() -> Iterable[Place]:
    def point(d: builder.PlanBuilder, name: str, rs: Any, *, role: str) -> str:
        service = d.context.snapshot.services.get(name)
        if service is None or rs is None:
            return ""
        have, want = service.spec.selector.get(HASH, ""), context.hash_of(rs)
        if have != want:
            body = {"metadata": {"annotations": {MANAGED_BY: "web"}}, "spec": {"selector": {HASH: want}}}
            d.act(builder.Action("patch", "Service", name, f"{role} {name}", body, uid=service.metadata.uid))
        return want

    return [(route, "point", point), (switch, "point", point)]


@mutant("the scale-down delay is forgotten")
def no_scale_down_delay() -> Iterable[Place]:
    real = scale_down_delay.retire
    return [
        (scale_down_delay, "retire", lambda d, sets, *, delay, limit: real(d, sets, delay=lambda _: 0, limit=limit))
    ]


@mutant("a pause that waits for a person ends by itself")
def pause_ends_by_itself() -> Iterable[Place]:
    real = pause.PauseStep.complete

    def complete(self: Any, part: Any, run: Any) -> bool:
        return real(self, part, run) or (part.duration is None and run.builder.context.now % 60 > 30)

    return [(pause.PauseStep, "complete", complete)]


@mutant("nobody looks again when a timed pause is over")
def timed_pause_without_an_alarm() -> Iterable[Place]:
    return [(builder.PlanBuilder, "requeue", lambda self, at: None)]


@mutant("an aborted version keeps its traffic")
def abort_keeps_traffic() -> Iterable[Place]:
    real = route.decide

    def decide(d: builder.PlanBuilder, *values: Any) -> int | None:
        d.status.abort, aborted = False, d.status.abort
        try:
            return real(d, *values)
        finally:
            d.status.abort = aborted

    return [(route, "decide", decide)]


@mutant("an aborted version is promoted once its pods are ready")
def aborted_is_promoted() -> Iterable[Place]:
    def promote(d: builder.PlanBuilder, view: ScalePlan, new: Any) -> None:
        if view.serves(new) and d.status.stable_rs != context.hash_of(new):
            index = d.status.current_step_index or 0
            if d.status.abort or index >= len(d.context.steps):
                canary.promote(d, new, "Completed all steps")

    return [(canary, "promote_if_done", promote)]


@mutant("annotations that somebody else put on the canary Ingress are removed")
def foreign_annotations_removed() -> Iterable[Place]:
    def removing(config: nginx.NginxRouting, traffic: Traffic, objects: Objects) -> Iterable[Write]:
        for name in nginx.stable_ingresses(config):
            found = objects.ingresses.get(nginx.canary_ingress_name(traffic.rollout, name))
            if found is not None:
                wanted = nginx.wanted_annotations(objects.ingresses[name].metadata, traffic, config)
                strange = {key: None for key in found.metadata.annotations if key not in wanted}
                if strange:
                    yield Write("patch", "Ingress", found.metadata.name, {"metadata": {"annotations": strange}}, "")

    return [routed_by_nginx(lambda result, *asked: (*result.writes, *removing(*asked)))]


@mutant("a Service's whole selector is written instead of the one label in it")
def whole_selector_written() -> Iterable[Place]:
    real = builder.PlanBuilder.act

    def act(self: builder.PlanBuilder, action: Any) -> None:
        if action.kind == "Service" and "spec" in action.body:
            selector = {"app": None, **action.body["spec"]["selector"]}
            action = msgspec.structs.replace(action, body={**action.body, "spec": {"selector": selector}})
        real(self, action)

    return [(builder.PlanBuilder, "act", act)]


@mutant("a canary Ingress that somebody deleted is not made again")
def lost_router_object_stays_lost() -> Iterable[Place]:
    def writes(result: RouteResult, _: Any, traffic: Traffic, __: Any) -> Iterable[Write]:
        return (write for write in result.writes if write.verb != "create" or traffic.weight == 0)

    return [routed_by_nginx(writes)]


@mutant("templates are compared as they are spelled")
def revision_by_spelling() -> Iterable[Place]:
    def spelled(template: Any, count: int | None = None) -> str:
        return format(hash(json.dumps(template)) & 0xFFFFFFFF, "x")

    def find(owned: list[Any], computed: str, template: Any) -> Any:
        return next((rs for rs in owned if context.hash_of(rs) == computed), None)

    return [(context, "pod_template_hash", spelled), (context, "find_new", find)]


@mutant("a write that failed counts as done")
def failed_write_forgotten() -> Iterable[Place]:
    real = apply.Pass.act

    async def act(self: Any, action: Any, index: int) -> None:
        try:
            await real(self, action, index)
        except Conflict:
            return

    def retry(self: queue.WorkQueue[Any], key: Any, *, after: float | None = None) -> float:
        self.forget(key)
        return 0.0

    return [(apply.Pass, "act", act), (queue.WorkQueue, "retry", retry)]


@mutant("a new version without all of its pods becomes the stable one")
def promoted_too_soon() -> Iterable[Place]:
    return [(ScalePlan, "serves", lambda view, new: not view.builder.created(new))]


@mutant("with dynamicStableScale the stable version shrinks before its traffic has left")
def stable_shrinks_first() -> Iterable[Place]:
    real: Any = scale_plan.Routed

    def without_recorded(*values: Any) -> Any:
        return real(*values[:6], None, *values[7:])

    def follow(d: builder.PlanBuilder, stable: Any, want: int) -> None:
        d.scale(stable, want, "its weight needs no more")

    return [(scale_plan, "Routed", without_recorded), (routed, "follow_traffic", follow)]


@mutant("what a replaced version has goes to the stable one, whatever pods that has")
def guard_asks_the_newest_version() -> Iterable[Place]:
    real = route.decide

    def decide(d: builder.PlanBuilder, view: ScalePlan, step: Any, recorded: int | None) -> int | None:
        new, decided = d.context.new, real(d, view, step, recorded)
        served = new is not None and new.status.available_replicas
        return decided if served or recorded is None or promoted(d.status) else 0

    yield route, "decide", decide


@mutant("without a router all old pods go at once, whatever maxUnavailable says")
def fence_ignored() -> Iterable[Place]:
    def at_once(replicas: int, target: tuple[int, int], *_: Any) -> tuple[int, int]:
        return target

    return [(scale_plan, "next_basic", at_once)]


@mutant("the smaller step shrinks the canary that the greater weight still needs")
def size_before_weight() -> Iterable[Place]:
    return [(ScalePlan, "routed", lambda view, index: view.targets(index))]


@mutant("old ReplicaSets are never deleted")
def history_grows() -> Iterable[Place]:
    return [(canary, "trim_history", lambda d: None), (blue_green, "trim_history", lambda d: None)]


@mutant("a settled Rollout writes its time into its status at every look")
def heartbeat_in_the_status() -> Iterable[Place]:
    real = planner.plan

    def plan(snapshot: Any) -> Any:
        decided = real(snapshot)
        return msgspec.structs.replace(decided, requeue_at=min(decided.requeue_at or 1e18, snapshot.now + 50), status={
            **(decided.status or {}), "message": f"checked at {snapshot.now:.0f}"})  # fmt: skip

    return [(planner, "plan", plan)]


@mutant("waits are not told")
def silent_waits() -> Iterable[Place]:
    def wait(self: builder.PlanBuilder, reason: str, message: str, *, until: float | None = None, **_: Any) -> None:
        if until is not None:
            self.requeue(until)
        self.waits.append(builder.Wait(reason, ""))

    return [(builder.PlanBuilder, "wait", wait)]


@mutant("the blue-green switch does not wait until all pods of the new version serve")
def switch_before_ready() -> Iterable[Place]:
    return [
        (Versions, "saturated", lambda self, builder, rs: rs is not None),
        (Versions, "ready", lambda self, builder: not builder.created(self.new)),
        *selector_to_nothing(),
    ]


@mutant("a cache that does not show the last write is believed, and names are made up: a ReplicaSet is made twice")
def stale_cache_trusted() -> Iterable[Place]:
    real = stages.ensure_new

    def ensure_new(d: builder.PlanBuilder, metadata: Any) -> Any:
        rs = real(d, metadata)
        for place, made in enumerate(d.actions):
            if (made.verb, made.kind) == ("create", "ReplicaSet"):
                name = f"{made.name}-{int(d.context.now * 1000) % 997}"
                d.actions[place] = msgspec.structs.replace(made, name=name, body={
                    **made.body, "metadata": {**made.body["metadata"], "name": name}})  # fmt: skip
        return rs

    return [(stages, "ensure_new", ensure_new), (writes.Writes, "unseen", believed)]
