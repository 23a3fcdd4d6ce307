"""Changes that a page or a client requests, made with the user's own rights.

A request names the version (and the step) on the user's screen, and is refused if the Rollout has moved on. The patch
carries the resource version that was checked, so no write can come between check and patch. Changes do the same as the
command line; section 1 of its specification is the source.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from serinus.api.resources import DEPLOYMENTS, EVENTS, POD_TEMPLATES, REPLICA_SETS, ROLLOUTS, Resource
from serinus.api.values.times import format_time
from serinus.commands.effects import no_effect
from serinus.commands.promotion import promotion_patches
from serinus.commands.rollback import NoRevision, choose, derives, revisions, selector_text, without_hash
from serinus.kube.change_event import RETRY_SECONDS, change_event
from serinus.kube.client import Client
from serinus.kube.clock import Clock
from serinus.kube.errors import ApiError, Conflict, NotFound, Unavailable
from serinus.kube.transport import JSON_PATCH, MERGE_PATCH

Json = dict[str, Any]

TRIES = 5
"""Attempts when a write of the controller causes a Conflict."""

_WORKLOADS = {"Deployment": DEPLOYMENTS, "ReplicaSet": REPLICA_SETS, "PodTemplate": POD_TEMPLATES}

_REASONS = {
    "promote": "Promote",
    "promote-full": "PromoteFull",
    "abort": "Abort",
    "retry": "Retry",
    "restart": "Restart",
    "pause": "Pause",
}
"""Reason of the action's Event; the commands use the same."""

ACTIONS = tuple(_REASONS)

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


def seen(rollout: Json) -> Json:
    """The state that a page sends back with a change."""
    status: Json = rollout.get("status") or {}
    return {
        "version": str(status.get("currentPodHash") or ""),
        "step": int(status.get("currentStepIndex") or 0),
        "paused": bool(status.get("pauseConditions")),
    }


class Changes:
    def __init__(self, client: Client, clock: Clock) -> None:
        self._client, self._clock = client, clock

    async def act(self, namespace: str, name: str, action: str, was: Seen) -> Json:
        """Performs one of ACTIONS and returns the Rollout afterwards. Raises ApiError and Refused."""

        def patches(rollout: Json) -> tuple[Json | None, Json | None]:
            # A promotion must match the step on the screen; other changes must match the version.
            _still(rollout, was, step=action == "promote")
            found = no_effect(action, rollout)
            if found is not None:
                message = f"{name} was not changed: {found.why}." + (f" {found.hint}" if found.hint else "")
                raise NothingToDo(message, rollout) if found.holds else Refused(message)
            if action in ("promote", "promote-full"):
                return promotion_patches(rollout, full=action == "promote-full")
            if action in ("abort", "retry"):
                return {"status": {"abort": action == "abort"}}, None
            if action == "pause":
                return None, {"spec": {"paused": True}}
            return None, {"spec": {"restartAt": format_time(self._clock.now())}}

        return await self._told(_REASONS[action], await self._patched(namespace, name, patches))

    async def set_image(self, namespace: str, name: str, container: str, image: str, was: Seen) -> Json:
        """Sets the image of each container with this name, in the Rollout or the Deployment that it references."""
        if not container or not image or any(c.isspace() for c in image):
            raise Refused(f"{image!r} is no image: write NAME:TAG, such as web:2")
        for attempt in range(1, TRIES + 1):
            rollout = await self._client.get(ROLLOUTS, name, namespace)
            _still(rollout, was)
            reference: Json = (rollout.get("spec") or {}).get("workloadRef") or {}
            resource, target = (DEPLOYMENTS, str(reference.get("name"))) if reference else (ROLLOUTS, name)
            obj = await self._client.get(resource, target, namespace) if reference else rollout
            try:
                await self._json_patch(resource, target, namespace, [_version(obj), *_images(obj, container, image)])
            except Conflict:
                if attempt == TRIES:
                    raise
                continue
            return await self._told("SetImage", await self._client.get(ROLLOUTS, name, namespace))
        raise AssertionError("the last attempt returns or raises")

    async def undo(self, namespace: str, name: str, revision: int, was: Seen) -> Json:
        """Makes the pod template of a revision (0: the previous one) the current one."""
        for attempt in range(1, TRIES + 1):
            rollout = await self._client.get(ROLLOUTS, name, namespace)
            _still(rollout, was)
            spec: Json = rollout.get("spec") or {}
            found = await self._client.list(REPLICA_SETS, namespace, labels=selector_text(spec.get("selector") or {}))
            history = revisions(rollout, found.items)
            try:
                wanted = history[choose(history, revision, name)]
            except NoRevision as error:
                raise Refused(error.message) from None
            resource, obj, path = await self._template(rollout)
            current: Json = (obj if path == "/template" else obj.get("spec") or {}).get("template") or {}
            if derives(without_hash(current), wanted):
                raise Refused(f"The current template is that of revision {revision} already.")
            patch = [_version(obj), {"op": "replace", "path": path, "value": wanted}]
            try:
                await self._json_patch(resource, obj["metadata"]["name"], namespace, patch)
            except Conflict:
                if attempt == TRIES:
                    raise
                continue
            return await self._told("Undo", await self._client.get(ROLLOUTS, name, namespace))
        raise AssertionError("the last attempt returns or raises")

    async def _told(self, reason: str, rollout: Json) -> Json:
        """Records the change in an Event, if the user may write Events. The change holds without it."""
        namespace = str(rollout["metadata"].get("namespace") or "")
        event = change_event(ROLLOUTS, rollout, reason, self._clock.now(), component=AGENT)
        for pause in (*RETRY_SECONDS, None):
            try:
                await self._client.create(EVENTS, event, namespace)
            except Unavailable:
                if pause is not None:
                    await asyncio.sleep(pause)
            except ApiError:
                break
            else:
                break
        return rollout

    async def _patched(
        self, namespace: str, name: str, patches: Callable[[Json], tuple[Json | None, Json | None]]
    ) -> Json:
        for attempt in range(1, TRIES + 1):
            rollout = await self._client.get(ROLLOUTS, name, namespace)
            status, spec = patches(rollout)
            try:
                if status is not None:
                    rollout = await self._patch_status(namespace, name, _at(rollout, status))
                if spec is not None:
                    # The second write belongs to the first; a check in between would promote a second time.
                    patch = spec if status is not None else _at(rollout, spec)
                    rollout = await self._client.patch(ROLLOUTS, name, patch, namespace)
            except Conflict:
                if attempt == TRIES:
                    raise
                continue
            return rollout
        raise AssertionError("the last attempt returns or raises")

    async def _patch_status(self, namespace: str, name: str, patch: Json) -> Json:
        try:
            return await self._client.patch(
                ROLLOUTS, name, patch, namespace, content_type=MERGE_PATCH, subresource="status"
            )
        except NotFound:  # old definitions have no status subresource
            return await self._client.patch(ROLLOUTS, name, patch, namespace)

    async def _json_patch(self, resource: Resource, name: str, namespace: str, patch: list[Json]) -> None:
        await self._client.patch(resource, name, patch, namespace, content_type=JSON_PATCH)

    async def _template(self, rollout: Json) -> tuple[Resource, Json, str]:
        """The pod template's location: (resource, object, path in it)."""
        reference: Json = (rollout.get("spec") or {}).get("workloadRef") or {}
        if not reference:
            return ROLLOUTS, rollout, "/spec/template"
        kind, namespace = str(reference.get("kind")), str(rollout["metadata"].get("namespace") or "")
        if kind not in _WORKLOADS:
            raise Refused(f"workload of type {kind} is not supported")
        obj = await self._client.get(_WORKLOADS[kind], str(reference.get("name")), namespace)
        return _WORKLOADS[kind], obj, "/template" if kind == "PodTemplate" else "/spec/template"


def _still(rollout: Json, was: Seen, *, step: bool = False) -> None:
    """Raises MovedOn if the Rollout differs from the state on the screen."""
    now, name = seen(rollout), rollout["metadata"]["name"]
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


def _images(obj: Json, container: str, image: str) -> list[Json]:
    pod: Json = ((obj.get("spec") or {}).get("template") or {}).get("spec") or {}
    fields = ("initContainers", "containers", "ephemeralContainers")
    places = [(field, i, c) for field in fields for i, c in enumerate(pod.get(field) or [])]
    chosen = [(field, i) for field, i, c in places if container in ("*", c.get("name"))]
    if not chosen:
        names = ", ".join(str(c.get("name")) for _, _, c in places)
        raise Refused(f'unable to find container named "{container}"' + (f": there are {names}" if names else ""))
    return [{"op": "add", "path": f"/spec/template/spec/{field}/{i}/image", "value": image} for field, i in chosen]
