"""The web provider: any endpoint that answers with JSON or text."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from serinus.analysis.providers.http.jsonpath import JsonPathError, find
from serinus.analysis.providers.web import reading
from serinus.api.values.times import format_time
from tests.support.analysis.vendor import Reply, World

DATA: dict[str, Any] = {
    "a": {"b.c": 1, "list": [{"n": "x", "v": 1}, {"n": "y", "v": 2.5}, {"n": "z", "v": 3}]},
    "none": None,
    "html": "<b>&",
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("{$}", [DATA]),
        ("{$.a['b.c']}", [1]),
        ("{.a.b\\.c}", [1]),
        ("{.a.list[0].v}", [1]),
        ("{.a.list[-1].n}", ["z"]),
        ("{$.a.list[*].v}", [1, 2.5, 3]),
        ("{.a.list[1:].n}", ["y", "z"]),
        ("{.a.list[0:3:2].n}", ["x", "z"]),
        ("{.a.list[0,2].n}", ["x", "z"]),
        ("{.a.list[?(@.v > 1)].n}", ["y", "z"]),
        ('{.a.list[?(@.n == "y")].v}', [2.5]),
        ("{.a.list[?(@.n != 'y')].v}", [1, 3]),
        ("{.a.list[?(@.none)].v}", []),
        ("{..v}", [1, 2.5, 3]),
        ("{..list[0].n}", ["x"]),
        ("{.none}", [None]),
        ("text{.a.list[0].v}", ["text", 1]),
        ("{'quoted'}", ["quoted"]),
        ("{range .a.list[*]}{.n}{.v}, {end}.", ["x", 1, ", ", "y", 2.5, ", ", "z", 3, ", ", "."]),
        ("{.a.*}", [1, DATA["a"]["list"]]),
    ],
)
def test_paths_are_those_of_kubectl(path: str, found: list[Any]) -> None:
    assert find(path, DATA) == found


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("{.nope}", "nope is not found"),
        ("{.a.list.n}", "n is not found"),
        ("{.a.list[9]}", "array index out of bounds: index 9, length 3"),
        ("{.a[0]}", "map is not array or slice"),
        ("{.a", "unclosed action: a } is missing"),
        ("{.a.list[0}", "unterminated array"),
        ("{.a.list[x]}", "invalid array index x"),
        ("{.a.list[::0]}", "step must be > 0"),
        ("{.a.list[?(@.v > nope)]}", "cannot compare with nope"),
        ("{.a.list[?(@.n > 1)]}", "incompatible types for comparison: x > 1.0"),
        ("{a}", "unrecognized identifier a"),
        ("{" + "." * 5000 + "}", "the path has more than 4000 characters"),
    ],
)
def test_paths_that_lead_nowhere_say_why(path: str, message: str) -> None:
    with pytest.raises(JsonPathError) as error:
        find(path, DATA)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("body", "path", "result", "value"),
    [
        (b'{"value": 0.99}', "{$.value}", 0.99, "0.99"),
        (b'{"value": 5}', "{$.value}", 5.0, "5"),
        (
            b'{"b": "<x>&", "a": [1, 2.50, null, true]}',
            "{$}",
            None,
            '{"a":[1,2.5,null,true],"b":"\\u003cx\\u003e\\u0026"}',
        ),
        (b'{"s": "text"}', "{.s}", "text", '"text"'),
        (b"just text", "{.s}", "just text", "just text"),
        (b"", "{$}", "", ""),
        (b'{"big": 1e6}', "{.big}", 1e6, "1000000"),
    ],
)
def test_the_first_match_is_the_result_and_its_json_the_value(body: bytes, path: str, result: Any, value: str) -> None:
    found = reading(body, path)
    assert found.value == value
    if result is not None:
        assert found.result == result
        assert type(found.result) is type(result)


async def test_a_measurement_shows_its_value_and_its_times(world: World) -> None:
    """As in the recording analysis-run-alone."""
    world.vendor.says("/value", {"value": 0.99})
    config = {"url": f"{world.url}/value?a=b", "jsonPath": "{$.value}", "headers": [{"key": "X-Team", "value": "a"}]}
    measured = await world.measured("web", config, successCondition="result >= 0.9")
    at = format_time(world.now)
    assert (measured.phase, measured.value, measured.message) == ("Successful", "0.99", "")
    assert (measured.started_at, measured.finished_at) == (at, at)
    (asked,) = world.vendor.asked
    assert (asked.method, asked.query, asked.headers["x-team"], asked.body) == ("GET", {"a": "b"}, "a", b"")
    plain = await world.measured("web", {"url": f"{world.url}/value"})
    assert plain.value == '{"value":0.99}'


async def test_each_measurement_has_a_connection_of_its_own(world: World) -> None:
    """A Service divides connections: a kept one would stay with a pod of the version before, after a switch of the selector."""
    connections = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        with suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        config = {"url": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"}
        for _ in range(3):
            assert (await world.measured("web", config)).value == "1"
    assert connections == 3


async def test_json_bodies_are_sent_as_json(world: World) -> None:
    world.vendor.says("/value", "1")
    config = {
        "url": f"{world.url}/value",
        "method": "POST",
        "jsonBody": {"a": [1, "x"]},
        "headers": [{"key": "content-type", "value": "text/plain"}],
    }
    assert (await world.measured("web", config)).phase == "Successful"
    (asked,) = world.vendor.asked
    assert (asked.json, asked.headers["content-type"]) == ({"a": [1, "x"]}, "application/json")
    await world.measured("web", {"url": f"{world.url}/value", "method": "PUT", "body": "as it is"})
    assert (world.vendor.asked[1].method, world.vendor.asked[1].body) == ("PUT", b"as it is")


@pytest.mark.parametrize(
    ("config", "reply", "message"),
    [
        ({}, Reply("broken", 500), "received non 2xx response code: 500"),
        ({}, Reply("", 404), "received non 2xx response code: 404"),
        ({"jsonPath": "{.b}"}, {"a": 1}, "Could not find JSONPath in body: b is not found"),
        ({"jsonPath": "{.b"}, {"b": 1}, "Could not find JSONPath in body: unclosed action: a } is missing"),
        ({"jsonPath": "{.b[*]}"}, {"b": []}, "result of web metric produced no value"),
        (
            {"method": "POST", "body": "x", "jsonBody": {}},
            "1",
            "use either Body or JSONBody; both cannot exists for WebMetric payload",
        ),
        ({"body": "x"}, "1", "Body/JSONBody can only be used with POST or PUT WebMetric Method types"),
        ({"timeoutSeconds": "soon"}, "1", "provider.web of metric 'value': Expected `int`, got `str`"),
    ],
)
async def test_what_goes_wrong_is_the_message(world: World, config: dict[str, Any], reply: Any, message: str) -> None:
    world.vendor.says("/value", reply)
    measured = await world.measured("web", {"url": f"{world.url}/value", **config})
    assert (measured.phase, measured.value) == ("Error", "")
    assert measured.message.startswith(message)
    assert measured.finished_at is not None


async def test_a_condition_that_fails_leaves_no_value(world: World) -> None:
    world.vendor.says("/value", {"value": 0.99})
    measured = await world.measured("web", {"url": f"{world.url}/value"}, successCondition="result > 1")
    assert (measured.phase, measured.value) == ("Error", "")
    assert "could not evaluate successCondition" in measured.message


async def test_oauth2_gets_a_new_token_for_each_measurement(world: World) -> None:
    world.vendor.says("/value", "1")
    world.vendor.says("/token", {"access_token": "t1"}, {"access_token": "t2", "token_type": "bearer"})
    oauth2 = {"tokenUrl": f"{world.url}/token", "clientId": "me", "clientSecret": "it", "scopes": ["a", "b"]}
    config = {"url": f"{world.url}/value", "authentication": {"oauth2": oauth2}}
    await world.measured("web", config)
    await world.measured("web", config)
    assert [a.headers["authorization"] for a in world.vendor.asked] == [
        "Basic bWU6aXQ=",
        "Bearer t1",
        "Basic bWU6aXQ=",
        "Bearer t2",
    ]
    assert world.vendor.asked[0].body == b"grant_type=client_credentials&scope=a+b"


async def test_a_token_server_that_wants_the_credentials_in_the_body_gets_them_there(world: World) -> None:
    world.vendor.says("/value", "1")
    world.vendor.says("/token", Reply("no", 401), {"access_token": "t"}, Reply("no", 401))
    oauth2 = {"tokenUrl": f"{world.url}/token", "clientId": "me", "clientSecret": "it"}
    config = {"url": f"{world.url}/value", "authentication": {"oauth2": oauth2}}
    assert (await world.measured("web", config)).phase == "Successful"
    assert b"client_id=me&client_secret=it" in world.vendor.asked[1].body
    refused = await world.measured("web", config)
    assert refused.message == "oauth2: cannot fetch token: 401\nResponse: no"
