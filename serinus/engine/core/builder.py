"""A plan under construction: actions in order, the new status, and the resulting sizes."""

from __future__ import annotations

import msgspec

from serinus.api.decoding.merge_patch import applied, difference
from serinus.api.messages.cutting import LONGEST_MESSAGE, shortened
from serinus.api.meta import Json
from serinus.api.names import DESIRED_REPLICAS
from serinus.api.rollout import RolloutStatus
from serinus.api.workloads import ReplicaSet
from serinus.engine.core.context import RolloutContext, revision_of
from serinus.engine.core.held_writes import find_held
from serinus.engine.core.plan import Action, Event, HeldWrite, Plan, PluginCall, Wait
from serinus.engine.core.wait_reasons import SET_ASIDE


def settled(value: object) -> Json:
    return msgspec.to_builtins(value)


def patched(status: RolloutStatus, patch: Json | None) -> RolloutStatus:
    """The status after a JSON merge patch (RFC 7396), as `difference` makes them."""
    return msgspec.convert(applied(settled(status), patch or {}), RolloutStatus)


class PlanBuilder:
    """Collects the decisions of one pass. `status` starts as a copy of the stored status."""

    def __init__(self, context: RolloutContext) -> None:
        self.context = context
        self.status = self.copy_of(context.rollout.status)
        # This pass makes a plan, so the condition of an earlier failure no longer holds.
        self.status.conditions = [c for c in self.status.conditions if c.type != SET_ASIDE.code]
        self.actions: list[Action] = []
        self.events: list[Event] = []
        self.waits: list[Wait] = []
        self.calls: list[PluginCall] = []
        self.facts: list[str] = []
        self.requeue_at: float | None = None
        self.held: list[HeldWrite] = []
        """Held writes that this pass leaves out."""
        self.abort_message = ""
        self.invalid = ""
        """A finding that affects only updates. The pass reports it and continues with everything else."""
        self.unconfirmed = ""
        """Why a router that can confirm the weight does not confirm it."""
        self.unreported = ""
        """Why a router does not confirm the weight, if the wait for it is over."""
        self.spare: dict[str, int] = {}
        """ReplicaSet → pods beyond its wanted size while its pods are being replaced (`restartAt`)."""
        self.serving: dict[str, int] = {}
        """ReplicaSet → pods that still serve after the evictions of this pass, while its pods are being replaced."""
        self.staying: dict[str, int] = {}
        """ReplicaSet → pods that serve and are not being evicted, while some of its pods are evicted."""
        self._held_back: list[Event] = []
        self._created: dict[str, int | None] = {}
        """ReplicaSet → index of its create action; None while the write is held."""
        self._sizes: dict[str, int] = {}
        self._touched: set[str] = set()
        """ReplicaSets with a planned write."""

    @staticmethod
    def copy_of(status: RolloutStatus) -> RolloutStatus:
        """A copy whose fields, and those of both strategies, a pass may set. It shares everything below them.

        So a pass replaces conditions, weights and entries of lists, and never changes one.
        """
        copy = msgspec.structs.replace
        return copy(
            status,
            conditions=list(status.conditions),
            pause_conditions=list(status.pause_conditions),
            canary=copy(status.canary),
            blue_green=copy(status.blue_green),
        )

    def ready_not_evicted(self, rs: ReplicaSet, count: int) -> int:
        """`count` (its observed ready or available pods) without evicted ones that a spare pod replaces."""
        return min(count, self.serving.get(rs.metadata.name, count)) if self.serving else count

    def available_not_evicted(self, rs: ReplicaSet, count: int) -> int:
        """`count` (its observed available pods) without any evicted ones. Services and sizes depend on this number.

        The ReplicaSet's status may still count pods that are gone: the pods themselves decide, if any are known.
        """
        staying = self.staying.get(rs.metadata.name)
        return min(count, self.context.ready_pods.get(rs.metadata.uid, count) if staying is None else staying)

    def evicts(self) -> bool:
        return any(action.verb == "evict" for action in self.actions)

    def act(self, action: Action) -> bool:
        """Plan a write. False if the write is held: the pass must not rely on its effects."""
        snapshot = self.context.snapshot
        held = find_held(action, snapshot.held, snapshot.now) if snapshot.held else None
        if held is None:
            self.actions.append(action)
            if action.kind == "ReplicaSet":
                self._touched.add(action.name)
            return True
        self.hold_write(held)
        return False

    def hold_write(self, held: HeldWrite) -> None:
        """Record that the pass leaves out this write. The status names it, and the pass requeues for a retry."""
        if held not in self.held:
            self.held.append(held)
            self.wait(held.code, held.message)
            self.requeue(held.until)

    def record_event(self, reason: str, message: str, *, warning: bool = False) -> None:
        self.events.append(Event(reason, message, "Warning" if warning else "Normal", len(self.actions)))

    def hold_events(self, start: int) -> None:
        """Keep the Events from index `start` until the weight that they mention is decided (`record_held_events`)."""
        self._held_back += self.events[start:]
        del self.events[start:]

    def record_held_events(self) -> None:
        if not self._held_back:
            return
        after = len(self.actions)
        self.events += [msgspec.structs.replace(event, after=after) for event in self._held_back]
        self._held_back = []

    def wait(
        self, reason: str, message: str, *, since: float | None = None, until: float | None = None, next_: str = ""
    ) -> None:
        self.add_wait(Wait(reason, message, since, until, next_))

    def add_wait(self, wait: Wait) -> None:
        if len(wait.message) > LONGEST_MESSAGE:
            wait = msgspec.structs.replace(wait, message=shortened(wait.message))
        self.waits.append(wait)
        if wait.until is not None:
            self.requeue(wait.until)

    def refuse(self, reason: str, event: Event, *others: Event) -> None:
        """Stop because of an external refusal: keep the stored status, and record only these Events."""
        self.status = self.copy_of(self.context.rollout.status)
        self.events, self._held_back = [*others, event], []
        self.wait(reason, event.message)

    def requeue(self, at: float) -> None:
        if self.requeue_at is None or at < self.requeue_at:
            self.requeue_at = at

    def create(self, rs: ReplicaSet, body: Json, because: str, events: tuple[Event, ...]) -> None:
        """Plan a ReplicaSet that does not exist yet; a later `scale` in the same pass becomes part of its creation."""
        name, place = rs.metadata.name, len(self.actions)
        self._sizes[name] = 0
        planned = self.act(Action("create", "ReplicaSet", name, because, body, events=events))
        self._created[name] = place if planned else None

    def created(self, rs: ReplicaSet | None) -> bool:
        return rs is not None and rs.metadata.name in self._created

    def missing(self, rs: ReplicaSet) -> bool:
        """Whether the ReplicaSet does not exist because its creation is held."""
        return self._created.get(rs.metadata.name, 0) is None

    def size(self, rs: ReplicaSet | None) -> int:
        """The ReplicaSet's size after the actions planned so far."""
        return self._sizes.get(rs.metadata.name, rs.spec.replicas) if rs else 0

    def is_size(self, rs: ReplicaSet, want: int) -> bool:
        """Whether the observed ReplicaSet has the wanted size. Spare pods do not count."""
        return rs.spec.replicas in (want, want + self.spare.get(rs.metadata.name, 0))

    def scale(
        self, rs: ReplicaSet, size: int, because: str, *, annotations: Json | None = None, settled: bool = True
    ) -> None:
        """Plan a size and the desired-replicas annotation; no action if both are right already.

        `settled`: whether this is the final size for these replicas. An intermediate size keeps the annotation.
        """
        if size > 0 and (spare := self.spare.get(rs.metadata.name)):
            size, because = size + spare, f"{because}; one more while its pods are restarted"
        name, before, desired = rs.metadata.name, self.size(rs), str(self.context.replicas)
        notes: Json = dict(annotations or {})
        if settled and rs.metadata.annotations.get(DESIRED_REPLICAS) != desired:
            notes[DESIRED_REPLICAS] = desired
        if (before == size and not notes) or self.missing(rs):
            return
        events: tuple[Event, ...] = ()
        if before != size:
            way = "up" if size > before else "down"
            events = (
                Event(
                    "ScalingReplicaSet",
                    f"Scaled {way} ReplicaSet {name} (revision {revision_of(rs)}) from {before} to {size}",
                ),
            )
        i = self._created.get(name)
        if i is not None:
            self._sizes[name] = size
            create = self.actions[i]
            events = tuple(msgspec.structs.replace(event, after=len(self.actions)) for event in events)
            body = {**create.body, "spec": {**create.body["spec"], "replicas": size}}
            self.actions[i] = msgspec.structs.replace(
                create, body=body, because=f"{create.because}; {because}", events=create.events + events
            )
            return
        patch: Json = {}
        if before != size:
            patch["spec"] = {"replicas": size}
        if notes:
            patch["metadata"] = {"annotations": notes}
        planned = self.act(
            Action(
                "patch",
                "ReplicaSet",
                name,
                because,
                patch,
                uid=rs.metadata.uid,
                resource_version=self.version(rs),
                events=events,
            )
        )
        if planned:
            self._sizes[name] = size

    def annotate(self, rs: ReplicaSet, notes: Json, because: str) -> None:
        if self.created(rs):
            return
        patch = {"metadata": {"annotations": notes}}
        self.act(
            Action(
                "patch",
                "ReplicaSet",
                rs.metadata.name,
                because,
                patch,
                uid=rs.metadata.uid,
                resource_version=self.version(rs),
            )
        )

    def version(self, rs: ReplicaSet) -> str:
        """The observed version is the precondition of a pass's first write to an object. Later writes have none."""
        return "" if rs.metadata.name in self._touched else rs.metadata.resource_version

    def finish(self, because: str = "") -> Plan:
        before = self.context.rollout.status
        patch = None if self.status == before else difference(settled(before), settled(self.status))
        return Plan(
            tuple(self.actions),
            patch or None,
            because,
            tuple(self.events),
            self.requeue_at,
            tuple(self.waits),
            tuple(self.calls),
            tuple(self.facts),
        )
