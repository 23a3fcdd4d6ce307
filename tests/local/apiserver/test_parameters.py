"""For any query or header: an answer that names the parameter and the value, and never a failure of the server."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest

from serinus.kube.transport import Request
from serinus.local.apiserver.errors import StatusError
from serinus.local.apiserver.requests.negotiation import PLAIN, accepted
from serinus.local.apiserver.requests.warning_header import MOST_BYTES, warning_header
from serinus.local.apiserver.server import ApiServer
from tests.support.long import crossed

PODS = "/api/v1/namespaces/default/pods"
POD = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
NO_NUMBERS = ["x", "²", "٣", "1.5", "1e3", "0x10", "+1", "9" * 20, "9" * 5000, " 1", "--1"]
NUMBERS = [
    ("GET", PODS, "limit"),
    ("GET", f"{PODS}?watch=1", "timeoutSeconds"),
    ("GET", PODS, "resourceVersion"),
    ("GET", f"{PODS}?watch=1", "resourceVersion"),
    ("GET", f"{PODS}/p", "resourceVersion"),
    ("GET", f"{PODS}/p/log", "tailLines"),
    ("GET", f"{PODS}/p/log", "sinceSeconds"),
    ("GET", f"{PODS}/p/log", "limitBytes"),
    ("DELETE", f"{PODS}/p", "gracePeriodSeconds"),
]
TRUTHS = [
    ("GET", PODS, "watch"),
    ("GET", f"{PODS}?watch=1", "allowWatchBookmarks"),
    ("GET", f"{PODS}?watch=1&resourceVersionMatch=NotOlderThan", "sendInitialEvents"),
    ("GET", f"{PODS}/p/log", "follow"),
    ("GET", f"{PODS}/p/log", "timestamps"),
    ("GET", f"{PODS}/p/log", "previous"),
    ("DELETE", f"{PODS}/p", "orphanDependents"),
]


class NoLog:
    async def read(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("nothing is read for a request that is refused")


async def refused(api: ApiServer, method: str, url: str, name: str, value: str) -> Any:
    api.logs = NoLog()
    path, _, rest = url.partition("?")
    query = dict(pair.split("=") for pair in rest.split("&") if pair)
    await api.handle(Request("POST", PODS, {}, {"content-type": "application/json"}, msgspec.json.encode(POD)))
    answer = await api.handle(Request(method, path, {**query, name: value}))
    body = msgspec.json.decode(answer.body)
    assert (answer.status, body["reason"]) == (400, "BadRequest"), body
    assert body["message"].startswith(f"{name}: Invalid value: "), body
    assert value[:20] in body["message"]
    assert len(answer.body) < 1000


@pytest.mark.parametrize(("at", "value"), crossed(NUMBERS, NO_NUMBERS))
async def test_what_is_no_number_is_named(api: ApiServer, at: tuple[str, str, str], value: str) -> None:
    await refused(api, *at, value)


@pytest.mark.parametrize(("at", "value"), crossed(TRUTHS, ["yes", "2", "tru", "²"]))
async def test_what_is_no_truth_is_named(api: ApiServer, at: tuple[str, str, str], value: str) -> None:
    await refused(api, *at, value)


async def test_a_choice_that_is_none_is_named(api: ApiServer) -> None:
    await refused(api, "GET", f"{PODS}?watch=1", "includeObject", "All")


def token(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "text",
    [
        '{"rv":999999,"namespace":"default","name":"a"}',
        '{"rv":0,"namespace":"default","name":"a"}',
        '{"rv":-2,"namespace":"default","name":"a"}',
        '{"rv":1e30,"namespace":"default","name":"a"}',
        '{"rv":1,"namespace":"other","name":"a"}',
        '{"rv":1}',
        "[" * 5000,
        "",
    ],
)
async def test_a_forged_continue_token_is_refused(send: Any, text: str) -> None:
    status, value = await send("GET", f"{PODS}?limit=1&continue={token(text) or '²'}".replace("=&", "&").rstrip("="))
    assert (status, value["reason"]) == (400, "BadRequest")
    assert "continue" in value["message"]


@pytest.mark.parametrize(
    ("header", "media"),
    [
        ("application/json;q=0.1,application/yaml", "application/yaml"),
        ("application/yaml;q=0.2, application/json;q=0.9", "application/json"),
        ("application/yaml;q=0,application/json", "application/json"),
        ("application/yaml;q=nonsense", "application/yaml"),
        ("text/html, */*;q=0.1", PLAIN.media),
        ("APPLICATION/JSON", "application/json"),
    ],
)
def test_the_most_wanted_form_is_served(header: str, media: str) -> None:
    assert accepted(header).media == media


@pytest.mark.parametrize("header", ["*/*;q=0", "text/html", "application/json;q=0.0", ";", "a" * 60_000])
def test_what_cannot_be_served_is_not_acceptable(header: str) -> None:
    with pytest.raises(StatusError) as caught:
        accepted(header)
    assert caught.value.code == 406


def test_a_version_of_the_discovery_that_nobody_knows_is_not_echoed() -> None:
    with pytest.raises(StatusError):
        accepted("application/json;as=APIGroupDiscoveryList;g=apidiscovery.k8s.io;v=v9\tx")


@pytest.mark.parametrize(
    "sentences",
    [
        ["a\r\nSet-Cookie: b", "c\0d", "\x7f\x85"],
        ["x" * 100_000],
        [f"unknown field {i}" for i in range(50_000)],
        ["é" * 3000, "𝒳" * 3000],
        ['"\\' * 3000],
        ["\ud800"],
    ],
)
def test_warnings_never_cost_the_answer(sentences: list[str]) -> None:
    """Clients refuse control characters in a header, and headers without end."""
    text = warning_header(sentences)["warning"]
    assert len(text.encode()) <= MOST_BYTES
    assert text.isprintable()
    assert text.startswith('299 - "')
    assert text.endswith('"')


async def test_warnings_of_a_write_are_bounded(answer: Any) -> None:
    obj = {"metadata": {"name": "m"}, **{f"a\r\n{i}": i for i in range(20_000)}}
    response = await answer("POST", "/api/v1/namespaces/default/configmaps", obj)
    assert response.status == 201
    assert len(response.headers["warning"].encode()) <= MOST_BYTES
    assert response.headers["warning"].isprintable()


async def test_a_program_with_a_long_name_is_a_manager_with_a_short_one(answer: Any, send: Any) -> None:
    obj = {"metadata": {"name": "m"}, "data": {"a": "b"}}
    assert (
        await answer("POST", "/api/v1/namespaces/default/configmaps", obj, user_agent="\x01" + "x" * 60_000)
    ).status == 201
    meta = (await send("GET", "/api/v1/namespaces/default/configmaps/m"))[1]["metadata"]
    assert meta["managedFields"][0]["manager"] == "?" + "x" * 127


async def test_a_grace_period_beyond_all_calendars_can_be_deleted(send: Any) -> None:
    pod = {"metadata": {"name": "p"}, "spec": {**POD["spec"], "terminationGracePeriodSeconds": 2**62, "nodeName": "n"}}
    assert (await send("POST", PODS, pod))[0] == 201
    assert (await send("DELETE", f"{PODS}/p"))[0] == 200
    assert (await send("DELETE", f"{PODS}/p?gracePeriodSeconds=0"))[0] == 200
    assert (await send("GET", f"{PODS}/p"))[0] == 404
