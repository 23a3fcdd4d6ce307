"""For any answer of a monitoring system, a provider either reads it or reports why it cannot."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serinus.analysis.providers import (
    cloud_watch,
    datadog,
    graphite,
    influxdb,
    kayenta,
    new_relic,
    prometheus,
    wavefront,
    web,
)
from serinus.analysis.providers.errors import ProviderError
from serinus.analysis.providers.http import graphql
from serinus.analysis.providers.http.client import Http, HttpResponse
from serinus.analysis.providers.provider import QueryProvider
from serinus.analysis.providers.registry import provider
from tests.support.analysis.provider_pages import KEYS, sample
from tests.support.analysis.vendor import Vendor, World
from tests.support.long import examples

FIELDS = (
    "status data resultType result value values metric warnings errorType error series pointlist attributes columns type "
    "errors message actor account nrql results timeseries datapoints judgeResult score complete name id"
)
WORDS = st.sampled_from(["success", "error", "vector", "matrix", "scalar", "number", "group", "NaN", "0.5", "x", ""])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | WORDS
ANSWERS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS.split()), inner, max_size=5),
    max_leaves=12,
)
ROWS: dict[str, Any] = {"data": {"actor": {"account": {"nrql": {"results": [{"a": 1}]}}}}}
POINTS = {"data": [[1, 2.5]]}
GROUP = {"type": "group", "values": [["a", "b"]]}
VALID: list[Any] = [
    {"status": "success", "warnings": ["w"], "data": {"resultType": "vector", "result": [{"value": [1, "2"]}]}},
    {"status": "success", "data": {"resultType": "matrix", "result": [{"values": [[1, "2"]]}]}},
    {"status": "success", "data": {"resultType": "scalar", "result": [1, "2"]}},
    {"status": "error", "errorType": "a", "error": "b"},
    {"series": [{"pointlist": [[1, 2.5]]}]},
    {"data": {"attributes": {"columns": [GROUP, {"type": "number", "values": [1.5]}]}, "errors": ""}},
    ROWS,
    {"errors": [{"message": "m"}]},
    {"timeseries": [POINTS, POINTS], "warnings": "w"},
    [{"target": "a", "datapoints": [[1.5, 1], [None, 2]]}],
    {"code": "a", "message": "b"},
    {"complete": True, "result": {"judgeResult": {"score": {"score": 90}}}},
    [{"name": "x", "id": "y"}],
]


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """A vendor's answer with one value replaced."""
    answer = copy.deepcopy(draw(st.sampled_from(VALID)))
    at: Any = answer
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        if not keys:
            return answer
        key = draw(st.sampled_from(keys))
        if isinstance(at[key], dict | list) and draw(st.booleans()):
            at = at[key]
            continue
        at[key] = draw(ANSWERS)
        return answer


STATUS = st.sampled_from([200, 200, 200, 400, 422, 500])

READERS: dict[str, Callable[[HttpResponse], Any]] = {
    "web": lambda answer: web.reading(answer.body, "{.data.result[0].value}"),
    "prometheus": lambda answer: prometheus._reading(prometheus._data(answer)),
    "datadog v1": lambda answer: datadog._points(datadog._checked(answer)),
    "datadog v2": lambda answer: datadog._columns(datadog._checked(answer)),
    "new relic": lambda answer: new_relic._reading(graphql.data_of(answer)),
    "wavefront": lambda answer: wavefront._reading(wavefront.object_of(answer), 1.0),
    "graphite": lambda answer: graphite._reading(answer.json()),
    "influxdb": lambda answer: list(influxdb._values(answer.text)),
    "influxdb refusal": influxdb._refusal,
    "cloud watch": cloud_watch._reading,
    "kayenta": lambda answer: kayenta._score(answer.json()),
    "kayenta config": lambda answer: kayenta._config_id(answer.json(), "x"),
}


@pytest.mark.parametrize("reader", READERS)
@given(answer=damaged() | ANSWERS, status=STATUS)
@settings(max_examples=examples(300), deadline=None)
def test_any_json_is_read_or_refused_in_words(reader: str, answer: Any, status: int) -> None:
    body = json.dumps(answer, allow_nan=False, default=str) if _finite(answer) else "NaN"
    with contextlib.suppress(ProviderError):
        READERS[reader](HttpResponse(status, {}, body.encode()))


@pytest.mark.parametrize("reader", READERS)
@given(body=st.binary(max_size=200) | st.text(alphabet='#,"\n\r_valuerdotyp<>/&;x0', max_size=200).map(str.encode))
@settings(max_examples=examples(200), deadline=None)
def test_any_bytes_are_read_or_refused_in_words(reader: str, body: bytes) -> None:
    with contextlib.suppress(ProviderError):
        READERS[reader](HttpResponse(200, {}, body))


class Canned(Http):
    """Gives the same answer to every request."""

    def __init__(self, answer: HttpResponse) -> None:
        self.answer = answer

    async def request(self, *_: Any, **__: Any) -> HttpResponse:
        return self.answer


QUERIES = [page for page, key in KEYS.items() if isinstance(provider(key), QueryProvider)]


@pytest.mark.parametrize("page", QUERIES)
@given(answer=damaged() | ANSWERS, status=STATUS)
@settings(max_examples=examples(60), deadline=None)
def test_any_answer_to_the_sample_of_a_page_is_read_or_refused_in_words(page: str, answer: Any, status: int) -> None:
    body = json.dumps(answer, allow_nan=False, default=str) if _finite(answer) else "NaN"
    world = World(Vendor(), Canned(HttpResponse(status, {}, body.encode())))
    metric = sample(world, page, url="http://vendor")
    one = provider(KEYS[page])
    assert isinstance(one, QueryProvider)
    call = world.call(metric)
    with contextlib.suppress(ProviderError):
        asyncio.run(one.query(call.config(one.key, one.config), call))


def _finite(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True
