"""Where in a YAML file a field stands, for messages that a person, or an editor, can follow."""

from __future__ import annotations

import re

import yaml

_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_LEFT_OUT = ("canary", "blueGreen")
"""Paths of findings leave the strategy's name out."""


class Lines:
    """`text`: a file that could be read. Documents are counted as `documents` returns them: empty ones do not count."""

    def __init__(self, text: str) -> None:
        nodes = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
        self._documents = [node for node in nodes if node is not None and node.tag != "tag:yaml.org,2002:null"]

    def line(self, document: int, path: str) -> int:
        """The line, from 1, of the field, or of the innermost field around it that is there."""
        node = self._documents[document]
        line = node.start_mark.line + 1
        for name, number in _PART.findall(path):
            found = _below(node, name, int(number) if number else 0)
            if found is None and name:
                through = next((way for key in _LEFT_OUT if (way := _below(node, key, 0))), None)
                found = _below(through[1], name, 0) if through else None
            if found is None:
                return line
            line, node = found
        return line


def _below(node: yaml.Node, name: str, number: int) -> tuple[int, yaml.Node] | None:
    """(line, value) of a key or of an item."""
    if name and isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == name:
                return key.start_mark.line + 1, value
    if not name and isinstance(node, yaml.SequenceNode) and number < len(node.value):
        item = node.value[number]
        return item.start_mark.line + 1, item
    return None
