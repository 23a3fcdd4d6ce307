"""Amazon CloudWatch, by GetMetricData (spec/analysis.md §4, cloudWatch).

It uses AWS's query protocol (forms in, XML out), which every region and every emulator supports.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import msgspec

from serinus.analysis.expr.functions.time_values import SECOND, Time
from serinus.analysis.expr.limits import Budget
from serinus.analysis.expr.values import Floats, go_text
from serinus.analysis.limits import number
from serinus.analysis.providers.aws.credentials import credentials, region_of
from serinus.analysis.providers.aws.signature import signed
from serinus.analysis.providers.errors import ProviderError
from serinus.analysis.providers.http.client import HttpResponse
from serinus.analysis.providers.http.decoding import xml_of
from serinus.analysis.providers.past_points import points_by_look
from serinus.analysis.providers.provider import REQUIRED, MeasurementRequest, QueryProvider, Reading
from serinus.api.meta import IntOrString
from serinus.api.values.durations import go_duration
from serinus.api.values.times import parse_time

VERSION = "2010-08-01"
SECONDS = 30
_FORM = "application/x-www-form-urlencoded; charset=utf-8"


class Dimension(msgspec.Struct):
    name: str = ""
    value: str = ""


class AwsMetric(msgspec.Struct, rename="camel"):
    dimensions: list[Dimension] = []
    metric_name: str = ""
    namespace: str = ""


class MetricStat(msgspec.Struct):
    metric: AwsMetric = msgspec.field(default_factory=AwsMetric)
    period: IntOrString = 0
    stat: str = ""
    unit: str = ""


class MetricDataQuery(msgspec.Struct, rename="camel"):
    id: str = ""
    expression: str = ""
    label: str = ""
    metric_stat: MetricStat | None = None
    period: IntOrString | None = None
    return_data: bool | None = None


class CloudWatchConfig(msgspec.Struct, rename="camel"):
    interval: str = ""
    metric_data_queries: Annotated[list[MetricDataQuery], REQUIRED] = []


class CloudWatch(QueryProvider[CloudWatchConfig]):
    type = "CloudWatch"
    key = "cloudWatch"
    config = CloudWatchConfig
    request = "`metricDataQueries` over `interval`"
    result = "a list of objects: `Id Label Messages StatusCode Timestamps Values`"
    credentials = "AWS's own: environment, web identity, profile, container, machine"

    async def query(self, config: CloudWatchConfig, call: MeasurementRequest) -> Reading:
        try:
            interval = go_duration(config.interval or "5m")
        except ValueError as error:
            raise ProviderError("provider.cloudWatch.interval: ", error) from error
        answer = await _asked(config, call, call.now - interval, call.now)
        return await call.read(answer, lambda: _reading(answer))

    async def past(
        self, config: CloudWatchConfig, times: Sequence[float], step: float, call: MeasurementRequest
    ) -> dict[float, float]:
        """The sum of the points before each time, as `query` takes them."""
        points: list[tuple[float, float]] = []
        page: str | None = ""
        while page is not None:
            answer = await _asked(config, call, times[0] - step, times[-1], page)
            more, page = await call.taken(answer, partial(_past_points, answer))
            points += more
        return {time: sum(values) for time, values in points_by_look(points, times, step).items()}


async def _asked(
    config: CloudWatchConfig, call: MeasurementRequest, start: float, end: float, page: str = ""
) -> HttpResponse:
    """The response for the time from `start` to `end`. `page`: the token of a further one."""
    env = call.reach.environment
    region = region_of(env)
    suffix = ".cn" if region.startswith("cn-") else ""
    own = env.get("AWS_ENDPOINT_URL_CLOUDWATCH") or env.get("AWS_ENDPOINT_URL")
    url = own or f"https://monitoring.{region}.amazonaws.com{suffix}/"
    form = {
        "Action": "GetMetricData",
        "Version": VERSION,
        "StartTime": _time(start),
        "EndTime": _time(end),
        **dict(_fields(config.metric_data_queries)),
        **({"NextToken": page} if page else {}),
    }
    body, service, now = urlencode(form).encode(), "monitoring", call.now
    keys = await credentials(call.reach, region=region)
    headers = signed("POST", url, {"Content-Type": _FORM}, body, keys, region=region, service=service, now=now)
    return await call.reach.http.request("POST", url, headers=headers, body=body, seconds=SECONDS)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _fields(queries: list[MetricDataQuery]) -> Iterator[tuple[str, str]]:
    """The queries as lists of structures in the query protocol."""
    for position, query in enumerate(queries, 1):
        root = f"MetricDataQueries.member.{position}"
        plain = {"Id": query.id, "Expression": query.expression, "Label": query.label}
        if query.period is not None:
            plain["Period"] = str(number(query.period))
        if query.return_data is not None:
            plain["ReturnData"] = "true" if query.return_data else "false"
        stat = query.metric_stat
        if stat is not None:
            plain |= {
                "MetricStat.Metric.Namespace": stat.metric.namespace,
                "MetricStat.Metric.MetricName": stat.metric.metric_name,
                "MetricStat.Period": str(number(stat.period)),
                "MetricStat.Stat": stat.stat,
                "MetricStat.Unit": stat.unit,
            }
            for at, dimension in enumerate(stat.metric.dimensions, 1):
                plain[f"MetricStat.Metric.Dimensions.member.{at}.Name"] = dimension.name
                plain[f"MetricStat.Metric.Dimensions.member.{at}.Value"] = dimension.value
        yield from ((f"{root}.{key}", value) for key, value in plain.items() if value)


def _answered(answer: HttpResponse) -> ElementTree.Element:
    """The XML of the response. ProviderError for one without success."""
    try:
        root = _plain(xml_of(answer.body))
    except ElementTree.ParseError as error:
        raise ProviderError(f"CloudWatch answered {answer.status}, and no XML: ", answer.text) from error
    if not answer.ok:
        code, message = root.findtext(".//Code", "error"), root.findtext(".//Message", "")
        raise ProviderError(f"CloudWatch answered {answer.status}: ", f"{code}: {message}")
    return root


def _past_points(answer: HttpResponse) -> tuple[list[tuple[float, float]], str | None]:
    """(the points of the only query that returns data, the token of the next page, None for the last one)."""
    root = _answered(answer)
    members = root.findall("./GetMetricDataResult/MetricDataResults/member")
    if len({member.findtext("Id", "") for member in members}) > 1:
        raise ProviderError("several queries return data, and a count is one: set `returnData: false` for the others")
    points: list[tuple[float, float]] = []
    for member in members:
        result = _result(member)
        times = [parse_time(stamp.text) or 0.0 for stamp in member.findall("./Timestamps/member")]
        points += zip(times, result["Values"], strict=False)
    return points, root.findtext("./GetMetricDataResult/NextToken") or None


def _reading(answer: HttpResponse) -> Reading:
    root = _answered(answer)
    results = [_result(member) for member in root.findall("./GetMetricDataResult/MetricDataResults/member")]
    messages = [_message(member) for member in root.findall("./GetMetricDataResult/Messages/member")]
    metadata = {"messages": go_text([f"{m['Code']}: {m['Value']}" for m in messages], Budget())} if messages else {}
    return Reading(results, go_text([result["Values"] for result in results], Budget()), metadata)


def _plain(root: ElementTree.Element) -> ElementTree.Element:
    """Without namespaces."""
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def _result(member: ElementTree.Element) -> dict[str, Any]:
    """One series, with the field names of conditions."""
    try:
        values = Floats(float(value.text or "") for value in member.findall("./Values/member"))
    except ValueError as error:
        raise ProviderError("a value of CloudWatch's answer is no number: ", error) from error
    times = [parse_time(stamp.text) for stamp in member.findall("./Timestamps/member")]
    return {
        "Id": member.findtext("Id", ""),
        "Label": member.findtext("Label", ""),
        "Messages": [_message(message) for message in member.findall("./Messages/member")],
        "StatusCode": member.findtext("StatusCode", ""),
        "Timestamps": [Time(int((time or 0) * SECOND)) for time in times],
        "Values": values,
    }


def _message(member: ElementTree.Element) -> dict[str, str]:
    return {"Code": member.findtext("Code", ""), "Value": member.findtext("Value", "")}


PROVIDER = CloudWatch()
