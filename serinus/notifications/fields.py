"""Values of configuration keys: YAML with scalars as written, decoded into structs.

The reference reads YAML 1.1, where `recipients: [x, y]` contains `true`. Here every scalar is a text until a field
requires a number or a boolean. Field names match without case, as in Go's decoder. Unknown names are reported with
the most similar known name.
"""

from __future__ import annotations

import difflib
import re
from typing import Any, TypeVar

import msgspec
import yaml

from serinus.notifications.problems import ConfigurationError

_EXPECTED = re.compile(r"Expected `(\w+)(?: \| null)?`, got `(\w+)`")

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS = {"true": "true", "True": "true", "TRUE": "true", "false": "false", "False": "false", "FALSE": "false"}
_NULLS = ("", "~", "null", "Null", "NULL")

LONGEST = 512 * 1024
"""Characters of one key."""

MOST_VALUES = 10_000
DEEPEST = 40

S = TypeVar("S", bound=msgspec.Struct)


def load(text: str) -> Any:
    """The value of one YAML document: maps, lists, texts and None. ConfigurationError names the line."""
    if len(text) > LONGEST:
        raise ConfigurationError(f"the value is longer than {LONGEST} characters")
    try:
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise ConfigurationError(f"it is no YAML: {where}{getattr(error, 'problem', None) or error}") from None
    except (RecursionError, ValueError) as error:
        raise ConfigurationError(f"it is no YAML: {error}") from None
    return None if node is None else _Builder().built(node, 0)


class _Builder:
    def __init__(self) -> None:
        self._left = MOST_VALUES

    def built(self, node: Any, depth: int) -> Any:
        self._left -= 1
        if self._left < 0 or depth > DEEPEST:
            raise ConfigurationError(f"it has more than {MOST_VALUES} values, or more than {DEEPEST} levels")
        if isinstance(node, yaml.ScalarNode):
            plain = not node.style
            return (
                None if plain and node.value in _NULLS else _WORDS.get(node.value, node.value) if plain else node.value
            )
        if isinstance(node, yaml.SequenceNode):
            return [self.built(item, depth + 1) for item in node.value]
        mapping: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigurationError(f"line {key.start_mark.line + 1}: a key must be a text")
            built = self.built(value, depth + 1)
            if key.value == "<<" and isinstance(built, dict):
                mapping = built | mapping
            else:
                mapping[key.value] = built
        return mapping


def read(value: Any, kind: type[S], where: str = "", holder: str = "") -> tuple[S, list[tuple[str, str]]]:
    """(the value as `kind`, [(path of an unknown field, the most similar known one or "")]). ConfigurationError.

    `where`: the path of the value. `holder`: a field of `kind` that is not in the text, because the value is a list.
    """
    unknown: list[tuple[str, str]] = []
    fitting = _fitting(value, msgspec.inspect.type_info(kind), where, unknown)
    try:
        converted = msgspec.convert(fitting, kind, strict=False)
        return converted, [(path.removeprefix(holder), near) for path, near in unknown]
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at ")
        inner = path.strip("`").removeprefix("$").lstrip(".").removeprefix(holder)
        raise ConfigurationError(_plainly(message), _below(where, inner) if inner else where) from None


def _fitting(value: Any, kind: Any, path: str, unknown: list[tuple[str, str]]) -> Any:
    """The value with the field names of the type, without null and unknown fields."""
    if isinstance(kind, msgspec.inspect.UnionType):
        kind = next((one for one in kind.types if not isinstance(one, msgspec.inspect.NoneType)), kind)
    if isinstance(kind, msgspec.inspect.StructType) and isinstance(value, dict):
        fields = {field.encode_name.lower(): field for field in kind.fields}
        fitting: dict[str, Any] = {}
        for name, item in value.items():
            field = fields.get(name.lower())
            if field is None:
                unknown.append((_below(path, name), nearest(name, [one.encode_name for one in kind.fields])))
            elif item is not None:
                fitting[field.encode_name] = _fitting(item, field.type, _below(path, name), unknown)
        return fitting
    if isinstance(kind, msgspec.inspect.ListType) and isinstance(value, list):
        return [_fitting(item, kind.item_type, f"{path}[{at}]", unknown) for at, item in enumerate(value)]
    if isinstance(kind, msgspec.inspect.DictType) and isinstance(value, dict):
        return {k: _fitting(item, kind.value_type, _below(path, k), unknown) for k, item in value.items()}
    return "" if value is None and isinstance(kind, msgspec.inspect.StrType) else value


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


_NAMES = {
    "array": "a list",
    "object": "a map",
    "str": "a text",
    "int": "a number",
    "float": "a number",
    "bool": "true or false",
}


def _plainly(message: str) -> str:
    """msgspec's error in the terms of YAML."""
    match = _EXPECTED.fullmatch(message)
    if match is None:
        return message
    expected, got = (_NAMES.get(name, name) for name in match.groups())
    return f"expected {expected}, found {got}"


def nearest(name: str, known: list[str]) -> str:
    """The most similar known name; "" if none is similar."""
    lower = {one.lower(): one for one in known}
    similar = difflib.get_close_matches(name.lower(), list(lower), 1, 0.6)
    return lower[similar[0]] if similar else ""
