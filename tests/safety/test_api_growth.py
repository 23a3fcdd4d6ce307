"""A request costs the API server time in proportion to its size: one large object would delay everything else.

The CPU time of the same work on two sizes is compared, so neither the machine nor its load matters.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from serinus.api.values.selectors import Selector
from serinus.kube.transport import APPLY_PATCH, JSON, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, Request
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.storage.store import MemoryStore
from serinus.local.schema.kinds import Schemas
from tests.support.kube.loop_clock import LoopClock
from tests.support.long import few

Json = dict[str, Any]
SMALL, LARGE = 500, 4000
MOST = 2.5
"""Times the growth in size. Work in proportion stays below 1.5 of it, work with the square comes to 8."""

TRIES = 3
FASTEST = 0.005
"""Seconds. Less on the small size proves nothing."""

POD: Json = {"containers": [{"name": "c", "image": "i"}]}
SCHEMA: Json = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
Sizes = Callable[[int], Json]


def _pod(**spec: Any) -> Json:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "big"}, "spec": {**POD, **spec}}


def _config(n: int) -> Json:
    return {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "big"}, "data": {f"k{i}": f"v{i}" for i in range(n)},
    }  # fmt: skip


def _env(n: int) -> Json:
    return _pod(containers=[{"name": "c", "image": "i", "env": [{"name": f"E{i}", "value": "v"} for i in range(n)]}])


def _containers(n: int) -> Json:
    return _pod(containers=[{"name": f"c{i}", "image": "i"} for i in range(n)])


def _wrong_amounts(n: int) -> Json:
    limits = {f"wrong{i}": str(i) for i in range(n)}
    return _pod(containers=[{"name": "c", "image": "i", "resources": {"limits": limits}}])


def _unknown(n: int) -> Json:
    return _pod(**{f"field{i}": i for i in range(n)})


def _wrong_types(n: int) -> Json:
    return _pod(volumes=[{"name": i} for i in range(n)])


def _finalizers(n: int) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "big", "finalizers": [f"a.b/f{i}" for i in range(n)]},
    }


def _ports(n: int) -> Json:
    ports = [{"name": f"p{i}", "port": i + 1, "protocol": "TCP"} for i in range(n)]
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "big"}, "spec": {"ports": ports}}


def _duplicates(n: int) -> Json:
    return _pod(containers=[{"name": "c", "image": "i"}] * n)


def _others(n: int) -> Json:
    """Each field belongs to a manager of its own."""
    obj = _config(n)
    obj["metadata"]["managedFields"] = [
        {"manager": f"m{i}", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {f"f:k{i}": {}}}}
        for i in range(n)
    ]  # fmt: skip
    return obj


def _updaters(n: int) -> Json:
    obj = _others(n)
    for entry in obj["metadata"]["managedFields"]:
        entry["operation"] = "Update"
    return obj


OBJECTS: dict[str, Sizes] = {
    made.__name__.lstrip("_"): made
    for made in (_config, _env, _containers, _wrong_amounts, _unknown, _wrong_types, _finalizers, _ports, _duplicates, _others, _updaters)
}  # fmt: skip
PLURALS = {"Pod": "pods", "ConfigMap": "configmaps", "Service": "services"}


def reversed_lists(value: Any) -> Any:
    """The same items in another order, the same keys with other values: nothing is where it was."""
    if isinstance(value, dict):
        return {k: reversed_lists(v) for k, v in value.items() if k != "managedFields"}
    if isinstance(value, list):
        return [reversed_lists(item) for item in reversed(value)]
    return f"{value}x" if isinstance(value, str) and value.startswith("v") else value


def _order(value: Any, out: Json) -> Json:
    """A strategic merge patch that gives every list another order."""
    for key, item in value.items() if isinstance(value, dict) else ():
        if isinstance(item, list):
            out[f"$setElementOrder/{key}"] = [
                {"name": i["name"]} if isinstance(i, dict) and "name" in i else i for i in item
            ]
        elif isinstance(item, dict):
            _order(item, out.setdefault(key, {}))
    return out


def _removing(value: Json) -> Json:
    return {"metadata": {"$deleteFromPrimitiveList/finalizers": value["metadata"].get("finalizers", [])}}


def _half(obj: Json) -> Json:
    """A second apply without half of the object: fields are given up."""
    return {**obj, "data": dict(list(obj.get("data", {}).items())[::2])} if "data" in obj else obj


async def seconds(make: Sizes, n: int) -> dict[str, float]:
    """CPU time of each step on an object of size `n`."""
    api = ApiServer(MemoryStore(history=50), Schemas(), LoopClock(), rng=random.Random(7))
    await api.start()
    obj = make(n)
    base = f"/api/v1/namespaces/default/{PLURALS[obj['kind']]}"
    new = reversed_lists(obj)
    bare = {**obj, "metadata": {k: v for k, v in obj["metadata"].items() if k != "managedFields"}}
    apply = {"fieldManager": "me", "force": "true"}
    steps: list[tuple[str, str, str, Any, str, Json, Json]] = [
        ("create", "POST", base, obj, JSON, {}, {}),
        ("owned", "PUT", f"{base}/big", obj, JSON, {}, {}),
        ("conflict", "PATCH", f"{base}/big", new, APPLY_PATCH, {"fieldManager": "you"}, {}),
        ("strict", "PUT", f"{base}/big", obj, JSON, {"fieldValidation": "Strict"}, {}),
        ("apply", "PATCH", f"{base}/big", bare, APPLY_PATCH, apply, {}),
        ("apply again", "PATCH", f"{base}/big", new, APPLY_PATCH, apply, {}),
        ("apply half", "PATCH", f"{base}/big", _half(new), APPLY_PATCH, apply, {}),
        ("strategic", "PATCH", f"{base}/big", new, STRATEGIC_PATCH, {}, {}),
        ("order", "PATCH", f"{base}/big", _order(obj, {}), STRATEGIC_PATCH, {}, {}),
        ("remove", "PATCH", f"{base}/big", _removing(obj), STRATEGIC_PATCH, {}, {}),
        ("merge", "PATCH", f"{base}/big", new, MERGE_PATCH, {}, {}),
        ("json", "PATCH", f"{base}/big", [{"op": "add", "path": "/metadata/labels", "value": {}}] * (n // 2), JSON_PATCH, {}, {}),
        ("update", "PUT", f"{base}/big", bare, JSON, {}, {}),
        ("table", "GET", base, None, JSON, {}, {"accept": "application/json;as=Table;v=v1"}),
    ]  # fmt: skip
    found: dict[str, float] = {}
    gc.collect()
    gc.disable()  # its share grows with all that the test process holds
    try:
        for name, method, path, body, media, query, headers in steps:
            sent = b"" if body is None else msgspec.json.encode(body)
            request = Request(method, path, query, {"content-type": media, "user-agent": "t", **headers}, sent)
            began = time.process_time()
            answer = await api.handle(request)
            found[name] = time.process_time() - began
            assert answer.status < 500, answer.body[:300]
            assert len(answer.body) < 4 * len(sent) + 400 * n + 300_000, f"{name} answers with {len(answer.body)} bytes"
    finally:
        gc.enable()
        api.close()
    return found


@pytest.mark.parametrize("name", few(OBJECTS, ("ports",)))
async def test_each_way_of_writing_needs_time_in_proportion_to_the_object(name: str) -> None:
    worst: dict[str, float] = {}
    for _ in range(TRIES):
        small, large = await seconds(OBJECTS[name], SMALL), await seconds(OBJECTS[name], LARGE)
        grown = {step: large[step] / max(small[step], FASTEST) / (LARGE / SMALL) for step in large}
        worst = {step: min(grown[step], worst.get(step, grown[step])) for step in grown}
        if all(times <= MOST for times in worst.values()):
            return
    assert not {step: round(times, 1) for step, times in worst.items() if times > MOST}


def test_a_selector_of_many_values_is_not_compared_with_each() -> None:
    def cost(n: int) -> float:
        selector = Selector.parse(f"a in ({','.join(f'v{i}' for i in range(n))})")
        began = time.process_time()
        for i in range(n):
            selector.matches({"a": f"v{i}"})
        return time.process_time() - began

    cost(SMALL)
    assert min(cost(20 * SMALL) / max(cost(5 * SMALL), 1e-4) for _ in range(TRIES)) < 4 * MOST
