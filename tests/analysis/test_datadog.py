"""Datadog's query APIs, v1 and v2."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.analysis.vendor import CONTROLLER, Reply, World

V1, V2 = "/api/v1/query", "/api/v2/query/scalar"


@pytest.fixture
def datadog(world: World) -> World:
    world.cluster.secret(CONTROLLER, "datadog", api_key="api-key-1", app_key="app-key-2", address=world.url)
    return world


def series(*points: Any) -> dict[str, Any]:
    return {"status": "ok", "series": [{"pointlist": list(points)}]}


def column(*values: Any, **fields: Any) -> dict[str, Any]:
    return {"name": "x", "values": list(values), **fields}


def columns(*found: dict[str, Any]) -> dict[str, Any]:
    return {"data": {"type": "scalar_response", "attributes": {"columns": list(found)}}}


async def test_v1_gives_the_last_point(datadog: World) -> None:
    datadog.vendor.says(V1, series([1, 0.1], [2, 0.002]))
    measured = await datadog.measured("datadog", {"query": "avg:x{*}"}, successCondition="result < 0.01")
    assert (measured.phase, measured.value) == ("Successful", "0.002")
    (asked,) = datadog.vendor.asked
    assert asked.method == "GET"
    assert asked.query == {"query": "avg:x{*}", "from": "1789999700", "to": "1790000000"}
    assert (asked.headers["dd-api-key"], asked.headers["dd-application-key"]) == ("api-key-1", "app-key-2")
    assert asked.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("reply", "condition", "phase", "value"),
    [
        (series([1, None]), "result == 0", "Successful", "0"),
        (series(), "default(result, 0) == 0", "Successful", "[]"),
        ({"status": "ok", "series": []}, "result == nil", "Successful", "[]"),
        ({"status": "ok", "series": []}, "result < 1", "Error", ""),
    ],
)
async def test_v1_without_data_is_nil(datadog: World, reply: Any, condition: str, phase: str, value: str) -> None:
    datadog.vendor.says(V1, reply)
    measured = await datadog.measured("datadog", {"query": "q", "interval": "1m"}, successCondition=condition)
    assert (measured.phase, measured.value) == (phase, value)
    if phase == "Error":
        assert measured.message.endswith("metric result is nil or empty: no data returned from the metric provider")


async def test_v2_asks_for_several_queries_with_a_formula(datadog: World) -> None:
    datadog.vendor.says(V2, columns(column(0.5, type="number")))
    config = {
        "apiVersion": "v2",
        "interval": "10m",
        "queries": {"b": "q2", "a": "q1"},
        "formula": "a / b",
        "aggregator": "sum",
    }
    measured = await datadog.measured("datadog", config, successCondition="result == 0.5")
    assert (measured.phase, measured.value, measured.metadata) == ("Successful", "0.5", {})
    assert datadog.vendor.asked[0].json == {
        "data": {
            "type": "scalar_request",
            "attributes": {
                "from": 1789999400250,
                "to": 1790000000250,
                "queries": [
                    {"aggregator": "sum", "data_source": "metrics", "name": "a", "query": "q1"},
                    {"aggregator": "sum", "data_source": "metrics", "name": "b", "query": "q2"},
                ],
                "formulas": [{"formula": "a / b"}],
            },
        }
    }


async def test_v2_with_one_query_names_it_query(datadog: World) -> None:
    datadog.vendor.says(V2, columns(column(None, 3, 4)))
    measured = await datadog.measured("datadog", {"apiVersion": "v2", "query": "q"}, successCondition="result == 3")
    assert (measured.phase, measured.value) == ("Successful", "3")
    attributes = datadog.vendor.asked[0].json["data"]["attributes"]
    assert attributes["queries"] == [{"aggregator": "last", "data_source": "metrics", "name": "query", "query": "q"}]
    assert attributes["formulas"] == []


async def test_v2_with_groups_gives_a_list_and_names_them(datadog: World) -> None:
    groups = column(["env:a", "pod:1"], ["env:b"], ["env:c"], type="group")
    datadog.vendor.says(V2, columns(groups, column(1, None, 2.5, type="number")))
    measured = await datadog.measured(
        "datadog", {"apiVersion": "v2", "query": "q"}, successCondition="len(result) == 2"
    )
    assert (measured.phase, measured.value) == ("Successful", "[1,2.5]")
    assert json.loads(measured.metadata["groups"]) == [
        {"name": "env:a,pod:1", "value": 1},
        {"name": "env:c", "value": 2.5},
    ]


async def test_v2_keeps_the_lowest_and_the_highest_of_many_groups(datadog: World) -> None:
    names = column(*([f"pod:{i}"] for i in range(150)), type="group")
    datadog.vendor.says(V2, columns(names, column(*range(150), type="number")))
    measured = await datadog.measured(
        "datadog", {"apiVersion": "v2", "query": "q"}, successCondition="len(result) == 150"
    )
    assert measured.phase == "Successful"
    kept = [group["value"] for group in json.loads(measured.metadata["groups"])]
    assert kept == [*range(50), *range(100, 150)]
    assert measured.metadata["groups_truncated"] == "true"


@pytest.mark.parametrize(
    ("config", "reply", "message"),
    [
        ({}, "", "Must have either a query or queries. Please review the Analysis Template."),
        ({"query": "q", "queries": {"a": "b"}}, "", "Cannot have both a query and queries. Please review"),
        (
            {"queries": {"a": "b"}},
            "",
            "Query is empty. API Version v1 only supports using the query parameter in your ",
        ),
        ({"query": "q", "formula": "a"}, "", "Formula are only valid when queries are set. Please review"),
        (
            {"apiVersion": "v2", "queries": {"a": "b", "c": "d"}},
            "",
            "When multiple queries are provided you must include a formula.",
        ),
        ({"query": "q", "aggregator": "sum"}, "", "Aggregator is not supported in v1. Please review"),
        ({"query": "q", "requestTimeout": "-1s"}, "", "Request timeout must be a positive duration (e.g. 30s). Please"),
        ({"query": "q", "interval": "x"}, "", "provider.datadog.interval: 'x' is no duration"),
        ({"query": "q"}, Reply("no", 401), "received authentication error response code: 401 no"),
        ({"query": "q"}, Reply("no", 403), "received authentication error response code: 403 no"),
        ({"query": "q"}, Reply("oops", 500), "received non 2xx response code: 500 oops"),
        ({"query": "q"}, "<html>", "Could not parse JSON body: "),
        ({"query": "q"}, {"series": [1]}, "Could not parse JSON body: "),
        (
            {"query": "q", "secretRef": {"namespaced": True}},
            "",
            "secret name is required for namespaced credentials",
        ),
        (
            {"query": "q", "secretRef": {"name": "none"}},
            "",
            "failed to find the credentials for datadog metrics provider",
        ),
    ],
)
async def test_what_goes_wrong_is_the_message(datadog: World, config: dict[str, Any], reply: Any, message: str) -> None:
    datadog.vendor.says(V1, reply)
    measured = await datadog.measured("datadog", config)
    assert measured.phase == "Error"
    assert measured.message.startswith(message)


async def test_errors_of_a_query_are_told(datadog: World) -> None:
    datadog.vendor.says(V2, {"data": {"errors": "no such metric"}})
    measured = await datadog.measured("datadog", {"apiVersion": "v2", "query": "q"})
    assert measured.message == "There were errors in your query: no such metric"


@pytest.mark.parametrize("namespaced", [True, False])
async def test_a_named_secret_is_the_only_one_that_is_read(world: World, namespaced: bool) -> None:
    world.environment |= {"DD_API_KEY": "env", "DD_APP_KEY": "env", "DD_ADDRESS": "http://unused"}
    world.cluster.secret("ns" if namespaced else CONTROLLER, "own", api_key="k", app_key="l", address=world.url)
    world.vendor.says(V1, series([1, 1]))
    config = {"query": "q", "secretRef": {"name": "own", "namespaced": namespaced}}
    assert (await world.measured("datadog", config)).phase == "Successful"
    assert world.vendor.asked[0].headers["dd-api-key"] == "k"


async def test_the_environment_comes_before_the_common_secret(datadog: World) -> None:
    datadog.vendor.says(V1, series([1, 1]))
    datadog.environment |= {"DD_API_KEY": "env", "DD_APP_KEY": "env"}
    await datadog.measured("datadog", {"query": "q"})
    datadog.environment["DD_ADDRESS"] = datadog.url
    await datadog.measured("datadog", {"query": "q"})
    assert [asked.headers["dd-api-key"] for asked in datadog.vendor.asked] == ["api-key-1", "env"]
