"""Reading objects field by field: for every kind, every field in turn is null, or has a value of another type."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from serinus.api.analysis import AnalysisRun, AnalysisTemplate
from serinus.api.decoding.reading import Reader, converted
from serinus.api.experiment import Experiment
from serinus.api.network import Ingress, Service
from serinus.api.rollout import Rollout
from serinus.api.workloads import Pod, ReplicaSet, Workload

FOREIGN: list[type[Any]] = [Pod, ReplicaSet, Service, Ingress, Workload]
OWN: list[type[Any]] = [Rollout, Experiment, AnalysisRun, AnalysisTemplate]
Path = tuple[str | int, ...]


def sample(info: Any) -> Any:
    """A value of the type with every field and one entry in each list and map."""
    if isinstance(info, inspect.StructType):
        return {f.encode_name: sample(f.type) for f in info.fields}
    if isinstance(info, inspect.ListType):
        return [sample(info.item_type)]
    if isinstance(info, inspect.DictType):
        return {"key": sample(info.value_type)}
    if isinstance(info, inspect.UnionType):
        return sample(next(t for t in info.types if not isinstance(t, inspect.NoneType)))
    values: dict[type, Any] = {inspect.BoolType: True, inspect.IntType: 1, inspect.FloatType: 1.5}
    return values.get(type(info), "text")


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    if path:
        yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in entries:
        yield from paths(item, (*path, key))


def at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


def without(value: Any, path: Path) -> Any:
    """A copy without the value at the path."""
    left = copy.deepcopy(value)
    del at(left, path[:-1])[path[-1]]
    return left


def required(kind: Any, path: Path) -> bool:
    """Whether the object, or an entry of a list in it, requires this field."""
    try:
        msgspec.convert(without(sample(inspect.type_info(kind)), path), kind)
    except msgspec.ValidationError:
        return True
    return False


def expected(kind: Any, whole: Any, path: Path) -> Any:
    """The object without the value at the path; where that is required, without the smallest part that can be left out."""
    while path:
        try:
            return msgspec.convert(without(whole, path), kind)
        except msgspec.ValidationError:
            path = path[:-1]
    raise AssertionError("the object as a whole cannot be read")


@pytest.mark.parametrize("kind", [*FOREIGN, *OWN], ids=lambda k: k.__name__)
def test_null_counts_as_absent_wherever_it_stands(kind: Any):
    """As Go's decoder reads it: `lastTransitionTime: null` in a pod's condition, `canaryMetadata: null` from a Helm chart."""
    whole = sample(inspect.type_info(kind))
    reader = Reader(kind, own=kind in OWN)
    tried = 0
    for path in paths(whole):
        if path == ("metadata",) or path == ("kind",) or (kind in OWN and (required(kind, path) or path[-1] == 0)):
            continue
        broken = copy.deepcopy(whole)
        at(broken, path[:-1])[path[-1]] = None
        found, _ = reader.read(json.dumps(broken).encode())
        strict = Reader(kind, own=kind in OWN)
        try:
            as_it_is = msgspec.convert(broken, kind)  # null is a value of this field
        except msgspec.ValidationError:
            as_it_is = expected(kind, whole, path)
        assert found == as_it_is, path
        assert converted(broken, kind, own=kind in OWN) == as_it_is, path
        assert strict.read(json.dumps(whole).encode())[1] == ""
        tried += 1
    assert tried > 5


@pytest.mark.parametrize("kind", FOREIGN, ids=lambda k: k.__name__)
def test_a_value_of_another_type_costs_one_field_of_somebody_elses_object(kind: Any):
    """The error names the field and the value found; the rest of the object is there."""
    whole = sample(inspect.type_info(kind))
    for path in paths(whole):
        if path in (("metadata",), ("kind",)):
            continue
        broken = copy.deepcopy(whole)
        at(broken, path[:-1])[path[-1]] = 1.5
        try:
            msgspec.convert(broken, kind)
            continue  # any value is allowed here
        except msgspec.ValidationError:
            pass
        found, left_out = Reader(kind).read(json.dumps(broken).encode())
        assert found == expected(kind, whole, path), path
        assert str(path[-1]) in left_out, path
        assert "float" in left_out, path


@pytest.mark.parametrize("kind", OWN, ids=lambda k: k.__name__)
def test_a_value_of_another_type_in_our_own_objects_is_an_error(kind: Any):
    """A Rollout without the step that cannot be read would be another Rollout."""
    whole = sample(inspect.type_info(kind))
    whole["metadata"]["labels"] = 7
    with pytest.raises(msgspec.ValidationError, match=r"Expected `object`, got `int` - at `\$\.metadata\.labels`"):
        Reader(kind, own=True).read(json.dumps(whole).encode())


def test_whole_numbers_may_be_written_with_a_point():
    """JSON has one kind of number: `replicas: 3.0` is 3."""
    found = converted({"metadata": {"name": "web"}, "spec": {"replicas": 3.0}}, Rollout)
    assert found.spec.replicas == 3


@pytest.mark.parametrize("text", [b"[]", b"{}", b'{"metadata":null}', b'{"metadata":7}', b"nothing"])
def test_what_has_no_metadata_cannot_be_read(text: bytes):
    with pytest.raises(msgspec.DecodeError):
        Reader(Pod).read(text)


@pytest.mark.parametrize("number", [10**30, -(10**30), 2**64, 2**63, -(2**63) - 1])
def test_a_whole_number_beyond_64_bits_can_be_written_again(number: int) -> None:
    """Where any JSON is allowed, such as in a step plugin's status: Go reads it as a floating-point number."""
    entry = {"index": 0, "name": "a/b", "operation": "Run", "status": {"n": [number], "id": "1" * 30, "m": 2**63 - 1}}
    text = {"metadata": {"name": "web"}, "spec": {}, "status": {"canary": {"stepPluginStatuses": [entry]}}}
    found, left_out = Reader(Rollout, own=True).read(json.dumps(text).encode())
    assert left_out == ""
    (said,) = found.status.canary.step_plugin_statuses
    assert said["status"] == {"n": [float(number)], "id": "1" * 30, "m": 2**63 - 1}
    msgspec.json.encode(found)


def test_a_step_before_the_first_is_the_first() -> None:
    text = b'{"metadata":{"name":"web"},"spec":{},"status":{"currentStepIndex":-2147483648}}'
    assert Reader(Rollout, own=True).read(text)[0].status.current_step_index == 0
