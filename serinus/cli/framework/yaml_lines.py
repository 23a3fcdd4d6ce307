"""Line numbers of fields in a file, for messages that a user or an editor can follow."""

from __future__ import annotations

import re

import yaml

from serinus.api.yaml.reader import Chunk

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_LEFT_OUT = ("canary", "blueGreen")
"""Names that paths of findings leave out: the strategies."""


def line_of(chunk: Chunk, path: str) -> int:
    """The line, from 1, of the field in this document, or of its innermost parent that exists."""
    try:
        node = yaml.compose(chunk.text, Loader=_LOADER)
    except yaml.YAMLError:
        return chunk.line  # JSON allows strings that YAML does not
    if node is None:
        return chunk.line
    line = node.start_mark.line
    for name, number in _PART.findall(path):
        position = _below(node, name, int(number) if number else 0)
        if position is None and name:
            through = next((way for key in _LEFT_OUT if (way := _below(node, key, 0))), None)
            position = _below(through[1], name, 0) if through else None
        if position is None:
            break
        line, node = position
    return chunk.line + line


def _below(node: yaml.Node, name: str, number: int) -> tuple[int, yaml.Node] | None:
    """(line, value) of a key or of an item."""
    if name and isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == name:
                return key.start_mark.line, value
    if not name and isinstance(node, yaml.SequenceNode) and number < len(node.value):
        item = node.value[number]
        return item.start_mark.line, item
    return None
