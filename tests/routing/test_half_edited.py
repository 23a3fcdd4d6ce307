"""Each router with the objects of its page, of which a user has edited any part halfway.

Every part of every object is removed, doubled, and replaced by something of another kind. The answer is an error that names an
object and writes nothing, or the writes of a route that can still have the weight; never an exception. With the objects
as they were, the weight is written again.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from serinus.routing.registry import routers_of
from tests.support.routing.plain import NAMESPACE, Cluster, rollout
from tests.support.routing.samples import SAMPLES, parts

Json = dict[str, Any]
Path = tuple[str | int, ...]
ODD: tuple[Any, ...] = (None, "x", 7, [], {})
GONE, TWICE = object(), object()
WITH_OBJECTS = [page for page, text in SAMPLES.items() if parts(text)[0]]


def places(value: Any, at: Path = ()) -> Iterator[Path]:
    """Every place below an object's spec and annotations."""
    items: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    for key, below in items:
        yield (*at, key)
        yield from places(below, (*at, key))


def with_value(obj: Json, at: Path, value: Any) -> Json:
    changed = copy.deepcopy(obj)
    *way, last = at
    here: Any = changed
    for key in way:
        here = here[key]
    if value is GONE:
        del here[last]
    elif value is TWICE:
        if isinstance(here, list):
            here.append(copy.deepcopy(here[int(last)]))
    else:
        here[last] = value
    return changed


def cluster(page: str) -> tuple[Cluster, list[Json]]:
    objects, canary = parts(SAMPLES[page])
    routing, steps = canary.pop("trafficRouting"), canary.pop("steps")
    return Cluster(
        rollout(routing, *steps, **{"canaryService": "", "stableService": ""} | canary), *copy.deepcopy(objects)
    ), objects


def is_typed(obj: Json) -> bool:
    """The cache refuses an Ingress of another form."""
    return obj["kind"] == "Ingress"


@pytest.mark.parametrize("page", WITH_OBJECTS)
def test_an_object_that_is_edited_halfway_is_an_error_with_its_name_or_gets_the_weight(page: str):
    there, objects = cluster(page)
    names = [each["metadata"]["name"] for each in objects]
    tried = refused = 0
    for number, obj in enumerate(objects):
        for at in [place for place in places(obj) if place[0] == "spec" or place[:2] == ("metadata", "annotations")]:
            for value in (GONE, TWICE, *ODD) if not is_typed(obj) else (GONE, TWICE):
                changed = with_value(obj, at, value)
                for each in (*objects[:number], changed, *objects[number + 1 :]):
                    there.put(copy.deepcopy(each))
                before = msgspec.json.encode(there.objects[_key(there, obj)])
                try:
                    answers = there.answers(there.traffic(20))
                except msgspec.ValidationError:
                    assert is_typed(obj), "the router itself reads its objects"
                    continue
                tried += 1
                for answer in answers:
                    if answer.error:
                        refused += 1
                        assert answer.writes == ()
                        assert any(name in answer.error for name in names), (at, value, answer.error)
                assert msgspec.json.encode(there.objects[_key(there, obj)]) == before
    assert tried > refused > 0
    for each in objects:
        there.put(copy.deepcopy(each))
    there.route(20)
    assert there.error(20) == ""


def _key(there: Cluster, obj: Json) -> tuple[str, str]:
    (found,) = (
        key for key in there.objects if key[0].partition(".")[0] == obj["kind"] and key[1] == obj["metadata"]["name"]
    )
    return found


@pytest.mark.parametrize("page", WITH_OBJECTS)
def test_an_object_that_is_edited_halfway_is_released_without_an_exception(page: str):
    there, objects = cluster(page)
    (used,) = routers_of(there.rollout.spec)
    for number, obj in enumerate(objects):
        for at in [place for place in places(obj) if place[0] == "spec"]:
            for value in (GONE, *ODD) if not is_typed(obj) else (GONE,):
                for each in (*objects[:number], with_value(obj, at, value), *objects[number + 1 :]):
                    there.put(copy.deepcopy(each))
                try:
                    seen = there.seen()
                except msgspec.ValidationError:
                    continue
                before = msgspec.json.encode(seen)
                used.router.release(used.config, there.traffic(0), seen)
                tuple(used.router.check(there.rollout, used.config, seen))
                assert (msgspec.json.encode(seen), seen.namespace) == (before, NAMESPACE)
