"""Messages that count: `1 pod`, `2 pods`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from serinus.api.messages.counted import counted

SOURCE = Path(__file__).parents[2] / "serinus"
OF_KUBERNETES = ("local/apiserver/", "local/schema/", "analysis/expr/", "routing/", "notifications/templates/")
"""Messages that are those of Kubernetes, of the condition language, of Go or of Argo Rollouts, word for word."""
NUMBERS = re.compile(
    r"(?:^|_|\.)(?:n|count|size|total|number|looks|replicas|requests|errors|limit|seconds|minutes|cost)$"
)
"""Names whose value is usually a number."""
SINGULAR = frozenset({"is", "was", "has", "compares", "lasts", "finds", "this", "less", "plus", "times", "series"})
"""Words with an s at their end that are no plural, or the same in both."""
ABOVE_ONE = frozenset({"letters", "characters", "bytes", "points", "records", "sums", "values", "numbers"})
"""Nouns of limits and of answers with several things: their number is above 1."""


def test_a_number_has_the_form_of_its_noun() -> None:
    assert [counted(n, "pod") for n in (0, 1, 2)] == ["0 pods", "1 pod", "2 pods"]
    assert counted(1, "address is", "addresses are") == "1 address is"
    assert counted(2, "address is", "addresses are") == "2 addresses are"
    assert [counted(n, "hour") for n in (1.0, 1.5, 123456789.0)] == ["1 hour", "1.5 hours", "123456789 hours"]


def is_number(part: ast.FormattedValue) -> bool:
    value = part.value
    if isinstance(value, ast.Call):
        return ast.unparse(value.func) in ("len", "sum", "round", "int", "min", "max")
    spec = (
        "".join(str(one.value) for one in part.format_spec.values if isinstance(one, ast.Constant))
        if isinstance(part.format_spec, ast.JoinedStr)
        else ""
    )
    named = isinstance(value, ast.Name | ast.Attribute) and NUMBERS.search(ast.unparse(value)) is not None
    return isinstance(value, ast.BinOp) or named or spec[-1:] in tuple("dfg,")


def plurals(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, text) of the f-strings that write a number and a plural whatever the number is."""
    for text in ast.walk(tree):
        if not isinstance(text, ast.JoinedStr):
            continue
        before = ""
        for part, after in zip(text.values, text.values[1:], strict=False):
            word = (
                re.match(r" (?:(?:ready|old|more|further) )?([a-z]+s)\b", str(after.value))
                if isinstance(after, ast.Constant)
                else None
            )
            ratio = before.endswith("/")  # 1/3 pods
            before = str(part.value) if isinstance(part, ast.Constant) else ""
            if word and not ratio and isinstance(part, ast.FormattedValue) and is_number(part):
                names = [one.id for one in ast.walk(part.value) if isinstance(one, ast.Name)]
                constant = all(name.isupper() for name in names)
                if not constant and word[1] not in SINGULAR | ABOVE_ONE:
                    yield text.lineno, ast.unparse(part.value) + word[0]


def test_no_message_writes_a_plural_after_a_number_that_may_be_1() -> None:
    found = [
        f"serinus/{path}:{line}: {text}: use serinus.api.messages.counted"
        for file in sorted(SOURCE.rglob("*.py"))
        if not (path := file.relative_to(SOURCE).as_posix()).startswith(OF_KUBERNETES)
        for line, text in plurals(ast.parse(file.read_text()))
    ]
    assert not found, "\n".join(found)


def test_the_search_finds_such_a_message() -> None:
    bad = (
        'f"after {tally.looks} looks"',
        'f"{len(found)} pods"',
        'f"{rate:.0f} requests a second"',
        'f"{a - b} more fields"',
    )
    good = 'f"{ready}/{size} pods"', 'f"{name} keeps"', 'f"{MOST} pods"', "f\"{counted(n, 'pod')}\"", 'f"{count} times"'
    assert all(list(plurals(ast.parse(text))) for text in bad)
    assert not any(list(plurals(ast.parse(text))) for text in good)
