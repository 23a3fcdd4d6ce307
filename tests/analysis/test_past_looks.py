"""The looks of the past that `serinus verdict calibrate -f` measures, from each provider that keeps a past."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest

from serinus.analysis.providers.counts import NoCounts
from serinus.analysis.providers.past_counts import past_looks, with_past
from serinus.analysis.sequential.looks import FIELDS, Look
from serinus.analysis.sequential.metric import COUNTING, PLUGIN, SequentialMetric, sequential_metric
from serinus.analysis.sequential.settings import SetupError
from serinus.api.analysis import Metric
from serinus.api.values.times import format_time
from tests.support.analysis.vendor import CONTROLLER, World

START, STEP = 1_790_000_010.0, 30.0
TIMES = [START + STEP * place for place in range(3)]
COUNTS: tuple[float | None, ...] = (20.0, None, 40.0)
LOOKS = [Look(20, 20, 20, 20), Look(40, 40, 40, 40)]
"""Of all four queries, if each gives COUNTS. The look without counts is left out."""


def metric(provider: str, base: dict[str, Any], query: Any = "q", **more: Any) -> SequentialMetric:
    side = {"requests": query, "errors": query}
    counts = {provider: base, "canary": side, "stable": side, **more}
    plugin = {PLUGIN: {"counts": counts}}
    return sequential_metric(
        msgspec.convert({"name": "errors", "interval": "30s", "provider": {"plugin": plugin}}, Metric)
    )


async def looks(world: World, found: SequentialMetric) -> tuple[list[Look], int]:
    return await past_looks(found, FIELDS, TIMES[0], TIMES[-1], world.reach(), "ns")


def points(offset: float = 0.0, scale: float = 1.0) -> list[tuple[float, float]]:
    """(time, count) of COUNTS, `offset` seconds before the looks."""
    return [((at - offset) * scale, count) for at, count in zip(TIMES, COUNTS, strict=True) if count is not None]


async def test_prometheus_answers_a_range(world: World) -> None:
    values = [[at, str(count)] for at, count in points()]
    answer = {"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}, "values": values}]}}
    world.vendor.says("/api/v1/query_range", answer)
    assert await looks(world, metric("prometheus", {"address": world.url})) == (LOOKS, 1)
    assert len(world.vendor.asked) == 4
    form = parse_qs(world.vendor.asked[0].body.decode())
    assert form == {"query": ["q"], "start": ["1790000010"], "end": ["1790000070"], "step": ["30"]}


async def test_totals_are_the_difference_between_two_looks(world: World) -> None:
    """The second counter was reset before the last time."""
    values = [[[at, str(total)] for at, total in zip(TIMES, row, strict=True)] for row in ((100, 130, 140), (5, 6, 2))]
    answers = [{"status": "success", "data": {"result": [{"metric": {}, "values": one}]}} for one in values]
    world.vendor.says("/api/v1/query_range", *answers, *answers)
    found = await looks(world, metric("prometheus", {"address": world.url}, totals=True))
    assert found == ([Look(30, 1, 30, 1)], 1)


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_datadog_answers_points_before_the_look(world: World, version: str) -> None:
    world.cluster.secret(CONTROLLER, "datadog", api_key="a", app_key="b", address=world.url)
    pairs = points(STEP, 1000)
    world.vendor.says("/api/v1/query", {"series": [{"pointlist": pairs}]})
    columns = {"times": [at for at, _ in pairs], "values": [[count for _, count in pairs]], "series": [{}]}
    world.vendor.says("/api/v2/query/timeseries", {"data": {"attributes": columns}})
    base = {"apiVersion": version, "interval": "30s"}
    with pytest.raises(NoCounts, match=r"points 60 s apart .* write `\.rollup\(sum, 30\)`"):
        await looks(world, metric("datadog", base))
    every = [(at - 1000 * STEP, count or 0) for at, count in zip((1000 * at for at in TIMES), COUNTS, strict=True)]
    world.vendor.says("/api/v1/query", {"series": [{"pointlist": [(at, count or None) for at, count in every]}]})
    columns = {"times": [at for at, _ in every], "values": [[count or None for _, count in every]]}
    world.vendor.says("/api/v2/query/timeseries", {"data": {"attributes": columns}})
    world.vendor.asked.clear()
    assert await looks(world, metric("datadog", base)) == (LOOKS, 1)
    asked = world.vendor.asked[0]
    if version == "v1":
        assert asked.query == {"query": "q", "from": str(int(START - STEP)), "to": str(int(TIMES[-1]))}
    else:
        attributes = asked.json["data"]["attributes"]
        assert (attributes["from"], attributes["interval"]) == (1000 * (START - STEP), 30_000)
        assert attributes["queries"] == [{"data_source": "metrics", "name": "query", "query": "q"}]


async def test_cloud_watch_answers_pages_and_their_points_are_summed(world: World) -> None:
    world.environment = {
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL_CLOUDWATCH": f"{world.url}/",
    }

    def page(found: list[tuple[float, float]], token: str) -> str:
        times = "".join(f"<member>{format_time(at)}</member>" for at, _ in found)
        values = "".join(f"<member>{value}</member>" for _, value in found)
        member = f"<member><Id>m</Id><Timestamps>{times}</Timestamps><Values>{values}</Values></member>"
        result = f"<MetricDataResults>{member}</MetricDataResults>{token}"
        return f"<GetMetricDataResponse><GetMetricDataResult>{result}</GetMetricDataResult></GetMetricDataResponse>"

    first, last = points(STEP)
    halves = [page([(last[0], 15.0)], "<NextToken>more</NextToken>"), page([(last[0] + 10, 25.0), first], "")]
    world.vendor.says("/", *halves * 4)
    query = {"metricDataQueries": [{"id": "m", "expression": "x"}]}
    assert await looks(world, metric("cloudWatch", {"interval": "30s"}, query)) == (LOOKS, 1)
    asked = [parse_qs(one.body.decode()) for one in world.vendor.asked]
    assert [one.get("NextToken") for one in asked] == [None, ["more"]] * 4
    assert asked[0]["StartTime"] == [format_time(START - STEP)]


async def test_new_relic_is_asked_for_a_time_series(world: World) -> None:
    world.cluster.secret(
        CONTROLLER, "newrelic", personal_api_key="k", account_id="42", base_url_nerdgraph=f"{world.url}/graphql"
    )
    rows = [{"beginTimeSeconds": at, "endTimeSeconds": at + STEP, "count": count} for at, count in points(STEP)]
    world.vendor.says("/graphql", {"data": {"actor": {"account": {"nrql": {"results": rows}}}}})
    query = "SELECT count(*) FROM T SINCE 30 seconds ago WHERE name = 'ever since 5 until' UNTIL now"
    assert await looks(world, metric("newRelic", {}, query)) == (LOOKS, 1)
    assert world.vendor.asked[0].json["variables"]["query"] == (
        "SELECT count(*) FROM T WHERE name = 'ever since 5 until' "
        f"SINCE {1000 * int(START - STEP)} UNTIL {1000 * int(TIMES[-1])} TIMESERIES 30 SECONDS"
    )
    with pytest.raises(NoCounts, match="FACET"):
        await looks(world, metric("newRelic", {}, "SELECT count(*) FROM T FACET host"))


async def test_influxdb_is_asked_as_of_each_time(world: World) -> None:
    world.cluster.secret(CONTROLLER, "influxdb", address=world.url, authToken="t", org="o")
    head = "#datatype,string,long,double\n#group,false,false,false\n#default,_result,,\n,result,table,_value\n"
    bodies = [head + (f",,0,{count}\n" if count is not None else "") for count in COUNTS]
    answers = dict(zip(map(format_time, TIMES), bodies, strict=True))
    world.vendor.answers("/api/v2/query", lambda asked: answers[asked.json["now"]])
    assert await looks(world, metric("influxdb", {})) == (LOOKS, 1)
    assert len(world.vendor.asked) == 4 * len(TIMES)


async def test_graphite_is_asked_for_the_whole_time(world: World) -> None:
    datapoints = [[count, at - STEP] for at, count in zip(TIMES, COUNTS, strict=True)]
    world.vendor.says("/render", [{"target": "x", "datapoints": datapoints}])
    found = metric("graphite", {"address": world.url}, "target=summarize(x,'30s','sum')&from=-30s")
    assert await looks(world, found) == (LOOKS, 1)
    assert world.vendor.asked[0].raw_query == (
        f"target=summarize(x,'30s','sum')&from={int(START - STEP)}&until={int(TIMES[-1])}&format=json"
    )
    world.vendor.says("/render", [{"target": "x", "datapoints": [[1, START - 20], [1, START - 10]]}])
    with pytest.raises(NoCounts, match=re.escape("answers 2 points for 30 s")):
        await looks(world, found)


@pytest.mark.parametrize("key", sorted(set(COUNTING) - set(with_past())))
async def test_a_provider_without_a_past_names_those_that_keep_one(world: World, key: str) -> None:
    with pytest.raises(
        SetupError, match=f"counts.{key}: has no queries of the past here: -f reads them from prometheus, "
    ):
        await looks(world, metric(key, {"address": "x"}))
    assert world.vendor.asked == []


def test_the_docs_name_the_providers_that_keep_a_past() -> None:
    text = (Path(__file__).parents[2] / "docs" / "verdicts.md").read_text()
    sentence = re.search(r"The past is read from ([^.:]+):", text)
    assert sentence is not None
    assert re.findall(r"`(\w+)`", sentence[1]) == with_past()


async def test_an_answer_with_errors_names_the_query(world: World) -> None:
    world.vendor.says("/api/v1/query_range", {"status": "error", "errorType": "bad_data", "error": "oops"})
    with pytest.raises(NoCounts, match=r"counts\.canary\.requests: bad_data: oops"):
        await looks(world, metric("prometheus", {"address": world.url}))
