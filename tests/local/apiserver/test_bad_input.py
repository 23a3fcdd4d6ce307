"""Malformed input gets the Status of a real API server: never a 500, never a traceback."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serinus.kube.clock import SystemClock
from serinus.kube.transport import Request
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.storage.store import MemoryStore
from serinus.local.schema.kinds import Schemas
from tests.support.long import examples

Json = dict[str, Any]

MAPS = "/api/v1/namespaces/default/configmaps"
JSON = "application/json"


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", JSON, 400),
        (b"", JSON, 400),
        (b"null", JSON, 400),
        (b"[]", JSON, 400),
        (b'"text"', JSON, 400),
        (b"\xff\xfe", JSON, 400),
        (b'{"metadata": {"name": "\\ud800"}}', JSON, 400),
        (b'{"metadata": []}', JSON, 400),
        (b'{"metadata": {"name": 5}}', JSON, 400),
        (b'{"metadata": {"name": "a", "labels": {"a": 1}}}', JSON, 400),
        (b'{"metadata": {"name": "a", "labels": []}}', JSON, 400),
        (b'{"metadata": {"name": "a", "finalizers": [1]}}', JSON, 400),
        (b'{"metadata": {"name": "a", "ownerReferences": [1]}}', JSON, 400),
        (b'{"kind": "Secret", "metadata": {"name": "a"}}', JSON, 400),
        (b'{"apiVersion": "v2", "metadata": {"name": "a"}}', JSON, 400),
        (b'{"kind": 5, "metadata": {"name": "a"}}', JSON, 400),
        (b'{"metadata": {"name": "a"}, "data": {"a": 5}}', JSON, 400),
        (b'{"metadata": {"name": "a/b"}}', JSON, 422),
        (b'{"metadata": {}}', JSON, 422),
        (b'{"metadata": {"name": ""}}', JSON, 422),
        (b'{"metadata": {"name": "a", "labels": {"-": "x"}}}', JSON, 422),
        (b'{"metadata": {"name": "' + b"a" * 300 + b'"}}', JSON, 422),
        (b"[" * 100_000, JSON, 400),
        (b'{"a":' * 500 + b"1" + b"}" * 500, JSON, 400),
        (b"{}", "text/plain", 415),
        (b"{}", "application/cbor", 415),
        (b"- a\n- b", "application/yaml", 400),
        (b"a: [", "application/yaml", 400),
        (b"[" * 50_000, "application/yaml", 400),
        (
            b"a0: &a0 [x]\n" + b"".join(b"a%d: &a%d [%s]\n" % (i, i, b"*a%d," % (i - 1) * 9) for i in range(1, 9)),
            "application/yaml",
            400,
        ),
        (b"a: 1\n---\nb: 1\n", "application/yaml", 400),
        (b"? [1]\n: 2", "application/yaml", 400),
        (b"k8s\x00\xff\xff", "application/vnd.kubernetes.protobuf", 400),
        (b"nothing", "application/vnd.kubernetes.protobuf", 400),
        (b"{" + b" " * (3 << 20) + b"}", JSON, 413),
    ],
)
async def test_a_body_that_is_no_object_is_refused(send: Any, body: bytes, kind: str, status: int) -> None:
    found, error = await send("POST", MAPS, body or b" ", kind)
    assert (found, error["kind"], error["status"]) == (status, "Status", "Failure")
    assert error["code"] == status
    assert "Traceback" not in error["message"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/namespaces/default/configmaps/..",
        "/api/v1/namespaces/default/configmaps/a%2fb",
        "/api/v1/namespaces/%2e%2e/configmaps/a",
        "/api/v1/namespaces//configmaps",
        "//api/v1",
        "/api/v1/configmaps/a",
        "/api/v1/nodes/a/b/c/d",
        "/apis/none/v1/things",
        "/api/v2/pods",
        "/apis/apps/v1/pods",
        "/api/v1/namespaces/default/nodes",
        "/etc/passwd",
        "/%00",
        "/apis/apps/v1/namespaces/default/deployments/a%00b",
        "/openapi/v3/../..",
        "/" + "a/" * 500,
    ],
)
async def test_paths_that_lead_nowhere_are_not_found(send: Any, path: str) -> None:
    status, error = await send("GET", path)
    assert (status in (400, 404), error["kind"]) == (True, "Status")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "HEAD", "OPTIONS", "TRACE", "BREW"])
async def test_methods_that_mean_nothing_here_are_not_allowed(send: Any, method: str) -> None:
    status, error = await send(method, MAPS, {})
    assert (status, error["reason"]) == (405, "MethodNotAllowed")


async def test_a_huge_number_is_refused_and_not_stored(send: Any) -> None:
    body = b'{"metadata": {"name": "a"}, "spec": {"replicas": 1' + b"0" * 400 + b'}, "selector": {}}'
    status, _ = await send("POST", "/apis/apps/v1/namespaces/default/deployments", body)
    assert status in (400, 422)
    status, _ = await send("POST", MAPS, b'{"metadata": {"name": "a", "generation": 99999999999999999999999}}')
    assert status in (201, 400, 422)


SAMPLES: dict[str, Any] = json.loads(Path(__file__).with_name("samples.json").read_text())
"""One object of many kinds, by the URL of its collection."""

ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    2**31,
    2**63,
    1.5,
    "",
    "a",
    "%",
    "ä" * 300,
    "\x00",
    "-",
    "1e99",
    [],
    ["a"],
    [None],
    [[]],
    [{}],
    {},
    {"a": None},
    {"a": {"b": []}},
    {"name": "a"},
]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything inside a JSON value."""
    found: list[tuple[Any, ...]] = []
    inside: Any = (
        enumerate(cast("list[Any]", value))
        if isinstance(value, list)
        else value.items()
        if isinstance(value, dict)
        else ()
    )
    for key, item in inside:
        found += [(*path, key), *places(item, (*path, key))]
    return found


def spoiled(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    """A copy with something odd at one place."""
    result = at = copy.deepcopy(value)
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = odd
    return result


SPOILED = st.sampled_from(sorted(SAMPLES)).flatmap(
    lambda url: st.tuples(st.just(url), st.sampled_from(places(SAMPLES[url])), st.sampled_from(ODD))
)
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


@pytest.fixture(scope="module")
def shared() -> ApiServer:
    return ApiServer(MemoryStore(), Schemas(), SystemClock(), rng=random.Random(1))


@settings(
    max_examples=examples(400),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(spoiled_at=SPOILED)
async def test_one_odd_value_anywhere_never_brings_the_server_down(
    shared: ApiServer, spoiled_at: tuple[str, tuple[Any, ...], Any]
) -> None:
    """Written, shown, patched, scaled and deleted: each answer is an object or a Status below 500."""
    url, path, odd = spoiled_at
    if not shared.store.resources():
        await shared.start()
    obj, whole = spoiled(SAMPLES[url], path, odd), SAMPLES[url]
    one = f"{url}/{whole['metadata']['name']}"

    async def answered(method: str, at: str, body: Any = None, kind: str = JSON, **query: str) -> None:
        payload = b"" if body is None else msgspec.json.encode(body)
        response = await shared.handle(Request(method, at, query, {"accept": TABLE, "content-type": kind}, payload))
        assert response.status < 500, response.body

    await answered("POST", url, obj)
    await answered("POST", url, whole)
    await answered("PUT", one, obj)
    for kind in ("merge-patch+json", "strategic-merge-patch+json", "apply-patch+yaml"):
        await answered(
            "PATCH", one, obj, f"application/{kind}", fieldManager="m", **({"force": "true"} if "apply" in kind else {})
        )
    await answered("PATCH", f"{one}/status", obj, "application/merge-patch+json")
    await answered("GET", url)
    await answered("GET", f"{one}/scale")
    await answered("POST", f"{one}/eviction", obj)
    await answered("DELETE", url)
    await answered("DELETE", url)


ODD_OWNERS: list[Json] = [
    {"fieldsV1": {"f:data": 1}}, {"fieldsV1": {"f:data": {"f:a": "x"}}}, {"fieldsV1": {"f:data": None}}, {"fieldsV1": {"f:data": [1]}},
    {"fieldsV1": 1}, {"fieldsV1": {"k:{": {"x": {}}}}, {"manager": 1}, {"manager": ["a"]}, {"time": 5}, {"time": None}, {"operation": {}},
    {"subresource": 1}, {"apiVersion": 3},
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD_OWNERS, ids=str)
async def test_owners_that_cannot_be_read_change_nothing(send: Any, odd: Json) -> None:
    """managedFields are a client's to send. kube-apiserver keeps those that it has."""
    base = "/api/v1/namespaces/default/configmaps"
    obj: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"a": "b"}}
    assert (await send("POST", base, obj, user_agent="first/1"))[0] == 201
    entry = {
        "manager": "z",
        "operation": "Update",
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:data": {"f:a": {}}},
    }
    sent = {
        **obj,
        "metadata": {"name": "m", "managedFields": [entry | odd, {**entry, "manager": "y"}]},
        "data": {"a": "c"},
    }
    for body in (sent, {**obj, "data": {"a": "d", "b": "e"}}):
        assert (await send("PUT", f"{base}/m", body, user_agent="second/1"))[0] < 500
    for force in ("false", "true"):
        for data in ({"a": "f"}, {"z": "f"}):
            url = f"{base}/m?fieldManager=w&force={force}"
            assert (await send("PATCH", url, {**obj, "data": data}, "application/apply-patch+yaml"))[0] in (200, 409)
    status, value = await send("GET", f"{base}/m")
    assert status == 200
    assert all(isinstance(entry["manager"], str) for entry in value["metadata"]["managedFields"])
