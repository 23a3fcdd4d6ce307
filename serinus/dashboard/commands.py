"""Changes that a page or a client requests, made with the user's own rights.

A request names the version (and the step) on the user's screen, and is refused if the Rollout has moved on. The patch
carries the resource version that was checked, so no write can come between check and patch. Changes do the same as the
command line; section 1 of its specification is the source.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from serinus.api.resources import EVENTS, REPLICA_SETS, ROLLOUTS
from serinus.api.values.times import format_time
from serinus.commands.actions import WithoutEffect, action_patches
from serinus.commands.decision import Json, Patches, Refusal, TemplateChange
from serinus.commands.event_reasons import EVENT_REASONS
from serinus.commands.holder import Holder, template_holder
from serinus.commands.image import NoContainer, image_holder, set_image
from serinus.commands.rollback import earlier, selector_text, undo
from serinus.kube.change_event import RETRY_SECONDS, change_event
from serinus.kube.client import Client
from serinus.kube.clock import Clock
from serinus.kube.errors import ApiError, Conflict, NotFound, Unavailable
from serinus.kube.transport import JSON_PATCH, MERGE_PATCH

TRIES = 5
"""Attempts when a write of the controller causes a Conflict."""

ACTIONS = ("promote", "promote-full", "abort", "retry", "restart", "pause")

AGENT = "serinus-dashboard"
"""Component of the dashboard's Events, and manager in managedFields."""


class Refused(Exception):
    """The change does not apply now; a sentence for the user."""


class NothingToDo(Refused):
    """The requested state already holds. `rollout`: its current state."""

    def __init__(self, message: str, rollout: Json) -> None:
        super().__init__(message)
        self.rollout = rollout


class MovedOn(Refused):
    """The Rollout differs from the one on the user's screen."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The state on the user's screen; None where the client does not send it."""

    version: str | None = None
    """status.currentPodHash"""
    step: int | None = None
    paused: bool | None = None
    """Whether the Rollout was paused."""


def shown_state(rollout: Json) -> Json:
    """The state that a page sends back with a change."""
    status: Json = rollout.get("status") or {}
    return {
        "version": str(status.get("currentPodHash") or ""),
        "step": int(status.get("currentStepIndex") or 0),
        "paused": bool(status.get("pauseConditions")),
    }


class Changes:
    """`author`: named in Events instead of the user of this machine. `events`: writes them, if not `client`."""

    def __init__(self, client: Client, clock: Clock, *, author: str = "", events: Client | None = None) -> None:
        self._client, self._clock = client, clock
        self._author, self._events = author, events or client

    async def act(self, namespace: str, name: str, action: str, was: Seen) -> Json:
        """Performs one of ACTIONS and returns the Rollout afterwards. Raises ApiError and Refused."""

        async def change(rollout: Json) -> Json:
            # A promotion must match the step on the screen; other changes must match the version.
            _still(rollout, was, step=action == "promote")
            patches = action_patches(action, rollout, restart_at=format_time(self._clock.now()))
            return await self._patched(namespace, rollout, patches)

        return await self._changed(namespace, name, action, change)

    async def set_image(self, namespace: str, name: str, container: str, image: str, was: Seen) -> Json:
        """Sets the image of each container with this name, in the Rollout or the Deployment that it references."""
        if not container or not image or any(c.isspace() for c in image):
            raise Refused(f"{image!r} is no image: write NAME:TAG, such as web:2")

        async def change(rollout: Json) -> Json:
            _still(rollout, was)
            holder = image_holder(rollout)
            obj = await self._held(holder, rollout, namespace)
            return await self._replaced(namespace, name, set_image(holder, obj, container, image))

        return await self._changed(namespace, name, "set-image", change)

    async def undo(self, namespace: str, name: str, revision: int, was: Seen) -> Json:
        """Makes the pod template of a revision (0: the previous one) the current one."""

        async def change(rollout: Json) -> Json:
            _still(rollout, was)
            selector: Json = (rollout.get("spec") or {}).get("selector") or {}
            replica_sets = await self._client.list(REPLICA_SETS, namespace, labels=selector_text(selector))
            target = earlier(rollout, replica_sets.items, revision)
            holder = template_holder(rollout)
            obj = await self._held(holder, rollout, namespace)
            return await self._replaced(namespace, name, undo(holder, obj, target, revision))

        return await self._changed(namespace, name, "undo", change)

    async def _changed(
        self, namespace: str, name: str, command: str, change: Callable[[Json], Awaitable[Json]]
    ) -> Json:
        """Read the Rollout and change it, again after a Conflict, and record the Event. Returns the changed Rollout."""
        for attempt in range(1, TRIES + 1):
            rollout = await self._client.get(ROLLOUTS, name, namespace)
            try:
                return await self._told(EVENT_REASONS[command], await change(rollout))
            except Refusal as refusal:
                raise _refused(refusal, rollout) from None
            except Conflict:
                if attempt == TRIES:
                    raise
        raise AssertionError("the last attempt returns or raises")

    async def _told(self, reason: str, rollout: Json) -> Json:
        """Records the change in an Event, if the user may write Events. The change holds without it."""
        namespace = str(rollout["metadata"].get("namespace") or "")
        event = change_event(ROLLOUTS, rollout, reason, self._clock.now(), component=AGENT, author=self._author)
        for pause in (*RETRY_SECONDS, None):
            try:
                await self._events.create(EVENTS, event, namespace)
            except Unavailable:
                if pause is not None:
                    await asyncio.sleep(pause)
            except ApiError:
                break
            else:
                break
        return rollout

    async def _patched(self, namespace: str, rollout: Json, patches: Patches) -> Json:
        name = str(rollout["metadata"]["name"])
        if patches.status is not None:
            rollout = await self._patch_status(namespace, name, _at(rollout, patches.status))
        if patches.spec is not None:
            # The second write belongs to the first; a check in between would promote a second time.
            patch = patches.spec if patches.status is not None else _at(rollout, patches.spec)
            rollout = await self._client.patch(ROLLOUTS, name, patch, namespace)
        return rollout

    async def _patch_status(self, namespace: str, name: str, patch: Json) -> Json:
        try:
            return await self._client.patch(
                ROLLOUTS, name, patch, namespace, content_type=MERGE_PATCH, subresource="status"
            )
        except NotFound:  # old definitions have no status subresource
            return await self._client.patch(ROLLOUTS, name, patch, namespace)

    async def _held(self, holder: Holder, rollout: Json, namespace: str) -> Json:
        return rollout if holder.is_rollout else await self._client.get(holder.resource, holder.name, namespace)

    async def _replaced(self, namespace: str, name: str, changed: TemplateChange) -> Json:
        """Send the change of the template. Returns the Rollout afterwards."""
        patch = [_version(changed.obj), *changed.patch]
        await self._client.patch(changed.resource, changed.name, patch, namespace, content_type=JSON_PATCH)
        return await self._client.get(ROLLOUTS, name, namespace)


def _refused(refusal: Refusal, rollout: Json) -> Refused:
    """The refusal as one sentence for the page."""
    if isinstance(refusal, WithoutEffect):
        hint = f" {refusal.hint}" if refusal.hint else ""
        message = f"{rollout['metadata']['name']} was not changed: {refusal.sentence}.{hint}"
        return NothingToDo(message, rollout) if refusal.holds else Refused(message)
    if isinstance(refusal, NoContainer) and refusal.known:
        return Refused(f"{refusal.sentence}: there are {', '.join(refusal.known)}")
    return Refused(refusal.sentence)


def _still(rollout: Json, was: Seen, *, step: bool = False) -> None:
    """Raises MovedOn if the Rollout differs from the state on the screen."""
    now, name = shown_state(rollout), rollout["metadata"]["name"]
    if was.version is not None and was.version != now["version"]:
        raise MovedOn(f"{name} has another version now than the one you saw. Nothing was changed: look again.")
    if step and was.step is not None and was.step != now["step"]:
        raise MovedOn(f"{name} is in step {now['step'] + 1} by now. Nothing was changed: look again.")
    if step and was.paused is not None and was.paused != now["paused"]:
        was_in = "its pause is over" if was.paused else "it is in a pause now"
        raise MovedOn(f"{name} went on: {was_in}. Nothing was changed: look again.")


def _at(rollout: Json, patch: Json) -> Json:
    """The patch with the object's resource version; it fails if the object has changed since it was read."""
    return {**patch, "metadata": {"resourceVersion": rollout["metadata"]["resourceVersion"]}}


def _version(obj: Json) -> Json:
    """As in `_at`: a patch with a different resource version is a Conflict."""
    return {"op": "replace", "path": "/metadata/resourceVersion", "value": obj["metadata"]["resourceVersion"]}
