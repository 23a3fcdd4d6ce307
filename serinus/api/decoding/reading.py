"""Reads objects into their types, field by field if the whole object does not fit.

Strict first: an object that fits costs nothing more. Otherwise null counts as absent, as in Go's decoder, which wrote
or checked most objects. In objects that Serinus does not own, a value of a wrong type is left out as well and named, so
one bad field does not hide a pod. In Rollouts, Experiments and analyses it is an error: they must not run with half of
their spec.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import inspect

T = TypeVar("T")
Omit = Callable[[str, str], None]
"""Called with (path, problem) for each value that is left out."""

_DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER = b"0" * 19

SHOWN = 3
"""Problems that a sentence names; the rest is counted."""


class Reader(Generic[T]):
    """Decodes JSON into `kind`. `own`: objects of Serinus's API group, in which a value of a wrong type is an error."""

    def __init__(self, kind: type[T], *, own: bool = False) -> None:
        self._kind, self._own, self._strict = kind, own, msgspec.json.Decoder(kind)
        self._free = own or kind is dict
        """Whether parts of it are arbitrary JSON, which is kept and written back."""

    def read(self, text: bytes | msgspec.Raw) -> tuple[T, str]:
        """The object, and which fields were left out ("" for none). msgspec.DecodeError if it cannot be read at all."""
        if self._free and _LONG_NUMBER in bytes(text).translate(_DIGITS_TO_ZERO):
            text = msgspec.json.encode(_numbers_of_go(msgspec.json.decode(text)))
        try:
            return self._strict.decode(text), ""
        except msgspec.ValidationError:
            left_out: list[str] = []
            obj = _converted(msgspec.json.decode(text), self._kind, own=self._own, left_out=left_out)
            more = f" and {len(left_out) - SHOWN} more" if len(left_out) > SHOWN else ""
            return obj, "; ".join(left_out[:SHOWN]) + more


def _numbers_of_go(value: Any) -> Any:
    """Replace whole numbers beyond 64 bits by floats, as Go reads them in untyped JSON. They could not be written."""
    if isinstance(value, dict):
        return {key: _numbers_of_go(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers_of_go(item) for item in value]
    if type(value) is int and not -(2**63) <= value < 2**63:
        return float(value) if abs(value) < 10**308 else None
    return value


def converted(value: Any, kind: type[T], *, own: bool = True) -> T:
    """The decoded JSON value in its type. msgspec.ValidationError if it does not fit."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return _converted(value, kind, own=own, left_out=[])


def _converted(value: Any, kind: type[T], *, own: bool, left_out: list[str]) -> T:
    def omit(path: str, problem: str) -> None:
        left_out.append(f"{path or 'the object'}: {problem}")

    try:
        fitting = _fitting(value, _type_info(kind), "", None if own else omit)
    except _Unfit as unfit:
        where = f" - at `$.{unfit.path}`" if unfit.path else ""
        raise msgspec.ValidationError(f"{unfit.problem}{where}") from None
    return msgspec.convert(fitting, kind)


class _Unfit(Exception):
    def __init__(self, path: str, problem: str) -> None:
        super().__init__(problem)
        self.path, self.problem = path, problem


@lru_cache(maxsize=256)
def _type_info(kind: Any) -> inspect.Type:
    return inspect.type_info(kind)


_LEAVES: tuple[tuple[type[inspect.Type], type], ...] = (
    (inspect.BoolType, bool),
    (inspect.IntType, int),
    (inspect.StrType, str),
    (inspect.FloatType, float),
)


def _fitting(value: Any, info: inspect.Type, path: str, omit: Omit | None) -> Any:
    """The value without the parts that do not fit the type. Raises _Unfit if nothing is left."""
    if isinstance(info, inspect.UnionType):
        return _one_of(value, info, path, omit)
    if isinstance(info, inspect.StructType):
        return _struct(_checked(value, dict, path), info, path, omit)
    if isinstance(info, inspect.ListType):
        items: list[Any] = []
        for index, item in enumerate(_checked(value, list, path)):
            _kept(lambda at, i=item: items.append(_fitting(i, info.item_type, at, omit)), f"{path}[{index}]", omit)
        return items
    if isinstance(info, inspect.DictType):
        entries: dict[str, Any] = {}
        for key, item in _checked(value, dict, path).items():
            if item is None and not _takes_null(info.value_type):
                continue
            at = f"{path}.{key}" if path else key
            _kept(lambda at, k=key, i=item: entries.update({k: _fitting(i, info.value_type, at, omit)}), at, omit)
        return entries
    for one, kind in _LEAVES:
        if isinstance(info, one):
            return _leaf(value, kind, path)
    return value


def _struct(value: dict[str, Any], info: inspect.StructType, path: str, omit: Omit | None) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for field in info.fields:
        name, at = field.encode_name, f"{path}.{field.encode_name}" if path else field.encode_name
        item = value.get(name)
        if name not in value or (item is None and not _takes_null(field.type)):
            if field.required:
                raise _Unfit(path, f"Object missing required field `{name}`")
            continue
        try:
            fields[name] = _fitting(item, field.type, at, omit)
        except _Unfit as unfit:
            if field.required or omit is None:
                raise
            omit(unfit.path, unfit.problem)
    return fields


def _kept(add: Callable[[str], None], at: str, omit: Omit | None) -> None:
    """Adds an item of a list or map, unless it does not fit."""
    try:
        add(at)
    except _Unfit as unfit:
        if omit is None:
            raise
        omit(unfit.path, unfit.problem)


def _one_of(value: Any, info: inspect.UnionType, path: str, omit: Omit | None) -> Any:
    if value is None and _takes_null(info):
        return None
    problem = _Unfit(path, f"Unexpected {_json_name(value)}")
    for one in info.types:
        if isinstance(one, inspect.NoneType):
            continue
        try:
            return _fitting(value, one, path, omit)
        except _Unfit as unfit:
            problem = unfit
    raise problem


def _leaf(value: Any, kind: type, path: str) -> Any:
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise _Unfit(path, str(error)) from None


def _checked(value: Any, kind: type[T], path: str) -> T:
    if isinstance(value, kind):
        return value
    raise _Unfit(path, f"Expected `{_json_name(kind())}`, got `{_json_name(value)}`")


def _takes_null(info: inspect.Type) -> bool:
    if isinstance(info, inspect.UnionType):
        return any(_takes_null(one) for one in info.types)
    return isinstance(info, inspect.NoneType | inspect.AnyType | inspect.RawType)


def _json_name(value: Any) -> str:
    names: dict[type, str] = {dict: "object", list: "array", type(None): "null", bool: "bool", int: "int", str: "str"}
    return names.get(type(value), type(value).__name__)
