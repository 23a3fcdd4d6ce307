"""`{{args.NAME}}` in metrics: every text of a metric may hold it (spec/analysis.md §1, Templating).

Any other `{{ … }}` belongs to another tool (a Go template in an annotation of a Job, a legend of Prometheus) and stays as it
is, byte for byte. Argo Rollouts refuses it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from serinus.analysis.problems import AnalysisProblem
from serinus.api.analysis import Metric
from serinus.api.nesting import TOO_DEEP, nests_too_deep

OPEN, CLOSE = "{{", "}}"
ARGUMENTS = ("args.",)


@lru_cache
def _placeholder(prefixes: tuple[str, ...]) -> re.Pattern[str]:
    """Group 1 is the tag without the whitespace around it, group 2 is "" where the tag has no end."""
    return re.compile(r"\{\{\s*((?:" + "|".join(map(re.escape, prefixes)) + r")[^{}]*?)\s*(\}\}|(?=[{}])|\Z)")


def filled(text: str, value_of: Callable[[str], str | None], prefixes: tuple[str, ...] = ARGUMENTS) -> str:
    """`text` with the value of each placeholder: a tag that begins with one of `prefixes`, whitespace around it allowed.

    AnalysisProblem for a placeholder that `value_of` does not know, and for one without its closing braces.
    """
    if OPEN not in text:
        return text

    def put(match: re.Match[str]) -> str:
        if not match[2]:
            raise AnalysisProblem(f'cannot find end tag="}}}}" in the template {text!r}')
        value = value_of(match[1])
        if value is None:
            raise AnalysisProblem(f"failed to resolve {match[0]}", argument=match[1])
        return value

    return _placeholder(prefixes).sub(put, text)


def filled_everywhere(value: Any, value_of: Callable[[str], str | None]) -> Any:
    """The same for every text in JSON, keys included."""
    if isinstance(value, str):
        return filled(value, value_of)
    if isinstance(value, list):
        return [filled_everywhere(item, value_of) for item in value]
    if isinstance(value, dict):
        return {filled(key, value_of): filled_everywhere(item, value_of) for key, item in value.items()}
    return value


def with_arguments(metric: Metric, values: Mapping[str, str]) -> Metric:
    """The metric with the values of its arguments.

    AnalysisProblem for an argument that has no value here, and for a metric that nests too deeply to be walked.
    """

    def value_of(tag: str) -> str | None:
        return values.get(tag.removeprefix("args."))

    written = msgspec.to_builtins(metric)
    if nests_too_deep(written):
        raise AnalysisProblem(f"metric '{metric.name}': {TOO_DEEP}")
    return msgspec.convert(filled_everywhere(written, value_of), Metric)


def names_in(*texts: str | int | None) -> set[str]:
    """The arguments that these texts refer to."""
    found = (_placeholder(ARGUMENTS).findall(text) for text in texts if isinstance(text, str))
    return {tag.removeprefix("args.") for tags in found for tag, _ in tags}
