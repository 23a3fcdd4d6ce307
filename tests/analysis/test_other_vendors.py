"""New Relic, Wavefront, Graphite, InfluxDB and SkyWalking as their APIs answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from serinus.analysis.providers.registry import provider, providers
from tests.support.analysis.vendor import CONTROLLER, NOW, Reply, World


def test_every_provider_of_the_api_is_there() -> None:
    """Tools compare these labels of the controller's metrics."""
    types = {key: one.type for key, one in providers().items() if "/" not in key}
    assert types == {
        "web": "Web",
        "prometheus": "Prometheus",
        "job": "Job",
        "datadog": "Datadog",
        "newRelic": "NewRelic",
        "wavefront": "Wavefront",
        "cloudWatch": "CloudWatch",
        "graphite": "Graphite",
        "influxdb": "Influxdb",
        "skywalking": "skywalking",
        "kayenta": "Kayenta",
        "plugin": "RPCPlugin",
    }


async def test_a_provider_that_there_is_not_is_told_with_those_there_are(world: World) -> None:
    measured = await world.measured("nagios", {})
    assert measured.message.startswith("no provider 'nagios': it is one of cloudWatch, datadog, ")


@pytest.fixture
def new_relic(world: World) -> World:
    world.cluster.secret(
        CONTROLLER, "newrelic", personal_api_key="key", account_id="42", base_url_nerdgraph=f"{world.url}/graphql"
    )
    return world


def rows(*found: Any) -> dict[str, Any]:
    return {"data": {"actor": {"account": {"nrql": {"results": list(found)}}}}}


async def test_new_relic_gives_the_row_or_the_rows(new_relic: World) -> None:
    new_relic.vendor.says("/graphql", rows({"average.duration": 7, "count": 3}), rows({"a": 1}, {"a": 2}))
    config = {"query": "SELECT 1", "timeout": 9}
    one = await new_relic.measured("newRelic", config, successCondition="result['average.duration'] == 7")
    assert (one.phase, one.value) == ("Successful", '{"average.duration":7,"count":3}')
    many = await new_relic.measured("newRelic", config, successCondition="all(result, .a > 0)")
    assert (many.phase, many.value) == ("Successful", '[{"a":1},{"a":2}]')
    asked = new_relic.vendor.asked[0]
    assert (asked.method, asked.headers["api-key"]) == ("POST", "key")
    assert asked.json["variables"] == {"accountId": 42, "query": "SELECT 1", "timeout": 9}
    assert "$query: Nrql!" in asked.json["query"]
    metric = new_relic.metric("newRelic", config)
    assert provider("newRelic").metadata(metric) == {"ResolvedNewRelicQuery": "SELECT 1"}


@pytest.mark.parametrize(
    ("config", "reply", "message"),
    [
        ({"timeout": -1}, "", "timeout value needs to be a positive value"),
        ({"profile": "none"}, "", "account ID or personal API key not found"),
        ({}, rows(), "no results returned from NRQL query"),
        ({}, {"errors": [{"message": "bad NRQL"}], "data": None}, "bad NRQL"),
        ({}, Reply("denied", 401), "received non 2xx response code: 401 denied"),
        ({}, "<html>", "Could not parse JSON body: "),
    ],
)
async def test_new_relic_errors_are_told(new_relic: World, config: dict[str, Any], reply: Any, message: str) -> None:
    new_relic.vendor.says("/graphql", reply)
    measured = await new_relic.measured("newRelic", {"query": "SELECT 1", **config})
    assert measured.phase == "Error"
    assert measured.message.startswith(message)


async def test_new_relic_regions_are_known_or_told(world: World) -> None:
    world.cluster.secret(CONTROLLER, "newrelic", personal_api_key="key", account_id="42", region="moon")
    assert (await world.measured("newRelic", {"query": "q"})).message.startswith("unknown New Relic region 'moon'")


@pytest.fixture
def wavefront(world: World) -> World:
    world.cluster.secret(CONTROLLER, "wavefront-api-tokens", **{world.url: "token"})
    return world


async def test_wavefront_takes_the_point_nearest_to_now(wavefront: World) -> None:
    at = int(NOW)
    data = [[at - 60, 0.1], [at - 5, 0.333], [at + 30, 9]]
    one = {"timeseries": [{"data": data}], "warnings": "w"}
    wavefront.vendor.says("/api/v2/chart/api", one, {"timeseries": [{"data": data}, {"data": [[at, 2]]}]})
    config = {"address": wavefront.url, "query": "ts(x)"}
    measured = await wavefront.measured("wavefront", config, successCondition="result == 0.333")
    assert (measured.phase, measured.value) == ("Successful", "0.33")
    assert measured.metadata == {"timestamps": str(at - 5), "drift": "5", "warnings": "w"}
    (asked,) = wavefront.vendor.asked
    stamp = str(int(NOW * 1000))
    assert asked.query == {"q": "ts(x)", "s": stamp, "e": stamp, "p": "1", "g": "s", "i": "true"}
    assert asked.headers["authorization"] == "Bearer token"
    many = await wavefront.measured("wavefront", config, successCondition="result[1] == 2")
    assert (many.phase, many.value) == ("Successful", "[0.33,2.00]")
    assert many.metadata == {"timestamps": f"{at - 5},{at}", "drift": "5,0"}


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ({"timeseries": []}, "No TimeSeries found in response from Wavefront"),
        ({"errorType": "QuerySyntaxError", "errorMessage": "oops"}, "QuerySyntaxError: oops"),
        (Reply("", 500), "received non 2xx response code: 500"),
        ({"timeseries": [{"data": [["x"]]}]}, "the answer of Wavefront cannot be read: "),
    ],
)
async def test_wavefront_errors_are_told(wavefront: World, reply: Any, message: str) -> None:
    wavefront.vendor.says("/api/v2/chart/api", reply)
    measured = await wavefront.measured("wavefront", {"address": wavefront.url, "query": "ts(x)"})
    assert measured.phase == "Error"
    assert measured.message.startswith(message)


async def test_wavefronts_token_is_not_sent_in_clear_unless_its_key_says_so(world: World) -> None:
    """The author of a template chooses the address; the key of the Secret is the administrator's."""
    host = world.url.partition("://")[2]
    world.cluster.secret(CONTROLLER, "wavefront-api-tokens", **{host: "of-the-administrator"})
    measured = await world.measured("wavefront", {"address": world.url, "query": "ts(x)"})
    assert measured.message == "API token not found"
    assert world.vendor.asked == []


async def test_wavefront_needs_a_token_for_the_address(world: World) -> None:
    assert (await world.measured("wavefront", {"address": "x", "query": "q"})).message == "API token not found"


async def test_graphite_gives_what_is_not_null_of_the_first_series(world: World) -> None:
    world.vendor.says("/render", [{"target": "a", "datapoints": [[1, 10], [None, 20], [2.5, 30]]}, {"datapoints": []}])
    config = {"address": f"{world.url}/", "query": "target=sumSeries( a.b,\n 'c')&from=-5min"}
    measured = await world.measured("graphite", config, successCondition="result[1] == 2.5")
    assert (measured.phase, measured.value) == ("Successful", "[1.000000,2.500000]")
    assert world.vendor.asked[0].raw_query == "target=sumSeries(a.b,'c')&from=-5min&format=json"


@pytest.mark.parametrize(
    ("address", "reply", "message"),
    [
        ("", [], "no values found"),
        ("", [{"datapoints": [[None, 1]]}], "no values found"),
        ("", Reply("bad target", 400), "error response: bad target"),
        ("", "no", "Could not parse JSON body: "),
        ("", {"a": 1}, "the answer of Graphite cannot be read: "),
        ("graphite", [], "Graphite address graphite is not a valid URL"),
    ],
)
async def test_graphite_errors_are_told(world: World, address: str, reply: Any, message: str) -> None:
    world.vendor.says("/render", reply)
    measured = await world.measured("graphite", {"address": address or world.url, "query": "target=a"})
    assert measured.phase == "Error"
    assert measured.message.startswith(message)


CSV = """\
#datatype,string,long,dateTime:RFC3339,double,string\r
#group,false,false,false,false,true\r
#default,_result,,,,\r
,result,table,_time,_value,host\r
,,0,2026-01-01T00:00:00Z,0.5,"a,b"\r
,,0,2026-01-01T00:01:00Z,1e+06,a\r
\r
#datatype,string,long,long,string\r
#group,false,false,false,true\r
#default,_result,,,\r
,result,table,_value,host\r
,,1,7,c\r
\r
#datatype,string,long,boolean\r
#group,false,false,false\r
#default,_result,,\r
,result,table,_value\r
,,2,true\r
,,2,\r
"""


@pytest.fixture
def influxdb(world: World) -> World:
    world.cluster.secret(CONTROLLER, "influxdb", address=world.url, authToken="token-1", org="my org")
    return world


async def test_influxdb_gives_every_value_with_its_type(influxdb: World) -> None:
    influxdb.vendor.says("/api/v2/query", CSV)
    condition = "result[0] == 0.5 && type(result[2]) == 'int' && result[3] && result[4] == nil"
    measured = await influxdb.measured("influxdb", {"query": "from(bucket: 'b')"}, successCondition=condition)
    assert (measured.phase, measured.value) == ("Successful", "[0.5 1e+06 7 true <nil>]")
    (asked,) = influxdb.vendor.asked
    assert (asked.method, asked.query) == ("POST", {"org": "my org"})
    assert asked.headers["authorization"] == "Token token-1"
    assert (asked.json["query"], asked.json["type"]) == ("from(bucket: 'b')", "flux")
    assert asked.json["dialect"]["annotations"] == ["datatype", "group", "default"]


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ("\r\n", "no results returned from flux query"),
        (Reply({"code": "invalid", "message": "compilation failed"}, 400), "invalid: compilation failed"),
        (Reply("oops", 503), "received non 2xx response code: 503 oops"),
        ("#datatype,string,string\r\n,error,reference\r\n,query broke,897\r\n", "query broke"),
        ("#datatype,string,long\r\n,result,_value\r\n,,x\r\n", "the answer of InfluxDB cannot be read: "),
    ],
)
async def test_influxdb_errors_are_told(influxdb: World, reply: Any, message: str) -> None:
    influxdb.vendor.says("/api/v2/query", reply)
    measured = await influxdb.measured("influxdb", {"query": "q"})
    assert measured.phase == "Error"
    assert measured.message.startswith(message)


async def test_influxdb_needs_its_secret(world: World) -> None:
    measured = await world.measured("influxdb", {"query": "q", "profile": "own"})
    assert measured.message == "authToken, org, or address not found"


async def test_skywalking_asks_for_minutes_and_gives_the_data(world: World) -> None:
    world.vendor.says("/graphql", {"data": {"metric": {"values": [{"value": 5}]}}})
    config = {"address": world.url, "query": "query q($duration: Duration!) {…}", "interval": "5m"}
    measured = await world.measured("skywalking", config, successCondition="result.metric.values[0].value == 5")
    assert (measured.phase, measured.value) == ("Successful", '{"metric":{"values":[{"value":5}]}}')
    local = [datetime.fromtimestamp(at).strftime("%Y-%m-%d %H%M") for at in (NOW - 300, NOW)]
    asked = world.vendor.asked[0].json
    assert asked["variables"] == {"duration": {"start": local[0], "end": local[1], "step": "MINUTE"}}


@pytest.mark.parametrize(
    ("config", "reply", "message"),
    [
        ({"interval": ""}, "", "provider.skywalking.interval: '' is no duration"),
        ({}, {"data": {}}, "no results returned from SkyWalking query"),
        ({}, {"errors": [{"message": "bad query"}]}, "bad query"),
        ({}, Reply("", 502), "received non 2xx response code: 502"),
    ],
)
async def test_skywalking_errors_are_told(world: World, config: dict[str, Any], reply: Any, message: str) -> None:
    world.vendor.says("/graphql", reply)
    measured = await world.measured("skywalking", {"address": world.url, "query": "q", "interval": "5m", **config})
    assert measured.phase == "Error"
    assert measured.message.startswith(message)
