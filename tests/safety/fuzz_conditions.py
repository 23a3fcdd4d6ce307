"""Conditions of metrics, as any user may write them, on answers as any provider may give them."""

from __future__ import annotations

import contextlib
import json
from random import Random
from typing import Any

from serinus.analysis.expr.compiler import FUNCTIONS
from serinus.analysis.expr.condition import CompiledCondition
from serinus.analysis.expr.errors import ConditionError
from serinus.analysis.expr.grammar import BINARY, PREDICATES, UNARY
from serinus.analysis.expr.lexer import LONGEST
from tests.safety.any_json import NUMBERS, TEXTS, anything
from tests.safety.fuzz import Target

NOW = 1_800_000_000.0
OPERATORS = [*BINARY, "?.", "?:", ".."]
ATOMS = (
    "result", "result[0]", "result.a", "result?.a", "#", "#.a", "#index", "#acc", "$env", "nil", "true", "1..1000", "1..100000", "[]", "{}",
    "now()", 'duration("1h")', "1e308", "9223372036854775807", "-9223372036854775808", "0", ".5", "0.1", "[1,2,3]", '"(a+)+$"', "`a`",
    'date("2024-01-02")', "{a: 1}", "result[-1]", "result[1:]", "let x = 1; x",
)  # fmt: skip
MARKS = ["(", ")", "[", "]", "{", "}", ",", ";", "let", "//", "/*", "\\", '"', "'", "`"]
PIECES = (*OPERATORS, *ATOMS, *FUNCTIONS, *PREDICATES, *MARKS, "\n")


def expression(random: Random, depth: int) -> str:
    """Text that mostly can be read."""
    if depth <= 0 or random.random() < 0.15:
        return _atom(random)

    def inner() -> str:
        return expression(random, depth - 1 - random.randrange(2))

    match random.randrange(9):
        case 0 | 1 | 2:
            return f"({inner()} {random.choice(OPERATORS)} {inner()})"
        case 3:
            return f"{random.choice(list(UNARY))} {inner()}"
        case 4 | 5:
            given = ", ".join(inner() for _ in range(random.randrange(4)))
            return f"{random.choice(list(FUNCTIONS))}({given})"
        case 6:
            name = random.choice(list(PREDICATES))
            return f"{name}({inner()}, {inner()}{', ' + inner() if random.random() < 0.3 else ''})"
        case 7:
            return f"({inner()} ? {inner()} : {inner()})"
        case _:
            return f"let v = {inner()}; {inner()}"


def _atom(random: Random) -> str:
    kind = random.random()
    if kind < 0.6:
        return random.choice(ATOMS)
    return json.dumps(random.choice(TEXTS)) if kind < 0.8 else str(random.choice(NUMBERS))


def condition(random: Random) -> str:
    kind = random.random()
    if kind < 0.65:
        return expression(random, random.randrange(1, 7))
    if kind < 0.85:
        return " ".join(random.choice(PIECES) for _ in range(random.randrange(1, 40)))
    if kind < 0.93:  # one thing again and again, up to the longest that is read
        piece = random.choice((*PIECES, "result == 1 && ", "not ", "map(", "result | ", "a.", "1..2 | ", "[1,", "{a:"))
        return piece * (random.choice((100, 2_000, LONGEST, LONGEST + 1)) // len(piece) + 1)
    text = list(expression(random, 5))
    for _ in range(random.randrange(1, 5)):
        text[random.randrange(len(text))] = chr(random.choice((0, 9, 34, 39, 92, 125, 233, 0x202E, 0xD7FF, 0x1F600)))
    return "".join(text)


def result(random: Random) -> Any:
    kind = random.random()
    if kind < 0.1:
        return [random.choice(NUMBERS)] * random.choice((10, 1_000, 50_000))
    if kind < 0.15:
        return "a" * random.choice((100, 10_000, 1_000_000))
    if kind < 0.2:
        return {f"k{i}": {"a": i} for i in range(random.choice((10, 1_000, 30_000)))}
    return anything(random, 4)


def made(random: Random) -> tuple[str, Any]:
    return condition(random), result(random)


def judge(given: tuple[str, Any]) -> None:
    text, answer = given
    found = CompiledCondition(text)
    for value in (answer, [answer], {"a": answer}):
        with contextlib.suppress(ConditionError):
            found.holds(value, NOW)


TARGETS = [Target("conditions.judge", made, judge, (ConditionError,))]
