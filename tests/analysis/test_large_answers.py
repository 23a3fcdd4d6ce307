"""An answer at its size limit does not block the event loop, whatever its shape."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from serinus.analysis.providers.errors import ProviderError
from serinus.analysis.providers.http import decoding
from serinus.analysis.providers.http.client import LARGEST_ANSWER, Http
from serinus.analysis.providers.http.decoding import MOST_VALUES, NotJson, json_of
from tests.support.analysis.vendor import World, started_vendor
from tests.support.long import crossed

ALLOWED = 0.05
"""Seconds of one step of the event loop's thread."""


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    async with started_vendor() as vendor, Http() as http:
        yield World(vendor, http)


@pytest.fixture(autouse=True)
def _only_own_garbage() -> Iterator[None]:
    """The collector visits the objects of the test, and not those of the whole test run."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def filled(unit: bytes, values: int, start: bytes = b"[", end: bytes = b"0]") -> bytes:
    """As many units as the bounds allow; each has so many values."""
    count = min((LARGEST_ANSWER - 64) // len(unit), (MOST_VALUES - 10) // values)
    return start + unit * count + end


SERIES = {
    "metric": {"__name__": "requests_total", **{f"label{n}": f"value {n}" for n in range(10)}},
    "value": [1, "0.5"],
}
SHAPES: dict[str, bytes] = {
    "lists": filled(b"[],", 2),
    "objects": filled(b'{"a":1},', 2),
    "numbers": filled(b"1.5,", 1),
    "text": b'"' + b"a" * (LARGEST_ANSWER - 2) + b'"',
    "escapes": b'"' + b"\\u00e9" * ((LARGEST_ANSWER - 8) // 6) + b'"',
    "no JSON": b"a,b %41" * ((LARGEST_ANSWER - 8) // 7),
    "brackets": b"[" * LARGEST_ANSWER,
    "series": b'{"status":"success","data":{"resultType":"vector","result":['
    + b",".join([json.dumps(SERIES).encode()] * 9_000)
    + b"]}}",
    "xml": b"<R>" + b"<m/>" * (MOST_VALUES - 10) + b"</R>",
}
PROVIDERS: dict[str, Any] = {
    "web": {"url": "URL/x", "jsonPath": "{..a}"},
    "prometheus": {"address": "URL/x", "query": "q"},
    "graphite": {"address": "URL/x", "query": "target=a"},
    "cloudWatch": {"metricDataQueries": []},
}


async def longest_step(done: asyncio.Event) -> float:
    """Seconds of processor time of this thread between two turns, minus the time of other threads."""
    longest = 0.0
    while not done.is_set():
        before = time.thread_time()
        await asyncio.sleep(0)
        longest = max(longest, time.thread_time() - before)
    return longest


@pytest.mark.parametrize(("provider", "shape"), crossed(PROVIDERS, SHAPES))
async def test_no_step_of_the_loop_is_long(world: World, provider: str, shape: str) -> None:
    for path in ("/x", "/x/api/v1/query", "/x/render", "/"):
        world.vendor.says(path, SHAPES[shape])
    world.environment |= {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "key-of-env", "AWS_REGION": "r"}
    world.environment["AWS_ENDPOINT_URL_CLOUDWATCH"] = world.url + "/"
    config = {key: v.replace("URL", world.url) if isinstance(v, str) else v for key, v in PROVIDERS[provider].items()}
    done = asyncio.Event()
    steps = asyncio.create_task(longest_step(done))
    measured = await world.measured(provider, config, successCondition="len(result) > 5 && all(result, # != nil)")
    done.set()
    assert await steps < ALLOWED
    assert measured.phase in ("Successful", "Failed", "Error")


async def test_the_bounds_are_named(world: World) -> None:
    world.vendor.says("/x", b"[" + b"1," * MOST_VALUES + b"1]")
    measured = await world.measured("web", {"url": f"{world.url}/x"})
    assert measured.message == f"the answer has more than {MOST_VALUES} values: ask for less"
    world.vendor.says("/x", b"x" * (LARGEST_ANSWER + 1))
    measured = await world.measured("web", {"url": f"{world.url}/x"})
    assert measured.message == f"the answer is larger than {LARGEST_ANSWER} bytes: ask for less"


async def test_a_long_condition_is_evaluated_apart(world: World) -> None:
    world.vendor.says("/x", 1)
    condition = "len(filter(1..20000, # % 2 == 0)) == 10000"
    done = asyncio.Event()
    steps = asyncio.create_task(longest_step(done))
    measured = await world.measured("web", {"url": f"{world.url}/x"}, successCondition=condition)
    done.set()
    assert (measured.phase, measured.message) == ("Successful", "")
    assert await steps < ALLOWED


async def test_definitions_of_entities_are_refused(world: World) -> None:
    world.environment |= {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "key-of-env", "AWS_REGION": "r"}
    world.environment["AWS_ENDPOINT_URL_CLOUDWATCH"] = world.url + "/"
    world.vendor.says("/", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')
    measured = await world.measured("cloudWatch", {"metricDataQueries": []})
    assert measured.message == "the answer cannot be read: it defines entities of XML"


@pytest.mark.parametrize("shape", SHAPES)
def test_decoding_holds_the_interpreter_shortly(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread can interrupt the decoder. The walk over the decoded value can be interrupted."""
    monkeypatch.setattr(decoding, "nests_too_deep", lambda _: False)
    taken: list[float] = []
    for _ in range(5):
        began = time.thread_time()
        with contextlib.suppress(NotJson, ProviderError):
            json_of(SHAPES[shape])
        taken.append(time.thread_time() - began)
    assert min(taken) < ALLOWED
