"""The functions of text/template itself, except `and`, `or` and `call`, which are in the compiler."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote_plus

from serinus.analysis.expr.functions.time_values import Duration, Named, Time
from serinus.analysis.expr.values import is_number, less, raw
from serinus.notifications.templates.errors import TemplateError
from serinus.notifications.templates.functions.function import Call, Table, sized
from serinus.notifications.templates.printf import sprint, sprintf
from serinus.notifications.templates.values import NO_VALUE, shown, truth, type_name
from serinus.notifications.templates.versions import Version

GO = Table()


@GO.add("not", "a")
def _not(_run: Call, value: Any) -> bool:
    return not truth(value)


@GO.add("len", "a")
def _len(_run: Call, value: Any) -> int:
    if isinstance(value, str):
        return len(raw(value))
    if isinstance(value, list | dict | bytes):
        return len(value)
    raise TemplateError("len of nil pointer" if value is None else f"len of type {type_name(value)}")


@GO.add("index", "aa*")
def _index(_run: Call, value: Any, *keys: Any) -> Any:
    if value is None:
        raise TemplateError("index of untyped nil")
    for key in keys:
        if isinstance(value, dict):
            if not isinstance(key, str):
                raise TemplateError(f"value has type {type_name(key)}; should be string")
            value = value.get(key)
        elif isinstance(value, list | str | bytes):
            value = _element(raw(value) if isinstance(value, str) else value, key)
        elif value is None:
            raise TemplateError("index of nil pointer")
        else:
            raise TemplateError(f"can't index item of type {type_name(value)}")
    return value


def _element(items: list[Any] | bytes, key: Any) -> Any:
    if key is None:
        raise TemplateError("cannot index slice/array with nil")
    if not is_number(key) or not float(key).is_integer():
        raise TemplateError(f"cannot index slice/array with type {type_name(key)}")
    if not 0 <= key < len(items):
        raise TemplateError(f"index out of range: {int(key)}")
    return items[int(key)]


@GO.add("print", "a*")
def _print(run: Call, *values: Any) -> str:
    return sprint(values, run.work)


@GO.add("println", "a*")
def _println(run: Call, *values: Any) -> str:
    return " ".join(shown(value, run.work) for value in values) + "\n"


@GO.add("printf", "sa*")
def _printf(run: Call, layout: str, *values: Any) -> str:
    return sized(sprintf(layout, values, run.work), run)


def _joined(run: Call, values: tuple[Any, ...]) -> str:
    if len(values) == 1 and isinstance(values[0], str):
        return values[0]
    return sprint([NO_VALUE if value is None else value for value in values], run.work)


_HTML = str.maketrans({"\0": "\ufffd", '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;"})
_JS = {"\\": "\\\\", "'": "\\'", '"': '\\"', "<": "\\u003C", ">": "\\u003E", "&": "\\u0026", "=": "\\u003D"}


@GO.add("html", "a*")
def _html(run: Call, *values: Any) -> str:
    return sized(_joined(run, values).translate(_HTML), run)


@GO.add("js", "a*")
def _js(run: Call, *values: Any) -> str:
    text = _joined(run, values)
    return sized("".join(_JS.get(c) or (c if c.isprintable() else f"\\u{ord(c):04X}") for c in text), run)


@GO.add("urlquery", "a*")
def _urlquery(run: Call, *values: Any) -> str:
    return sized(quote_plus(raw(_joined(run, values)), safe="~"), run)


_BASIC = (bool, int, float, str)


def equal(a: Any, b: Any) -> bool:
    """`eq` of two values: numbers by value. TemplateError if Go cannot compare them."""
    if a is None or b is None:
        return a is b
    if is_number(a) and is_number(b):
        return a == b
    simple = type(a) in _BASIC, type(b) in _BASIC
    if all(simple):
        if type(a) is not type(b):
            raise TemplateError(f"incompatible types for comparison: {type_name(a)} and {type_name(b)}")
        return a == b
    if type(a) is type(b) and isinstance(a, Time | Duration | Named):
        return a == b
    if isinstance(a, Version) and isinstance(b, Version):
        return a is b  # pointers in Go
    for value in (a, b):
        if isinstance(value, list | dict | bytes):
            raise TemplateError(f"non-comparable type {type_name(value)}")
    raise TemplateError(f"incompatible types for comparison: {type_name(a)} and {type_name(b)}")


@GO.add("eq", "aaa*")
def _eq(_run: Call, value: Any, *others: Any) -> bool:
    if not others:
        raise TemplateError("missing argument for comparison")
    return any(equal(value, other) for other in others)


@GO.add("ne", "aa")
def _ne(_run: Call, a: Any, b: Any) -> bool:
    return not equal(a, b)


def _less(a: Any, b: Any) -> bool:
    if is_number(a) and is_number(b):
        return a < b
    if isinstance(a, str) and isinstance(b, str):
        return less(a, b)
    if isinstance(a, Duration) and isinstance(b, Duration):
        return a < b
    if type(a) in _BASIC and type(b) in _BASIC and type(a) is not bool and type(a) is not type(b):
        raise TemplateError(f"incompatible types for comparison: {type_name(a)} and {type_name(b)}")
    raise TemplateError(f"invalid type for comparison: {type_name(a if type(a) not in (int, float, str) else b)}")


@GO.add("lt", "aa")
def _lt(_run: Call, a: Any, b: Any) -> bool:
    return _less(a, b)


@GO.add("le", "aa")
def _le(_run: Call, a: Any, b: Any) -> bool:
    return _less(a, b) or equal(a, b)


@GO.add("gt", "aa")
def _gt(_run: Call, a: Any, b: Any) -> bool:
    return not _less(a, b) and not equal(a, b)


@GO.add("ge", "aa")
def _ge(_run: Call, a: Any, b: Any) -> bool:
    return not _less(a, b)
