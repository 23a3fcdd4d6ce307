"""Prometheus as its HTTP API is documented, errors included."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import pytest

from serinus.analysis.providers.prometheus import ADDRESS, is_amazons
from serinus.analysis.providers.registry import provider
from tests.support.analysis.vendor import Reply, World


def vector(*values: str) -> dict[str, Any]:
    result = [{"metric": {"i": str(i)}, "value": [1700000000, v]} for i, v in enumerate(values)]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


SCALAR = {"status": "success", "data": {"resultType": "scalar", "result": [1700000000, "0.5"]}}
MATRIX = {
    "status": "success",
    "data": {
        "resultType": "matrix",
        "result": [{"metric": {}, "values": [[1, "1"], [2, "2"]]}, {"metric": {}, "values": [[1, "3"]]}],
    },
}
TEXT = {"status": "success", "data": {"resultType": "string", "result": [1700000000, "x"]}}
QUERY = "/api/v1/query"


@pytest.mark.parametrize(
    ("reply", "condition", "phase", "value"),
    [
        (vector("0.95", "3"), "len(result) == 2 && result[0] > 0.9", "Successful", "[0.95,3]"),
        (vector(), "len(result) == 0 || isNaN(result[0])", "Successful", "[]"),
        (vector("NaN"), "len(result) == 0 || isNaN(result[0])", "Successful", "[NaN]"),
        (vector("1e+06", "+Inf", "0.0000001"), "isInf(result[1])", "Successful", "[1000000,+Inf,0.0000001]"),
        (SCALAR, "result == 0.5", "Successful", "0.5"),
        (MATRIX, "sum(result) == 6", "Successful", "[1,2,3]"),
    ],
)
async def test_results_are_numbers_and_lists_of_numbers(
    world: World, reply: Any, condition: str, phase: str, value: str
) -> None:
    """The recording analysis-prometheus."""
    world.vendor.says(QUERY, reply)
    config = {"address": f"{world.url}/", "query": "up{a='b c'}"}
    measured = await world.measured("prometheus", config, successCondition=condition)
    assert (measured.phase, measured.value, measured.message) == (phase, value, "")
    (asked,) = world.vendor.asked
    assert asked.method == "POST"
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(asked.body.decode()) == {"query": ["up{a='b c'}"], "time": ["1790000000.25"]}


@pytest.mark.parametrize(
    ("config", "reply", "message"),
    [
        ({"address": ""}, "", "prometheus address is not configured"),
        ({"address": "prometheus"}, "", "prometheus address is not is url format"),
        ({"timeout": -1}, "", "prometheus timeout should not be negative"),
        (
            {},
            Reply({"status": "error", "errorType": "bad_data", "error": "parse error"}, 400),
            "bad_data: parse error",
        ),
        (
            {},
            Reply({"status": "error", "errorType": "execution", "error": "many-to-many"}, 422),
            "execution: many-to-many",
        ),
        ({}, {"status": "error", "errorType": "timeout", "error": "too long"}, "timeout: too long"),
        ({}, Reply("", 404), "client_error: client error: 404"),
        ({}, Reply("oops", 500), "server_error: server error: 500"),
        ({}, TEXT, "Prometheus metric type not supported"),
        ({}, "<html>", "Could not parse JSON body: "),
        ({}, [1], "bad_response: "),
        ({}, {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}}]}}, "bad_response: "),
        ({}, vector("abc"), "bad_response: 'abc' is no number"),
        (
            {"authentication": {"basicAuth": {"username": "u"}}},
            "",
            "missing mandatory parameter in metric for basic auth setup: password",
        ),
        (
            {"authentication": {"oauth2": {"tokenUrl": "http://x"}}},
            "",
            "missing mandatory parameter in metric for OAuth2 setup",
        ),
        (
            {"rangeQuery": {"start": "now()", "end": "1", "step": "1m"}},
            "",
            "failed to parse rangeQuery.end as time: expected time.Time, but got int",
        ),
        (
            {"rangeQuery": {"start": "", "end": "now()", "step": "1m"}},
            "",
            "failed to parse rangeQuery.start as time: unexpected token EOF",
        ),
        (
            {"rangeQuery": {"start": "now()", "end": "now()", "step": "x"}},
            "",
            "failed to parse rangeQuery.step as duration: 'x' is no duration",
        ),
    ],
)
async def test_what_goes_wrong_is_the_message(world: World, config: dict[str, Any], reply: Any, message: str) -> None:
    world.vendor.says(QUERY, reply)
    measured = await world.measured("prometheus", {"address": world.url, "query": "up", **config})
    assert measured.phase == "Error"
    assert measured.message.startswith(message)


@pytest.mark.parametrize("status", [403, 405, 501])
async def test_servers_that_take_no_post_are_asked_again_with_get(world: World, status: int) -> None:
    world.vendor.says(QUERY, Reply("", status), vector("1"))
    measured = await world.measured("prometheus", {"address": world.url, "query": "up + 1"})
    assert measured.phase == "Successful"
    assert [a.method for a in world.vendor.asked] == ["POST", "GET"]
    assert world.vendor.asked[1].query == {"query": "up + 1", "time": "1790000000.25"}
    assert world.vendor.asked[1].body == b""


async def test_ranges_are_asked_for_with_expressions(world: World) -> None:
    world.vendor.says("/api/v1/query_range", MATRIX)
    ranged = {"start": 'now() - duration("5m")', "end": "now()", "step": "1m30s"}
    config = {"address": world.url, "query": "up", "rangeQuery": ranged}
    assert (await world.measured("prometheus", config)).value == "[1,2,3]"
    form = parse_qs(world.vendor.asked[0].body.decode())
    assert form == {"query": ["up"], "start": ["1789999700.25"], "end": ["1790000000.25"], "step": ["90"]}


async def test_the_address_may_come_from_the_environment(world: World) -> None:
    world.environment[ADDRESS] = world.url
    world.vendor.says(QUERY, vector("1"))
    assert (await world.measured("prometheus", {"query": "up"})).phase == "Successful"


async def test_headers_and_basic_authentication_are_sent(world: World) -> None:
    world.vendor.says(QUERY, vector("1"))
    auth = {"basicAuth": {"username": "u", "password": "p"}}
    config = {"address": world.url, "query": "up", "authentication": auth}
    await world.measured("prometheus", config | {"headers": [{"key": "X-Scope-OrgID", "value": "t"}]})
    headers = world.vendor.asked[0].headers
    assert (headers["authorization"], headers["x-scope-orgid"]) == ("Basic dTpw", "t")


async def test_oauth2_is_used_where_a_token_url_is_set(world: World) -> None:
    world.vendor.says(QUERY, vector("1"))
    world.vendor.says("/token", {"access_token": "t"})
    oauth2 = {"tokenUrl": f"{world.url}/token", "clientId": "a", "clientSecret": "b"}
    await world.measured("prometheus", {"address": world.url, "query": "up", "authentication": {"oauth2": oauth2}})
    assert world.vendor.asked[1].headers["authorization"] == "Bearer t"


async def test_amazons_prometheus_gets_signed_requests(world: World) -> None:
    path = "/workspaces/aps-workspaces-1/api/v1/query"
    world.vendor.says(path, vector("1"))
    world.environment |= {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "k", "AWS_SESSION_TOKEN": "t"}
    address = f"{world.url}/workspaces/aps-workspaces-1"
    sigv4 = {"authentication": {"sigv4": {"region": "eu-west-1"}}, "query": "up"}
    assert (await world.measured("prometheus", {"address": address, **sigv4})).phase == "Successful"
    headers = world.vendor.asked[0].headers
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/20260921/eu-west-1/aps/aws4_request")
    assert headers["x-amz-security-token"] == "t"
    world.vendor.says(QUERY, vector("1"))
    await world.measured("prometheus", {"address": world.url, **sigv4})
    assert "authorization" not in world.vendor.asked[1].headers


@pytest.mark.parametrize(
    ("url", "signs"),
    [
        ("https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1", True),
        ("https://vpce-1.aps-workspaces.us-east-1.vpce.amazonaws.com/workspaces/ws-1", True),
        ("https://aps-workspaces.cn-north-1.amazonaws.com.cn/workspaces/ws-1", True),
        ("http://127.0.0.1:8005/workspaces/aps-workspaces-1", True),
        ("http://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1", False),
        ("https://example.com/aps-workspaces", False),
        ("https://aps-workspaces.example.com", False),
        ("https://aps-workspaces.eu-west-1.amazonaws.com.example.com", False),
        ("https://aps-workspaces.eu-west-1.amazonaws.com@example.com/", False),
    ],
)
def test_the_session_token_goes_to_amazon_only(url: str, signs: bool) -> None:
    """The author of a template chooses the address, and the identity is the controller's."""
    assert is_amazons(f"{url}/api/v1/query") is signs


async def test_warnings_stand_in_the_metadata_of_the_measurement_and_the_query_in_that_of_the_metric(
    world: World,
) -> None:
    world.vendor.says(QUERY, {**vector("1"), "warnings": ["w1", "w2"]})
    measured = await world.measured("prometheus", {"address": world.url, "query": "up"})
    assert measured.metadata == {"warnings": '"w1", "w2"'}
    metric = world.metric("prometheus", {"query": "up"})
    assert provider("prometheus").metadata(metric) == {"ResolvedPrometheusQuery": "up"}
