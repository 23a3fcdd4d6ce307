"""Reads: selectors, pages that belong to one moment, requested versions."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.api.resources import CONFIG_MAPS, EVENTS, PODS, SECRETS
from serinus.kube.client import Client

Json = dict[str, Any]
MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
async def ten(client: Client) -> None:
    for i in range(10):
        meta = {"name": f"c{i}", "labels": {"parity": "even" if i % 2 == 0 else "odd", "n": str(i)}}
        await client.create(CONFIG_MAPS, {"metadata": meta}, "default")


def names(value: Json) -> list[str]:
    return [item["metadata"]["name"] for item in value["items"]]


@pytest.mark.usefixtures("ten")
@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("parity=even", "02468"), ("parity==even", "02468"), ("parity!=even", "13579"), ("n in (1,2,30)", "12"),
        ("n notin (1,2),parity", "03456789"),
        ("!parity", ""), ("parity,n=3", "3"), ("other!=x,n=4", "4"), ("n>7", "89"), ("n<1", "0"), ("", "0123456789"),
    ],
)  # fmt: skip
async def test_label_selectors_choose(send: Any, selector: str, found: str) -> None:
    _, value = await send("GET", f"{MAPS}?labelSelector={selector}")
    assert names(value) == [f"c{n}" for n in found]


@pytest.mark.parametrize("selector", ["a in (b", "a=b=c", "=b", "a in b", "-x=1", "a=ä", "a>b", "a,,b"])
async def test_an_impossible_selector_is_a_bad_request(send: Any, selector: str) -> None:
    for url in (MAPS, f"{MAPS}?watch=true"):
        status, error = await send(
            "GET", url + ("&" if "?" in url else "?") + "labelSelector=" + selector.replace("=", "=")
        )
        assert (status, error["reason"]) == (400, "BadRequest")


async def test_field_selectors_choose_by_what_each_kind_offers(client: Client) -> None:
    spec = {"containers": [{"name": "c", "image": "i"}]}
    await client.create(PODS, {"metadata": {"name": "a"}, "spec": {**spec, "nodeName": "here"}}, "default")
    await client.create(PODS, {"metadata": {"name": "b"}, "spec": spec}, "default")
    await client.create(
        SECRETS,
        {"metadata": {"name": "s"}, "type": "kubernetes.io/tls", "data": {"tls.crt": "", "tls.key": ""}},
        "default",
    )
    event: Json = {
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": "a", "namespace": "default"},
        "reason": "Started",
    }
    await client.create(EVENTS, event, "default")

    async def found(resource: Any, fields: str) -> list[str]:
        return [item["metadata"]["name"] for item in (await client.list(resource, fields=fields)).items]

    assert await found(PODS, "spec.nodeName=here") == ["a"]
    assert await found(PODS, "spec.nodeName!=here,status.phase=Pending") == ["b"]
    assert await found(PODS, "metadata.name=b") == ["b"]
    assert await found(PODS, "metadata.namespace=other") == []
    assert await found(SECRETS, "type=kubernetes.io/tls") == ["s"]
    assert await found(EVENTS, "involvedObject.name=a,involvedObject.kind=Pod") == ["e"]


async def test_a_field_that_cannot_be_selected_is_named(send: Any) -> None:
    status, error = await send("GET", "/api/v1/pods?fieldSelector=spec.colour=blue")
    assert (status, error["message"]) == (400, "field label not supported: spec.colour")


@pytest.mark.usefixtures("ten")
async def test_pages_show_one_moment_however_objects_change_between_them(send: Any, client: Client) -> None:
    _, first = await send("GET", f"{MAPS}?limit=4")
    assert (names(first), first["metadata"]["remainingItemCount"]) == (["c0", "c1", "c2", "c3"], 6)
    await client.delete(CONFIG_MAPS, "c5", "default")
    await client.create(CONFIG_MAPS, {"metadata": {"name": "c55"}}, "default")
    _, second = await send("GET", f"{MAPS}?limit=4&continue={first['metadata']['continue']}")
    _, third = await send("GET", f"{MAPS}?limit=4&continue={second['metadata']['continue']}")
    assert names(second) + names(third) == ["c4", "c5", "c6", "c7", "c8", "c9"]
    assert "continue" not in third["metadata"]
    assert first["metadata"]["resourceVersion"] == third["metadata"]["resourceVersion"]


@pytest.mark.usefixtures("ten")
async def test_a_page_of_a_forgotten_moment_is_expired_and_offers_to_go_on(send: Any, client: Client) -> None:
    _, first = await send("GET", f"{MAPS}?limit=4")
    for i in range(60):
        await client.patch(CONFIG_MAPS, "c9", {"data": {"i": str(i)}}, "default")
    status, error = await send("GET", f"{MAPS}?limit=4&continue={first['metadata']['continue']}")
    assert (status, error["reason"]) == (410, "Expired")
    _, rest = await send("GET", f"{MAPS}?continue={error['metadata']['continue']}")
    assert names(rest) == ["c4", "c5", "c6", "c7", "c8", "c9"]


async def test_a_made_up_continue_token_is_refused(send: Any) -> None:
    for token in ("x", "e30", "!!", "bnVsbA"):
        status, error = await send("GET", f"{MAPS}?continue={token}")
        assert (status, error["reason"]) == (400, "BadRequest")


@pytest.mark.usefixtures("ten")
async def test_versions_asked_for_are_met_exactly_or_told_impossible(send: Any, client: Client) -> None:
    _, before = await send("GET", MAPS)
    version = before["metadata"]["resourceVersion"]
    await client.delete(CONFIG_MAPS, "c0", "default")
    _, then = await send("GET", f"{MAPS}?resourceVersion={version}&resourceVersionMatch=Exact")
    assert names(then) == names(before)
    _, now = await send("GET", f"{MAPS}?resourceVersion={version}")
    assert len(names(now)) == 9
    status, error = await send("GET", f"{MAPS}?resourceVersion=99999")
    assert (status, error["reason"], error["details"]["retryAfterSeconds"]) == (504, "Timeout", 1)
    status, _ = await send("GET", f"{MAPS}?resourceVersion=soon")
    assert status == 400
    status, error = await send("GET", f"{MAPS}?resourceVersionMatch=Exact")
    assert (status, error["reason"]) == (422, "Invalid")


@pytest.mark.usefixtures("ten")
async def test_only_metadata_is_sent_to_whoever_asks_for_it(send: Any) -> None:
    accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    _, value = await send("GET", MAPS, accept=accept)
    assert value["kind"] == "PartialObjectMetadataList"
    assert set(value["items"][0]) == {"kind", "apiVersion", "metadata"}


async def test_what_cannot_be_written_is_not_acceptable(send: Any) -> None:
    status, error = await send("GET", MAPS, accept="image/png")
    assert (status, error["reason"]) == (406, "NotAcceptable")
    status, _ = await send("GET", MAPS, accept="application/vnd.kubernetes.protobuf,application/json")
    assert status == 200
