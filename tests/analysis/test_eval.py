"""`serinus eval`: conditions can be tried without a run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from serinus.cli.framework.errors import Problem
from tests.support.cli.own_command import printed


def evaluated(*words: str, text: str = "") -> str:
    return printed("eval", *words, text=text)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["result[0] >= 0.95", "--result", "[0.96]"], "true"),
        (["result[0] >= 0.95", "--result", "[0.9]", "--kind", "floats"], "false"),
        (["isNaN(result)", "--result", '"NaN"', "--kind", "float"], "true"),
        (["isInf(result[1])", "--result", '[1, "+Inf"]', "--kind", "floats"], "true"),
        (["result.a == 'x'", "--result", '{"a": "x"}'], "true"),
    ],
)
def test_one_condition_is_answered_with_true_or_false(words: list[str], said: str) -> None:
    assert evaluated(*words) == f"{said}\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["result >", "--result", "1"], "unexpected token EOF"),
        (["result", "--result", "1"], "expected bool, but got float64"),
        (["result > 1"], "--result is missing"),
        (["result > 1", "--result", "{"], "--result is no JSON"),
        (["result > 1", "--result", "[1]", "--kind", "float"], "is no number"),
        (["result > 1", "--result", "1", "--kind", "floats"], "is a list of numbers"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(words: list[str], told: str) -> None:
    with pytest.raises(Problem, match=told):
        evaluated(*words)


def test_lines_are_answered_in_order_each_with_its_value_or_its_error() -> None:
    lines: list[dict[str, Any]] = [
        {"condition": "result > 1", "kind": "json", "result": 2},
        {"condition": "foo", "kind": "json", "result": None},
        {"condition": "result[0] > 1", "kind": "floats", "result": [0.5, "NaN"]},
    ]
    text = "\n".join(json.dumps(line) for line in lines) + "\n\nnonsense\n"
    said = [json.loads(line) for line in evaluated("-", text=text).splitlines()]
    assert said[:3] == [
        lines[0] | {"value": True},
        lines[1] | {"error": "unknown name foo"},
        lines[2] | {"value": False},
    ]
    assert "no object" in said[3]["error"]
