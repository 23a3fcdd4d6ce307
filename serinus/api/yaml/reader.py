"""Reads YAML like Kubernetes' tools: the documents of a file, each as the JSON that kubectl sends.

kubectl, client-go and the API server convert YAML with sigs.k8s.io/yaml, which resolves scalars as go-yaml v2 does.
That is neither YAML 1.1 nor 1.2: `yes` and `0777` are no text, but `12:30` and dates are. PyYAML's loaders differ from
it in both directions. So only PyYAML's parser is used (libyaml; go-yaml is a port of it), and scalars, keys, merges and
aliases are resolved here. `tests/api/test_go_yaml.py` compares the result with kubectl's.

Source: k8s.io/apimachinery/pkg/util/yaml (documents), go.yaml.in/yaml/v2 (resolve.go, decode.go), sigs.k8s.io/yaml.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import yaml

from serinus.api.decoding.nesting import DEEPEST, TOO_DEEP, too_deep
from serinus.api.yaml import scalars as go_scalars

_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SEPARATOR = "---"


class YamlError(ValueError):
    """Invalid YAML. `line`: from 1; 0 if unknown. `document`: from 1, empty ones not counted; 0 if unknown."""

    def __init__(self, problem: str, line: int = 0) -> None:
        super().__init__(f"line {line}: {problem}" if line else problem)
        self.problem, self.line, self.document = problem, line, 0


class Chunk(NamedTuple):
    """The text of one document. `line`: its first line in the file, from 1."""

    text: str
    line: int


class Document(NamedTuple):
    """`value`: JSON values only."""

    value: Any
    chunk: Chunk


def load(text: str | bytes, *, strict: bool = False) -> Any:
    """The value of the first document; None if there is none. Raises YamlError.

    `strict`: a duplicate key is an error. Otherwise the last one counts, as with kubectl.
    """
    return next((document.value for document in documents(text, strict=strict)), None)


def documents(text: str | bytes, *, strict: bool = False) -> Iterator[Document]:
    """All documents that hold a value other than null, as kubectl finds them: YAML, or JSON objects in a row.

    Raises YamlError when it reaches a document that cannot be read.
    """
    number = 1
    try:
        for chunk, value in _values(_decoded(text), strict):
            if value is not None:
                yield Document(value, chunk)
                number += 1
    except YamlError as error:
        error.document = number
        raise


def chunks(text: str, line: int = 1) -> Iterator[Chunk]:
    """The parts between lines of `---`, as in apimachinery's YAMLReader. Raises YamlError for `--- content`."""
    begin, rows = line, list[str]()
    for number, row in enumerate(io.StringIO(text, newline="\n"), start=line):
        if not row.startswith(_SEPARATOR):
            rows.append(row)
            continue
        if rows:
            yield Chunk("".join(rows), begin)
        begin, rows = number + 1, []
        more = row[len(_SEPARATOR) :].strip()
        if more and not more.startswith("#"):
            raise YamlError(f"invalid document separator: nothing may follow ---, found {more!r}", number)
    if rows:
        yield Chunk("".join(rows), begin)


def _decoded(text: str | bytes) -> str:
    if isinstance(text, bytes):
        try:
            text = text.decode()
        except UnicodeDecodeError as error:
            raise YamlError(f"it is no text in UTF-8: {error.reason} at byte {error.start}") from None
    return text.removeprefix("\ufeff")


def _values(text: str, strict: bool) -> Iterator[tuple[Chunk, Any]]:
    line = 1
    while (rest := text.lstrip()).startswith("{"):
        line += text.count("\n", 0, len(text) - len(rest))
        try:
            value, end = _json(rest, strict)
        except YamlError as error:
            raise YamlError(error.problem, line) from None
        except ValueError:
            break  # it is YAML that begins like JSON
        yield Chunk(rest[:end], line), value
        line, text = line + rest.count("\n", 0, end), rest[end:]
    for chunk in chunks(text, line):
        yield chunk, _Builder(chunk, strict).value()


def _json(text: str, strict: bool) -> tuple[Any, int]:
    """(the object at the start of the text, its end). ValueError if it is no JSON."""

    def obj(pairs: list[tuple[str, Any]]) -> Any:
        fields = dict(pairs)
        if strict and len(fields) < len(pairs):
            keys = [key for key, _ in pairs]
            raise YamlError(_twice(next(key for key in keys if keys.count(key) > 1)))
        return fields

    def whole(digits: str) -> int | float:
        return go_scalars.whole(int(digits)) if len(digits) < 30 else float(digits)

    def constant(name: str) -> Any:
        raise ValueError(name)

    if too_deep(text):
        raise YamlError(TOO_DEEP)
    decoder = json.JSONDecoder(object_pairs_hook=obj, parse_int=whole, parse_constant=constant)
    return decoder.raw_decode(text)


def _twice(key: str) -> str:
    return f"the key {key!r} is there twice"


class _Node:
    """A value, complete or under construction. `size`: how many nodes go-yaml decodes for it, aliases written out."""

    __slots__ = ("anchor", "depth", "key", "keys", "line", "merge", "size", "value")

    def __init__(self, value: Any, anchor: str | None, line: int, depth: int) -> None:
        self.value, self.anchor, self.line, self.depth = value, anchor, line, depth
        self.size, self.merge = 1, False
        self.key: str | None = None
        """Of a mapping: the key whose value comes next; `<<` means that it is merged if `merge` is set."""
        self.keys: set[str] = set()
        """Of a mapping: the keys that are written there, without merged ones."""

    @property
    def wants_key(self) -> bool:
        return isinstance(self.value, dict) and self.key is None


class _Builder:
    """One document, from libyaml's events. It does not recurse, and it limits aliases as go-yaml does."""

    def __init__(self, chunk: Chunk, strict: bool) -> None:
        self._chunk, self._strict = chunk, strict
        self._anchors: dict[str, _Node] = {}
        self._open: list[_Node] = []
        self._decoded = self._aliased = 0

    def value(self) -> Any:
        """None for an empty document. Raises YamlError with the line in the file."""
        try:
            for event in yaml.parse(self._chunk.text, Loader=_PARSER):
                node = self._complete(event)
                if node is not None:
                    if not self._open:
                        return _value(node)  # nothing after the first document of a chunk is read
                    self._add(self._open[-1], node)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise YamlError(str(error.problem or error.context), self._line(mark) if mark else 0) from None
        except yaml.reader.ReaderError as error:
            raise YamlError(f"{error.reason} (position {error.position})") from None
        except UnicodeError as error:
            raise YamlError(f"it is no text: {error}") from None
        return None

    def _line(self, mark: yaml.Mark) -> int:
        return self._chunk.line + mark.line

    def _complete(self, event: Any) -> _Node | None:
        """The node that this event completes."""
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event)
        elif isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            value: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
            self._open.append(_Node(value, event.anchor, self._line(event.start_mark), 1))
            self._check_depth(0, self._open[-1].line)
            self._anchors.pop(event.anchor or "", None)
            return None
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            node = self._open.pop()
        else:
            return None
        self._decoded += 1
        if node.anchor:
            self._anchors[node.anchor] = node
        return node

    def _check_depth(self, more: int, line: int) -> None:
        if len(self._open) + more > DEEPEST:
            raise YamlError(TOO_DEEP, line)

    def _scalar(self, event: yaml.ScalarEvent) -> _Node:
        node = _Node(event.value, event.anchor, self._line(event.start_mark), 0)
        plain = event.implicit[0] and event.tag is None
        try:
            if plain and event.value == "<<":
                node.merge = True
            elif plain:
                node.value = go_scalars.resolved(event.value)
            elif event.tag is not None:
                node.value = go_scalars.tagged(event.tag, event.value)
        except ValueError as error:
            raise YamlError(str(error), node.line) from None
        return node

    def _alias(self, event: yaml.AliasEvent) -> _Node:
        name, line = str(event.anchor), self._line(event.start_mark)
        anchored = self._anchors.get(name)
        if anchored is None:
            itself = any(node.anchor == name for node in self._open)
            raise YamlError(f"anchor '{name}' value contains itself" if itself else f"unknown anchor '{name}'", line)
        self._aliased += anchored.size
        self._decoded += anchored.size + 1
        if self._aliased > 100 and self._decoded > 1000 and self._aliased / self._decoded > _allowed(self._decoded):
            raise YamlError("document contains excessive aliasing", line)
        self._check_depth(anchored.depth, line)
        node = _Node(_copy(anchored.value), None, line, anchored.depth)
        node.size += anchored.size
        return node

    def _add(self, parent: _Node, node: _Node) -> None:
        parent.size += node.size
        parent.depth = max(parent.depth, node.depth + 1)
        if isinstance(parent.value, list):
            parent.value.append(_value(node))
        elif parent.key is None:
            parent.key, parent.merge = _key(node), node.merge
        elif parent.merge:
            parent.value.update(_merged(node))
            parent.key, parent.merge = None, False
        else:
            if self._strict and parent.key in parent.keys:
                raise YamlError(_twice(parent.key), node.line)
            parent.keys.add(parent.key)
            parent.value[parent.key] = _value(node)
            parent.key = None


def _allowed(decoded: int) -> float:
    """The share of nodes that may come from aliases: go-yaml's allowedAliasRatio."""
    return 0.99 - 0.89 * min(1.0, max(0.0, (decoded - 400_000) / 3_600_000))


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in cast("dict[str, Any]", value).items()}
    return [_copy(item) for item in cast("list[Any]", value)] if isinstance(value, list) else value


def _merged(node: _Node) -> dict[str, Any]:
    """The mappings that `<<` merges. Of several, the first has precedence."""
    parts: list[Any] = node.value if isinstance(node.value, list) else [node.value]
    if not all(isinstance(part, dict) for part in parts):
        raise YamlError("map merge requires map or sequence of maps as the value", node.line)
    return {key: value for part in reversed(parts) for key, value in part.items()}


def _key(node: _Node) -> str:
    try:
        return go_scalars.key(node.value)
    except ValueError as error:
        raise YamlError(str(error), node.line) from None


def _value(node: _Node) -> Any:
    try:
        return go_scalars.as_json(node.value)
    except ValueError as error:
        raise YamlError(str(error), node.line) from None
