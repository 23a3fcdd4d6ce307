"""`{{args.NAME}}` in metrics: every text of a metric may contain it (spec/analysis.md §1, Templating).

Any other `{{ … }}` belongs to another tool (a Go template in an annotation of a Job, a legend of Prometheus) and is
unchanged, byte for byte. Argo Rollouts refuses it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from serinus.analysis.errors import AnalysisProblem
from serinus.analysis.expansion import Room, TooLarge
from serinus.api.analysis import Metric
from serinus.api.decoding.nesting import TOO_DEEP, nests_too_deep

OPEN, CLOSE = "{{", "}}"
ARGUMENTS = ("args.",)
SHOWN = 1_000
"""Characters of a template that a message shows."""


@lru_cache
def _placeholder(prefixes: tuple[str, ...]) -> re.Pattern[str]:
    """Group 1: the tag and the whitespace after it. Group 2: "" if the tag has no end. The match takes linear time."""
    return re.compile(r"\{\{\s*+((?:" + "|".join(map(re.escape, prefixes)) + r")[^{}]*+)(\}\}|)")


def filled(
    text: str, value_of: Callable[[str], str | None], prefixes: tuple[str, ...] = ARGUMENTS, *, room: Room | None = None
) -> str:
    """`text` with the value of each placeholder: a tag with one of `prefixes`, optionally between whitespace.

    AnalysisProblem for a placeholder without a value in `value_of`, and for one without its closing braces. TooLarge if
    the text with its values does not fit into `room`.
    """
    left = room or Room()
    left.take(len(text))
    if OPEN not in text:
        return text

    def put(match: re.Match[str]) -> str:
        if not match[2]:
            raise AnalysisProblem(f'cannot find end tag="}}}}" in the template {text[:SHOWN]!r}')
        value = value_of(match[1].rstrip())
        if value is None:
            raise AnalysisProblem(f"failed to resolve {match[0][:SHOWN]}", argument=match[1].rstrip())
        left.take(len(value))
        return value

    return _placeholder(prefixes).sub(put, text)


def filled_everywhere(value: Any, value_of: Callable[[str], str | None], room: Room) -> Any:
    """The same for every text in JSON, keys included. A TooLarge names the field."""
    if isinstance(value, str):
        return filled(value, value_of, room=room)
    if isinstance(value, list):
        items: list[Any] = []
        for index, item in enumerate(value):
            try:
                items.append(filled_everywhere(item, value_of, room))
            except TooLarge as problem:
                problem.path.append(f"[{index}]")
                raise
        return items
    if isinstance(value, dict):
        fields: dict[str, Any] = {}
        for key, item in value.items():
            try:
                fields[filled(key, value_of, room=room)] = filled_everywhere(item, value_of, room)
            except TooLarge as problem:
                problem.path.append(f".{key[:SHOWN]}")
                raise
        return fields
    return value


def with_arguments(metric: Metric, values: Mapping[str, str], room: Room | None = None) -> Metric:
    """The metric with the values of its arguments. `room`: the limit of all metrics of the run.

    AnalysisProblem for an argument without a value, and for a metric that nests too deeply or does not fit into `room`.
    """

    def value_of(tag: str) -> str | None:
        return values.get(tag.removeprefix("args."))

    written = msgspec.to_builtins(metric)
    if nests_too_deep(written):
        raise AnalysisProblem(f"metric '{metric.name}': {TOO_DEEP}")
    try:
        return msgspec.convert(filled_everywhere(written, value_of, room or Room()), Metric)
    except TooLarge as problem:
        problem.path.append(f"metrics['{metric.name[:SHOWN]}']")
        raise


def names_in(*texts: str | int | None) -> set[str]:
    """The arguments that these texts name."""
    tags_by_text = (_placeholder(ARGUMENTS).findall(text) for text in texts if isinstance(text, str))
    return {tag.rstrip().removeprefix("args.") for tags in tags_by_text for tag, _ in tags}
