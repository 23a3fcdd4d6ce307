"""Watches: order, selectors, bookmarks, initial events, and expired versions. In virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest

from serinus.api.resources import CONFIG_MAPS, CRDS, SECRETS, Resource
from serinus.kube.client import Client
from serinus.kube.transport import Response

pytestmark = pytest.mark.looptime(start=0)
Json = dict[str, Any]
MAPS = "/api/v1/namespaces/default/configmaps"


async def events(response: Response) -> AsyncIterator[Json]:
    assert response.stream is not None
    async for piece in response.stream:
        for line in piece.splitlines():
            yield msgspec.json.decode(line)


async def shown(response: Response) -> list[tuple[str, str]]:
    """(type, name) of all events until the server ends the watch."""
    return [(e["type"], e["object"]["metadata"].get("name", "")) async for e in events(response)]


async def put(client: Client, name: str, **labels: str) -> str:
    made = await client.create(CONFIG_MAPS, {"metadata": {"name": name, "labels": labels}}, "default")
    return made["metadata"]["resourceVersion"]


async def test_a_watch_tells_every_change_after_a_version_in_order(client: Client, answer: Any) -> None:
    version = await put(client, "a")
    await put(client, "b")
    watch = await answer("GET", f"{MAPS}?watch=true&resourceVersion={version}&timeoutSeconds=5")
    await client.create(SECRETS, {"metadata": {"name": "other"}}, "default")
    await client.patch(CONFIG_MAPS, "a", {"data": {"x": "y"}}, "default")
    await client.delete(CONFIG_MAPS, "b", "default")
    assert await shown(watch) == [("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b")]


async def test_a_deletion_carries_the_version_of_the_deletion(client: Client, answer: Any) -> None:
    version = await put(client, "a")
    await client.delete(CONFIG_MAPS, "a", "default")
    watch = await answer("GET", f"{MAPS}?watch=true&resourceVersion={version}&timeoutSeconds=1")
    (event,) = [e async for e in events(watch)]
    assert int(event["object"]["metadata"]["resourceVersion"]) == int(version) + 1


async def test_without_a_version_what_there_is_comes_first(client: Client, answer: Any) -> None:
    await put(client, "a")
    await put(client, "b")
    watch = await answer("GET", f"{MAPS}?watch=true&timeoutSeconds=1")
    assert await shown(watch) == [("ADDED", "a"), ("ADDED", "b")]


async def test_initial_events_end_with_an_annotated_bookmark(client: Client, answer: Any) -> None:
    version = await put(client, "a")
    query = (
        "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=1"
    )
    first, second, *_ = [e async for e in events(await answer("GET", f"{MAPS}?{query}"))]
    assert (first["type"], first["object"]["metadata"]["name"]) == ("ADDED", "a")
    assert second["type"] == "BOOKMARK"
    assert second["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert second["object"]["metadata"]["resourceVersion"] == version


async def test_an_object_enters_and_leaves_a_selector_as_added_and_deleted(client: Client, answer: Any) -> None:
    await put(client, "a", colour="blue")
    watch = await answer("GET", f"{MAPS}?watch=true&labelSelector=colour=green&timeoutSeconds=1")
    for change in (
        {"labels": {"colour": "green"}},
        {"annotations": {"x": "y"}},
        {"labels": {"colour": "red"}},
        {"labels": {"colour": "white"}},
    ):
        await client.patch(CONFIG_MAPS, "a", {"metadata": change}, "default")
    found = [e async for e in events(watch)]
    assert [e["type"] for e in found] == ["ADDED", "MODIFIED", "DELETED"]
    assert found[2]["object"]["metadata"]["labels"] == {"colour": "green"}
    versions = [int(e["object"]["metadata"]["resourceVersion"]) for e in found]
    assert versions == [versions[0], versions[0] + 1, versions[0] + 2]


async def test_whoever_asks_for_a_forgotten_version_must_list_again(client: Client, answer: Any) -> None:
    version = await put(client, "a")
    for i in range(60):
        await client.patch(CONFIG_MAPS, "a", {"data": {"i": str(i)}}, "default")
    (event,) = [e async for e in events(await answer("GET", f"{MAPS}?watch=true&resourceVersion={version}"))]
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


async def test_whoever_reads_too_slowly_must_list_again(client: Client, answer: Any) -> None:
    version = await put(client, "a")
    watch = await answer("GET", f"{MAPS}?watch=true&resourceVersion={version}")
    for i in range(60):
        await client.patch(CONFIG_MAPS, "a", {"data": {"i": str(i)}}, "default")
    assert [e["object"]["code"] async for e in events(watch)] == [410]


async def test_quiet_watches_hear_how_far_they_are(client: Client, answer: Any) -> None:
    version = await put(client, "a")
    watch = await answer(
        "GET", f"{MAPS}?watch=true&resourceVersion={version}&allowWatchBookmarks=true&timeoutSeconds=130"
    )
    made = await client.create(SECRETS, {"metadata": {"name": "other"}}, "default")
    found = [(e["type"], e["object"]["metadata"]["resourceVersion"]) async for e in events(watch)]
    assert found == [("BOOKMARK", made["metadata"]["resourceVersion"])] * 3
    assert asyncio.get_running_loop().time() == pytest.approx(130)


async def test_a_watch_ends_when_its_time_is_over(client: Client, answer: Any) -> None:
    assert await shown(await answer("GET", f"{MAPS}?watch=true&timeoutSeconds=7")) == []
    assert asyncio.get_running_loop().time() == pytest.approx(7)


async def test_one_object_can_be_watched_by_its_path(client: Client, answer: Any) -> None:
    await put(client, "a")
    await put(client, "b")
    assert await shown(await answer("GET", f"{MAPS}/b?watch=true&timeoutSeconds=1")) == [("ADDED", "b")]


@pytest.mark.parametrize("query", ["sendInitialEvents=true", "resourceVersionMatch=NotOlderThan", "resourceVersion=x"])
async def test_contradicting_options_are_refused(send: Any, query: str) -> None:
    status, _ = await send("GET", f"{MAPS}?watch=true&{query}")
    assert status in (400, 422)


async def test_two_hundred_watchers_share_one_encoding(client: Client, answer: Callable[..., Any]) -> None:
    watches = [await answer("GET", f"{MAPS}?watch=true&timeoutSeconds=1") for _ in range(200)]

    async def first(watch: Response) -> bytes:
        assert watch.stream is not None
        async for piece in watch.stream:
            return piece
        return b""

    waiting = [asyncio.create_task(first(w)) for w in watches]
    await asyncio.sleep(0)
    await put(client, "a")
    pieces = await asyncio.gather(*waiting)
    assert len(set(pieces)) == 1
    assert pieces[0].startswith(b'{"type":"ADDED","object":{')


@pytest.mark.parametrize("objects", [0, 1])
async def test_a_watch_ends_when_the_definition_of_its_kind_is_deleted(
    client: Client, answer: Any, objects: int
) -> None:
    """Kubernetes ends it too. A client then learns from a 404 that the kind is not served."""
    names = {"plural": "hats", "kind": "Hat"}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    spec = {"group": "shop.example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    await client.create(CRDS, {"metadata": {"name": "hats.shop.example.com"}, "spec": spec})
    hats = Resource("shop.example.com", "v1", "hats", "Hat")
    for number in range(objects):
        await client.create(hats, {"metadata": {"name": f"hat-{number}"}}, "default")
    listed = await client.list(hats, "default")
    began = asyncio.get_running_loop().time()
    version_seen = listed.metadata.resource_version
    watch = await answer(
        "GET", f"/apis/{hats.group}/v1/hats?watch=true&resourceVersion={version_seen}&timeoutSeconds=300"
    )
    seen = asyncio.create_task(shown(watch))
    await asyncio.sleep(1)
    await client.delete(CRDS, "hats.shop.example.com")
    assert await seen == [("DELETED", f"hat-{number}") for number in range(objects)]
    assert asyncio.get_running_loop().time() - began < 2
