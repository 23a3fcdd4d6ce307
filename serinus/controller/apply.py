"""Executes a Plan: the actions in order, then the status, then the Events. The first failure ends the pass.

Actions that name each other in `beside` are sent at once.

A write that the API server refuses for good, or that another writer undoes each time, also ends the pass. It becomes a
held write: the next plan omits it and proceeds with the rest.

Each patch has the versions that the plan is based on as preconditions. If an object has changed since, the write fails
with a conflict and nothing is overwritten; the next plan starts from the new state. Repeating a plan is harmless: an
object that already exists, or is already gone, counts as done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import msgspec
from msgspec import structs

from serinus.api.meta import Json, ObjectMeta
from serinus.api.resources import BY_KIND, EXPERIMENTS, PODS, ROLLOUTS, Resource
from serinus.api.rollout import Rollout, RolloutStatus
from serinus.api.served_kind import located
from serinus.api.step_plugin import Answer, Question
from serinus.controller.action_groups import groups
from serinus.controller.existing_replica_sets import missing_label, of_somebody_else
from serinus.controller.expectations import Writes
from serinus.controller.field_managers import sentence
from serinus.controller.held_writes import HeldBack, HeldWrites
from serinus.controller.messages import Messages, Subject, as_written
from serinus.engine.core.builder import patched, settled
from serinus.engine.core.event_order import ordered
from serinus.engine.core.held_writes import find_held
from serinus.engine.core.plan import Action, Event, Plan, PluginCall
from serinus.engine.judging.step_plugins import answered
from serinus.kube.client import Client
from serinus.kube.clock import Clock
from serinus.kube.errors import AlreadyExists, ApiError, Conflict, Invalid, NotFound, Unavailable
from serinus.kube.informer import Key

Tell = Callable[[Subject, Event], None]
Note = Callable[[Subject, str, str], None]
"""(object, action, because): logs one decision."""
Ask = Callable[[Question], Awaitable[Answer]]


@dataclass(slots=True)
class Applier:
    client: Client
    clock: Clock
    writes: Writes
    tell: Tell
    note: Note
    ask: Ask | None = None
    """Calls a step plugin; it never raises. None if there are no plugins."""
    resource: Callable[[str], Resource | None] = BY_KIND.get
    """The resource for writing objects of a kind; None for a kind that the API server does not serve."""
    held: HeldWrites = field(default_factory=HeldWrites)
    """Writes that are not retried for a while."""
    messages: Messages | None = None

    async def apply(self, about: Subject, plan: Plan) -> int:
        """Returns the number of writes. Raises the ApiError of the first failed write, or HeldBack for a write that
        must not be tried now. The remaining actions are not executed."""
        done, written = Pass(self, about), False
        try:
            for group in groups(plan.actions):
                await (done.act_at_once(group) if len(group) > 1 else done.act(group[0][1], group[0][0]))
            if plan.status is not None:
                write = done.status_action(plan.status, plan.status_because)
                if self.messages is not None and not done.is_held(write):
                    await self._prepare(self.messages, done, plan)
                await done.act(write)
            written = True
        finally:
            events = ordered(plan, done.acted, status=written)
            for event in events:
                self.tell(about, event)
            if self.messages is not None:
                self.messages.happened(
                    lambda: as_written(about, plan, done.acted, status=written), events, complete=written
                )
        if plan.calls and isinstance(about, Rollout):
            status = patched(about.status, plan.status)
            for call in plan.calls:
                status = await self._call(done, call, status)
        return done.count

    async def _prepare(self, messages: Messages, done: Pass, plan: Plan) -> None:
        """Stores the messages of the Events before the status write. A refusal of that is ignored."""
        events = ordered(plan, done.acted, status=True)
        try:
            await messages.prepare(
                done.about, lambda: as_written(done.about, plan, done.acted, status=True), events, done.annotate
            )
        except ApiError as error:
            if not error.refused:
                raise

    async def tell_status(self, about: Subject, status: Json) -> None:
        """Writes a status that is not from a plan, onto the version in the cache. Raises the ApiError on failure."""
        done = Pass(self, about)
        await done.act(done.status_action(status, "it cannot be worked on"))

    async def _call(self, done: Pass, call: PluginCall, status: RolloutStatus) -> RolloutStatus:
        """Calls a plugin and writes its answer; returns the status with that answer."""
        rollout: Json = {"metadata": {"name": done.key[1], "namespace": done.key[0]}, "status": settled(status)}
        question = Question(
            call.operation, call.name, call.index, rollout, call.config, (call.known or {}).get("status")
        )
        self.note(done.about, f"call plugin {call.name} ({call.operation})", call.because)
        answer = await self.ask(question) if self.ask else Answer("Error", "step plugins cannot be called here")
        entries, event = answered(status, call, answer, self.clock.now())
        status_patch: Json = {"canary": {"stepPluginStatuses": entries}}
        await done.act(done.status_action(status_patch, f"plugin {call.name} said {answer.phase}"))
        if event:
            self.tell(done.about, event)
            if self.messages is not None:
                written = structs.replace(done.about, status=status)
                self.messages.happened(lambda: written, [event], complete=True)
        canary = structs.replace(status.canary, step_plugin_statuses=entries)
        return structs.replace(status, canary=canary)


class _Written(msgspec.Struct):
    """The needed fields of a written object. The rest of the answer is not decoded."""

    metadata: ObjectMeta


class Pass:
    """One plan being executed. It records the versions that its own writes made."""

    def __init__(self, applier: Applier, about: Subject) -> None:
        self.applier, self.about = applier, about
        metadata = about.metadata
        self.resource = ROLLOUTS if isinstance(about, Rollout) else EXPERIMENTS
        self.key: Key = (metadata.namespace, metadata.name)
        self.versions: dict[tuple[str, str], str] = {(self.resource.kind, metadata.name): metadata.resource_version}
        self.count = 0
        self.acted: list[int] = []
        """Indexes of the actions that changed an object."""

    def is_held(self, action: Action) -> bool:
        """Whether the write must not be tried now, or another writer may be undoing it."""
        held, now = self.applier.held, self.applier.clock.now()
        return bool(find_held(action, held.now(self.key, now), now)) or held.too_soon(self.key, action, now)

    async def act(self, action: Action, index: int | None = None) -> None:
        """`index`: the action's index in the plan."""
        held, now = self.applier.held, self.applier.clock.now()
        resource = self.applier.resource(action.kind)
        if resource is None:
            raise NotFound(404, "NotFound", f"the API server does not serve {action.kind}")
        if known := find_held(action, held.now(self.key, now), now):
            raise HeldBack(known)
        if held.too_soon(self.key, action, now):
            known = held.known(self.key, action)
            if message := known or await sentence(self.applier.client, resource, self.key[0], action):
                raise HeldBack(held.contested(self.key, action, message), known=bool(known))
            held.left_alone(self.key, action)
        verbs = {"create": self._create, "patch": self._patch, "delete": self._delete, "evict": self._evict}
        try:
            done = await verbs[action.verb](resource, action)
        except ApiError as error:
            if error.refused or (action.verb == "create" and isinstance(error, NotFound)):
                raise HeldBack(*held.refused(self.key, action, error, now)) from error
            if isinstance(error, Unavailable | Conflict):
                self._doubt(action.kind, action.name, error)
            raise
        if not done:
            return
        held.wrote(self.key, action, now)
        self.count += 1
        if index is not None:
            self.acted.append(index)
        what = "write status" if _is_status(action) else f"{action.verb} {action.kind} {action.name}"
        self.applier.note(self.about, what, action.because)

    async def act_at_once(self, group: list[tuple[int, Action]]) -> None:
        """All actions of a group; then the first failure is raised, if there is one."""
        ends = await asyncio.gather(*(self.act(action, index) for index, action in group), return_exceptions=True)
        self.acted.sort()
        for end in ends:
            if isinstance(end, BaseException):
                raise end

    async def annotate(self, annotations: Json, uid: str) -> ObjectMeta:
        """Writes annotations of the object itself, onto the version that the plan is based on. Returns its metadata."""
        kind, name = self.resource.kind, self.key[1]
        body: Json = {"metadata": {"uid": uid, "annotations": annotations}}
        if version := self.versions.get((kind, name)):
            body["metadata"]["resourceVersion"] = version
        try:
            written = await self.applier.client.patch(self.resource, name, body, self.key[0], type=_Written)
        except (Unavailable, Conflict) as error:
            self._doubt(kind, name, error)
            raise
        self.versions[kind, name] = written.metadata.resource_version
        self.applier.writes.wrote(self.key, kind, name, written, self.applier.clock.now())
        return written.metadata

    async def _create(self, resource: Resource, action: Action) -> bool:
        space, name = located(action.name, self.key[0])
        body: Json = {"apiVersion": resource.api_version, "kind": resource.kind, **action.body}
        body["metadata"] = {"name": name, "namespace": space, **(action.body.get("metadata") or {})}
        try:
            created = await self.applier.client.create(resource, body, space, type=_Written)
        except AlreadyExists:
            # An earlier pass with a lost answer, or another client, created it: the next plan sees which.
            existing = await self.applier.client.get(resource, name, space, type=_Written)
            if action.kind == "ReplicaSet" and of_somebody_else(existing.metadata, self.about.metadata.uid):
                await self._step_aside(action.name)
            self._wrote(action, existing)
            if action.kind == "ReplicaSet" and (label := missing_label(existing.metadata, action)):
                await self.act(label)
            return False
        self._wrote(action, created)
        return True

    async def _step_aside(self, name: str) -> None:
        """Another owner has the ReplicaSet of this name. A higher collision count gives the template another hash."""
        if not isinstance(self.about, Rollout):
            raise Invalid(422, "Invalid", f"ReplicaSet {name} belongs to somebody else")
        count = (self.about.status.collision_count or 0) + 1
        await self.act(self.status_action({"collisionCount": count}, f"ReplicaSet {name} belongs to somebody else"))
        raise Conflict(409, "Conflict", f"ReplicaSet {name} belongs to somebody else: another name is tried")

    async def _patch(self, resource: Resource, action: Action) -> bool:
        held = dict(action.body.get("metadata") or {})
        if action.uid:
            held["uid"] = action.uid
        version = action.resource_version
        if version or (action.kind, action.name) in self.versions:
            version = self.versions.get((action.kind, action.name), version)
        if version:
            held["resourceVersion"] = version
        body = {**action.body, "metadata": held} if held else action.body
        space, name = located(action.name, self.key[0])
        try:
            patched = await self.applier.client.patch(
                resource, name, body, space, type=_Written, subresource=action.subresource
            )
        except NotFound:
            if action.kind == "Pod":
                return False
            raise
        self._wrote(action, patched)
        return True

    async def _delete(self, resource: Resource, action: Action) -> bool:
        version = (
            self.versions.get((action.kind, action.name), action.resource_version) if action.resource_version else ""
        )
        space, name = located(action.name, self.key[0])
        try:
            await self.applier.client.delete(resource, name, space, uid=action.uid, resource_version=version)
        except NotFound:
            return False
        finally:
            self.versions.pop((action.kind, action.name), None)
        if action.uid:
            self.applier.writes.deleted(self.key, action.kind, action.name, action.uid, self.applier.clock.now())
        return True

    async def _evict(self, resource: Resource, action: Action) -> bool:
        body: Json = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": action.name, "namespace": self.key[0]},
        }
        if action.uid:
            body["deleteOptions"] = {"preconditions": {"uid": action.uid}}
        try:
            await self.applier.client.create(PODS, body, self.key[0], name=action.name, subresource="eviction")
        except NotFound:
            return False
        except Unavailable as error:
            if error.code == 429:
                return False  # a disruption budget blocks it for now; the plan requeues
            raise
        if action.uid:
            self.applier.writes.deleted(self.key, "Pod", action.name, action.uid, self.applier.clock.now())
        return True

    def status_action(self, status: Json, because: str) -> Action:
        """The write of the status. It can be held like any other write."""
        below = "status" if self.resource is ROLLOUTS else ""  # an Experiment's status has no subresource
        kind, name, uid = self.resource.kind, self.key[1], self.about.metadata.uid
        return Action("patch", kind, name, because, {"status": status}, subresource=below, uid=uid)

    def _doubt(self, kind: str, name: str, error: ApiError) -> None:
        """Requires a read of the API: the write may be done without an answer, or the cache is proven stale."""
        if error.code != 429:
            self.applier.writes.doubted(self.key, kind, name)

    def _wrote(self, action: Action, written: _Written) -> None:
        self.versions[action.kind, action.name] = written.metadata.resource_version
        self.applier.writes.wrote(self.key, action.kind, action.name, written, self.applier.clock.now())


def _is_status(action: Action) -> bool:
    return action.verb == "patch" and set(action.body) == {"status"}
