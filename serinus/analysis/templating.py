"""`{{args.x}}` in metrics: every text of a metric may hold it (spec/analysis.md §1, Templating)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from serinus.analysis.problems import AnalysisProblem
from serinus.api.analysis import Metric
from serinus.api.nesting import TOO_DEEP, nests_too_deep

OPEN, CLOSE = "{{", "}}"


def filled(text: str, value_of: Callable[[str], str | None]) -> str:
    """`text` with what `value_of` gives for each tag (blanks trimmed); AnalysisProblem for a tag that it does not know."""
    if OPEN not in text:
        return text
    out: list[str] = []
    rest = text
    while True:
        before, opened, rest = rest.partition(OPEN)
        out.append(before)
        if not opened:
            return "".join(out)
        tag, closed, rest = rest.partition(CLOSE)
        if not closed:
            raise AnalysisProblem(f'cannot find end tag="}}}}" in the template {text!r}')
        value = value_of(tag.strip())
        if value is None:
            raise AnalysisProblem(f"failed to resolve {{{{{tag}}}}}")
        out.append(value)


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
    """The metric, with the values of its arguments. AnalysisProblem for one that nests too deeply to be walked."""

    def value_of(tag: str) -> str | None:
        return values.get(tag.removeprefix("args.")) if tag.startswith("args.") else None

    written = msgspec.to_builtins(metric)
    if nests_too_deep(written):
        raise AnalysisProblem(f"metric '{metric.name}': {TOO_DEEP}")
    return msgspec.convert(filled_everywhere(written, value_of), Metric)
