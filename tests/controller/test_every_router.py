"""The whole controller with the sample of each router's page, and objects that are in a bad state.

The condition names the object and the remedy, the update continues when it is mended, and objects of others stay byte for
byte. A new router is in the table with its page. `tests/routing/test_bad_objects.py` has content of every shape.
"""

from __future__ import annotations

import asyncio
import copy
import json
import tempfile
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Any

import pytest

from serinus.api.resources import BY_KIND, CRDS, INGRESSES, NAMESPACES, ROLLOUTS, SERVICES, Resource
from serinus.api.served_kind import ServedKind
from serinus.kube.errors import NotFound
from serinus.kube.transport import Handler, Request, Response
from serinus.routing import registry
from tests.support.long import crossed
from tests.support.plays.player import in_virtual_time
from tests.support.plays.stage import Stage
from tests.support.routing.plain import rollout
from tests.support.routing.samples import SAMPLES, every_definition, parts, release, routers

Json = dict[str, Any]
SPACE = "the-table"
MINUTE, MOMENT = 60, 15
"""Seconds: until a state is in the status, or over; in which an undisturbed controller would write."""


class There:
    """A namespace with the sample's Services and a stranger's objects; `stage.client` is the user's."""

    def __init__(self, page: str, directory: str) -> None:
        self.stage = Stage(Path(directory))
        self.objects, self.canary = parts(SAMPLES[page])
        self.canary["steps"] = [{"setWeight": 20}, {"pause": {}}]
        (used,) = routers(self.canary)
        self.router = used.router
        if self.router.key == "smi":
            self.canary["trafficRouting"]["smi"] |= {"trafficSplitName": "web"}
        named = {ref.kind for ref in registry.references(rollout(self.canary["trafficRouting"]))}
        self.kinds = [kind for kind in used.router.kinds if isinstance(kind, ServedKind) and kind.key in named]
        plurals = {kind.plural for kind in self.kinds} or {INGRESSES.plural}
        self.refused: Callable[[Request], bool] = lambda request: False
        self.plurals: Collection[str] = plurals
        self.strange: list[Json] = []
        """A stranger's objects as the API server had them first."""
        self.stage.through = self._through

    def _through(self, handler: Handler) -> Handler:
        async def asked(request: Request) -> Response:
            if not self.refused(request):
                return await handler(request)
            text = f'User "serinus" cannot {request.method} this'
            status: Json = {"kind": "Status", "reason": "Forbidden", "code": 403, "message": text}
            return Response(403, json.dumps(status).encode())

        return asked

    def is_of_router(self, request: Request) -> bool:
        return any(part.partition("?")[0] in self.plurals for part in request.path.split("/"))

    async def begin(self, *, definitions: bool = True, without: Collection[int] = ()) -> None:
        own = {kind.group_resource for kind in self.kinds}
        for each in every_definition():
            if definitions or each["metadata"]["name"] not in own:
                await self.stage.client.create(CRDS, each)
        await self.stage.client.create(NAMESPACES, {"metadata": {"name": SPACE}})
        names = [self.canary.get(key, "web") for key in ("canaryService", "stableService")]
        for name in sorted({*names, "web", "api", "api-canary"}):
            spec = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
            await self.stage.client.create(SERVICES, {"metadata": {"name": name}, "spec": spec}, SPACE)
        if definitions:
            await self.apply(*(each for number, each in enumerate(self.objects) if number not in without))

    async def apply(self, *objects: Json) -> None:
        """Creates each object, and a stranger's beside it of the same content; replaces one that is there."""
        for each in objects:
            stranger = copy.deepcopy(each)
            stranger["metadata"]["name"] = f"strange-{each['metadata']['name']}"
            for obj in (each, stranger):
                resource, name = _resource(obj), obj["metadata"]["name"]
                try:
                    seen: Json = await self.stage.client.get(resource, name, SPACE)
                except NotFound:
                    await self.stage.client.create(resource, copy.deepcopy(obj), SPACE)
                    if obj is stranger:
                        self.strange.append(await self.stage.client.get(resource, name, SPACE))
                    continue
                if obj is each:
                    await self.stage.client.patch(resource, name, {"spec": obj["spec"], **_notes(seen, obj)}, SPACE)

    async def release(self, image: str, name: str = "web", **services: str) -> None:
        body = release(image, {**self.canary, **services}, name)
        try:
            await self.stage.client.patch(ROLLOUTS, name, body, SPACE)
        except NotFound:
            await self.stage.client.create(ROLLOUTS, body, SPACE)

    async def content(self, *, whole: bool = False) -> dict[str, Json]:
        """The sample's objects, and those of the router's kinds that Serinus made. `whole`: with all metadata."""
        found: dict[str, Json] = {}
        resources = [kind.resource(kind.versions[0]) for kind in self.kinds] or [INGRESSES]
        for resource in resources:
            for each in (await self.stage.client.list(resource, SPACE, type=dict)).items:
                each = {key: value for key, value in each.items() if key != "status"}
                if not whole:
                    kept = ("name", "annotations", "labels")
                    each["metadata"] = {key: each["metadata"].get(key) or {} for key in kept}
                found[f"{resource.plural} {each['metadata']['name']}"] = each
        return found

    async def strangers(self) -> list[Json]:
        """A stranger's objects as they are now."""
        found = [(_resource(each), each["metadata"]["name"]) for each in self.strange]
        return [await self.stage.client.get(resource, name, SPACE) for resource, name in found]

    async def until(self, holds: Callable[[Json], bool], name: str = "web") -> Json:
        status: Json = {}
        for _ in range(MINUTE * 2):
            status = (await self.stage.client.get(ROLLOUTS, name, SPACE)).get("status") or {}
            if holds(status):
                return status
            await asyncio.sleep(0.5)
        raise AssertionError(f"not within {MINUTE} s: {status}")

    async def until_same(self, wanted: dict[str, Json]) -> None:
        found: dict[str, Json] = {}
        for _ in range(MINUTE * 2):
            found = await self.content()
            if found == wanted:
                return
            await asyncio.sleep(0.5)
        assert found == wanted

    async def at_20(self) -> dict[str, Json]:
        """A canary with weight 20 in its pause, and the objects as they are then."""
        await self.begin()
        await self.release("blue")
        await self.until(healthy)
        await self.release("green")
        await self.until(lambda status: weight(status) == 20)
        await asyncio.sleep(MOMENT)
        return await self.content()


def _resource(obj: Json) -> Resource:
    group, _, version = str(obj["apiVersion"]).rpartition("/")
    kind = registry.kinds().get(f"{obj['kind']}.{group}")
    return kind.resource(version) if kind is not None else BY_KIND[obj["kind"]]


def _notes(seen: Json, obj: Json) -> Json:
    """The part of a patch that makes the annotations those of the object."""
    wanted: Json = obj["metadata"].get("annotations") or {}
    gone = dict.fromkeys(set(seen["metadata"].get("annotations") or {}) - set(wanted))
    return {"metadata": {"annotations": {**gone, **wanted}}}


def said(status: Json) -> str:
    """What the conditions say about the bad state, and the message of the status."""
    kinds = ("InvalidSpec", "WriteRefused", "FieldConflict")
    return " ".join(c["message"] for c in status.get("conditions") or [] if c["type"] in kinds)


def says(*words: str) -> Callable[[Json], bool]:
    return lambda status: all(word in said(status) for word in words)


def healthy(status: Json) -> bool:
    return status.get("phase") == "Healthy" and not said(status)


def weight(status: Json) -> Any:
    return ((status.get("canary") or {}).get("weights") or {}).get("canary", {}).get("weight")


async def missing(there: There) -> None:
    await there.begin(without=[0])
    await there.release("blue")
    await there.until(says(there.objects[0]["metadata"]["name"], "not found"))
    await there.apply(there.objects[0])
    await there.until(healthy)


async def deleted_in_mid_canary(there: There) -> None:
    wanted = await there.at_20()
    lost = there.objects[0]
    await there.stage.client.delete(_resource(lost), lost["metadata"]["name"], SPACE)
    if there.router.key == "ambassador":
        await asyncio.sleep(MOMENT)  # the canary Mapping goes on without the one that it was copied from
    else:
        await there.until(says(lost["metadata"]["name"], "not found"))
    await there.apply(lost)
    await there.until_same(wanted)
    await there.until(lambda status: not said(status))


async def changed_by_hand(there: There) -> None:
    wanted = await there.at_20()
    await there.apply(*there.objects)
    await there.until_same(wanted)


async def definition_absent(there: There) -> None:
    await there.begin(definitions=False)
    await there.release("blue")
    await there.until(says("the API server does not serve", "install the definition of"))
    for each in every_definition():
        if each["metadata"]["name"] in {kind.group_resource for kind in there.kinds}:
            await there.stage.client.create(CRDS, each)
    await there.apply(*there.objects)
    await there.until(healthy)


async def definition_of_another_version(there: There) -> None:
    await there.begin(definitions=False)
    known: dict[str, list[Json]] = {}
    for each in every_definition():
        name, spec = each["metadata"]["name"], each["spec"]
        if name in {kind.group_resource for kind in there.kinds}:
            known[name] = [{**version, "storage": False} for version in spec["versions"]]
            other = {**spec["versions"][0], "name": "v99", "storage": True}
            await there.stage.client.create(CRDS, {**each, "spec": {**spec, "versions": [other]}})
    await there.release("blue")
    kind = there.kinds[0]
    await there.until(says("only in v99", f"Serinus needs {kind.versions[0]}", "install a definition of"))
    for name, versions in known.items():
        both = [*versions, {**versions[0], "name": "v99", "storage": True}]
        await there.stage.client.patch(CRDS, name, {"spec": {"versions": both}})
    await there.apply(*there.objects)
    await there.until(healthy)


async def definition_deleted_in_mid_canary(there: There) -> None:
    """The API server deletes the objects with it, and serves the kind no more."""
    wanted = await there.at_20()
    lost = [each for each in every_definition() if each["metadata"]["name"] in {k.group_resource for k in there.kinds}]
    for each in lost:
        await there.stage.client.delete(CRDS, each["metadata"]["name"])
    await there.until(says("the API server does not serve", "install the definition of"))
    for each in lost:
        await there.stage.client.create(CRDS, each)
    there.strange.clear()
    await there.apply(*there.objects)
    await there.until_same(wanted)
    await there.until(lambda status: not said(status))


async def reads_refused(there: There) -> None:
    there.refused = lambda request: request.method == "GET" and there.is_of_router(request)
    await there.begin()
    await there.release("blue")
    await there.until(says("the controller may not read", "grant it the rights that `serinus install` prints"))
    there.refused = lambda request: False
    await there.until(healthy)


async def writes_refused(there: There) -> None:
    await there.begin()
    await there.release("blue")
    await there.until(healthy)
    before = await there.content(whole=True)
    there.refused = lambda request: request.method != "GET" and there.is_of_router(request)
    await there.release("green")
    status = await there.until(says("cannot ", 'User "serinus" cannot'))
    assert any(key.partition(" ")[2] in said(status) for key in before) or not there.objects
    assert weight(status) == 0
    await asyncio.sleep(MOMENT)
    assert await there.content(whole=True) == before
    there.refused = lambda request: False
    await there.until(lambda status: weight(status) == 20)


async def owned_by_another(there: There) -> None:
    await there.at_20()
    before = await there.content(whole=True)
    await there.release("blue", "api")
    await there.until(says("managed by", " web"), "api")
    await asyncio.sleep(MOMENT)
    assert await there.content(whole=True) == before
    await there.stage.client.delete(ROLLOUTS, "web", SPACE)
    await there.until(healthy, "api")


async def named_by_another(there: There) -> None:
    """By a Rollout with Services of its own."""
    await there.at_20()
    before = await there.content(whole=True)
    own = {key: name for key, name in OWN.items() if key in there.canary}
    await there.release("blue", "api", **own)
    # Istio and App Mesh know the owner of the object, others that the object does not lead to these Services.
    name = there.objects[0]["metadata"]["name"] if there.objects else "web"
    await there.until(lambda status: name in said(status), "api")
    if there.router.marked_kind in there.kinds or not there.objects:
        await there.until(says("Rollout web"), "api")
    await asyncio.sleep(MOMENT)
    assert await there.content(whole=True) == before


OWN = {"canaryService": "api-canary", "stableService": "api"}
STATES: dict[str, Callable[[There], Awaitable[None]]] = {
    state.__name__: state
    for state in (
        missing,
        deleted_in_mid_canary,
        changed_by_hand,
        definition_absent,
        definition_of_another_version,
        definition_deleted_in_mid_canary,
        reads_refused,
        writes_refused,
        owned_by_another,
        named_by_another,
    )
}
OF_OBJECTS = ("missing", "deleted_in_mid_canary", "changed_by_hand")
OF_DEFINITIONS = ("definition_absent", "definition_of_another_version", "definition_deleted_in_mid_canary")


@pytest.mark.parametrize(("page", "state"), crossed(SAMPLES, STATES))
def test_a_bad_state_is_named_ends_when_it_is_mended_and_nothing_of_others_changes(page: str, state: str):
    with tempfile.TemporaryDirectory() as directory:
        there = There(page, directory)
        if state in OF_OBJECTS and not there.objects:
            pytest.skip("the router makes its object itself")
        if state in OF_DEFINITIONS and not there.kinds:
            pytest.skip("every API server serves Ingresses")

        async def scene() -> None:
            async with there.stage.running():
                await STATES[state](there)
                assert len(there.strange) == len(there.objects)
                assert await there.strangers() == there.strange

        in_virtual_time(scene())
