"""sprig's functions of lists and maps. As in sprig, only `set`, `unset` and `merge` change their arguments."""

from __future__ import annotations

from typing import Any

from serinus.notifications.templates.errors import TemplateError
from serinus.notifications.templates.functions.function import Call, Table, converted, to_int
from serinus.notifications.templates.values import text_of, type_name

LISTS = Table()


def _items(run: Call, value: Any, does: str) -> list[Any]:
    if isinstance(value, list):
        run.work.spend(len(value))
        return value
    raise TemplateError(f"Cannot {does} on type {_kind(value)}")


def _kind(value: Any) -> str:
    names = {"list": "slice", "dict": "map", "bytes": "slice", "NoneType": "invalid"}
    return names.get(type(value).__name__) or {"time.Time": "struct", "*semver.Version": "ptr"}.get(
        type_name(value), type_name(value)
    )


def same(a: Any, b: Any) -> bool:
    """Go's DeepEqual, but integers and floats of the same value are equal."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(value, b[key]) for key, value in a.items())
    return bool(a == b)


def _among(run: Call, items: list[Any], value: Any) -> bool:
    run.work.spend(1 + len(items))
    return any(same(item, value) for item in items)


@LISTS.add("list tuple", "a*")
def _list(run: Call, *values: Any) -> list[Any]:
    return list(values)


@LISTS.add("first mustFirst", "a")
def _first(run: Call, value: Any) -> Any:
    return next(iter(_items(run, value, "find first")), None)


@LISTS.add("last mustLast", "a")
def _last(run: Call, value: Any) -> Any:
    items = _items(run, value, "find last")
    return items[-1] if items else None


@LISTS.add("rest mustRest", "a")
def _rest(run: Call, value: Any) -> list[Any]:
    return _items(run, value, "find rest")[1:]


@LISTS.add("initial mustInitial", "a")
def _initial(run: Call, value: Any) -> list[Any]:
    return _items(run, value, "find initial")[:-1]


@LISTS.add("append push mustAppend mustPush", "aa")
def _append(run: Call, value: Any, item: Any) -> list[Any]:
    return [*_items(run, value, "push"), item]


@LISTS.add("prepend mustPrepend", "aa")
def _prepend(run: Call, value: Any, item: Any) -> list[Any]:
    return [item, *_items(run, value, "prepend")]


@LISTS.add("concat", "a*")
def _concat(run: Call, *values: Any) -> list[Any]:
    return [item for value in values for item in _items(run, value, "concat")]


@LISTS.add("reverse mustReverse", "a")
def _reverse(run: Call, value: Any) -> list[Any]:
    return _items(run, value, "find reverse")[::-1]


@LISTS.add("uniq mustUniq", "a")
def _uniq(run: Call, value: Any) -> list[Any]:
    unique: list[Any] = []
    for item in _items(run, value, "find uniq"):
        if not _among(run, unique, item):
            unique.append(item)
    return unique


@LISTS.add("compact mustCompact", "a")
def _compact(run: Call, value: Any) -> list[Any]:
    return [item for item in _items(run, value, "compact") if not empty(item)]


@LISTS.add("without mustWithout", "aa*")
def _without(run: Call, value: Any, *omitted: Any) -> list[Any]:
    return [item for item in _items(run, value, "find without") if not _among(run, list(omitted), item)]


@LISTS.add("has mustHas", "aa")
def _has(run: Call, item: Any, value: Any) -> bool:
    return value is not None and _among(run, _items(run, value, "find has"), item)


@LISTS.add("slice mustSlice", "aa*")
def _slice(run: Call, value: Any, *bounds: Any) -> Any:
    if not isinstance(value, list):
        raise TemplateError(f"list should be type of slice or array but {_kind(value)}")
    if not value:
        return None
    start = to_int(bounds[0]) if bounds else 0
    end = to_int(bounds[1]) if len(bounds) > 1 else len(value)
    if not 0 <= start <= end <= len(value):
        raise TemplateError(f"slice bounds out of range [{start}:{end}] with length {len(value)}")
    return value[start:end]


@LISTS.add("chunk mustChunk", "ia")
def _chunk(run: Call, size: int, value: Any) -> list[Any]:
    items = _items(run, value, "chunk")
    if size < 1:
        raise TemplateError("chunk: the size is at least 1")
    return [items[at : at + size] for at in range(0, len(items), size)]


def empty(value: Any) -> bool:
    """sprig's `empty`."""
    return value is None or (isinstance(value, bool | int | float | str | bytes | list | dict) and not value)


@LISTS.add("empty", "a")
def _empty(_run: Call, value: Any) -> bool:
    return empty(value)


@LISTS.add("default", "aa*")
def _default(_run: Call, default: Any, *given: Any) -> Any:
    return given[0] if given and not empty(given[0]) else default


@LISTS.add("coalesce", "a*")
def _coalesce(_run: Call, *values: Any) -> Any:
    return next((value for value in values if not empty(value)), None)


@LISTS.add("all", "a*")
def _all(_run: Call, *values: Any) -> bool:
    return not any(empty(value) for value in values)


@LISTS.add("any", "a*")
def _any(_run: Call, *values: Any) -> bool:
    return any(not empty(value) for value in values)


@LISTS.add("ternary", "aab")
def _ternary(_run: Call, yes: Any, no: Any, condition: bool) -> Any:
    return yes if condition else no


@LISTS.add("deepEqual", "aa")
def _deep_equal(_run: Call, a: Any, b: Any) -> bool:
    return same(a, b)


@LISTS.add("typeOf", "a")
def _type_of(_run: Call, value: Any) -> str:
    return type_name(value)


@LISTS.add("typeIs typeIsLike", "sa")
def _type_is(_run: Call, expected: str, value: Any) -> bool:
    return expected == type_name(value)


@LISTS.add("kindOf", "a")
def _kind_of(_run: Call, value: Any) -> str:
    return _kind(value)


@LISTS.add("kindIs", "sa")
def _kind_is(_run: Call, expected: str, value: Any) -> bool:
    return expected == _kind(value)


# maps


@LISTS.add("dict", "a*")
def _dict(run: Call, *pairs: Any) -> dict[str, Any]:
    values = [*pairs[1::2], ""][: (len(pairs) + 1) // 2]
    return {text_of(key, run.work): value for key, value in zip(pairs[::2], values, strict=True)}


@LISTS.add("get", "ms")
def _get(_run: Call, value: dict[str, Any], key: str) -> Any:
    return value.get(key, "")


@LISTS.add("hasKey", "ms")
def _has_key(_run: Call, value: dict[str, Any], key: str) -> bool:
    return key in value


@LISTS.add("set", "msa")
def _set(_run: Call, value: dict[str, Any], key: str, item: Any) -> dict[str, Any]:
    value[key] = item
    return value


@LISTS.add("unset", "ms")
def _unset(_run: Call, value: dict[str, Any], key: str) -> dict[str, Any]:
    value.pop(key, None)
    return value


@LISTS.add("keys", "m*")
def _keys(run: Call, *values: dict[str, Any]) -> list[str]:
    run.work.spend(sum(map(len, values)))
    return [key for value in values for key in sorted(value)]


@LISTS.add("values", "m")
def _values(run: Call, value: dict[str, Any]) -> list[Any]:
    run.work.spend(len(value))
    return [value[key] for key in sorted(value)]


@LISTS.add("pluck", "sm*")
def _pluck(_run: Call, key: str, *values: dict[str, Any]) -> list[Any]:
    return [value[key] for value in values if key in value]


@LISTS.add("pick", "ms*")
def _pick(_run: Call, value: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value[key] for key in keys if key in value}


@LISTS.add("omit", "ms*")
def _omit(run: Call, value: dict[str, Any], *keys: str) -> dict[str, Any]:
    run.work.spend(len(value))
    return {key: item for key, item in value.items() if key not in keys}


def _merged(run: Call, into: dict[str, Any], source: dict[str, Any], overwrite: bool) -> None:
    run.work.spend(1 + len(source))
    with run.work:
        for key, item in source.items():
            known = into.get(key)
            if isinstance(known, dict) and isinstance(item, dict):
                if known is not item:
                    _merged(run, known, item, overwrite)
            elif empty(known) or (overwrite and not empty(item)):
                into[key] = item


@LISTS.add("merge mustMerge", "mm*")
def _merge(run: Call, into: dict[str, Any], *sources: dict[str, Any]) -> dict[str, Any]:
    for source in sources:
        _merged(run, into, source, overwrite=False)
    return into


@LISTS.add("mergeOverwrite mustMergeOverwrite", "mm*")
def _merge_overwrite(run: Call, into: dict[str, Any], *sources: dict[str, Any]) -> dict[str, Any]:
    for source in sources:
        _merged(run, into, source, overwrite=True)
    return into


@LISTS.add("dig", "aaaa*")
def _dig(_run: Call, *words: Any) -> Any:
    *keys, default, value = words
    for key in keys:
        if not isinstance(value, dict):
            raise TemplateError(
                f"interface conversion: interface {{}} is {type_name(value)}, not map[string]interface {{}}"
            )
        if converted("s", key) not in value:
            return default
        value = value[key]
    return value
