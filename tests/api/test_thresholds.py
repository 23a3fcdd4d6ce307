"""The limit in a condition and the number that it compares, as users see them."""

from __future__ import annotations

import pytest

from serinus.engine.explain.thresholds import ConditionLimit, limit_of, number_of, value_text


@pytest.mark.parametrize(
    ("condition", "limit"),
    [
        ("result >= 0.95", ConditionLimit(">=", 0.95)),
        ("result[0] >= 0.95", ConditionLimit(">=", 0.95, (0,))),
        (" ( result[0]<5 ) ", ConditionLimit("<", 5, (0,))),
        ("result.rate > .9", ConditionLimit(">", 0.9, ("rate",))),
        ("result.data[2].rate != 1e3", ConditionLimit("!=", 1000, ("data", 2, "rate"))),
        ("""result["success-rate"] >= 1""", ConditionLimit(">=", 1, ("success-rate",))),
        ("result['a'] <= -1", ConditionLimit("<=", -1, ("a",))),
        ("0.95 <= result[0]", ConditionLimit(">=", 0.95, (0,))),
        ("asFloat(result.rate) >= 0.9", ConditionLimit(">=", 0.9, ("rate",))),
        ("default(result, 0) < 0.05", ConditionLimit("<", 0.05)),
        ("result[0] >= 0.95 && result[0] <= 1", None),
        ("(result[0]) > 1 || (result[1] < 2)", None),
        ("len(result) > 0", None),
        ("all(result, {# < 500})", None),
        ("result[0] >= result[1]", None),
        ("result == 'ok'", None),
        ("result >= {{args.limit}}", None),
        ("result >= 1e999", None),
        ("", None),
    ],
)
def test_a_plain_comparison_has_a_limit_and_nothing_else_has(condition: str, limit: ConditionLimit | None) -> None:
    assert limit_of(condition) == limit


@pytest.mark.parametrize(
    ("value", "place", "number"),
    [
        ("0.97", (), 0.97),
        ("[0.97]", (), 0.97),
        ("[0.97]", (0,), 0.97),
        ("[0.97,0.5]", (1,), 0.5),
        ("[0.97,0.5]", (), None),
        ('{"rate": "0.5"}', ("rate",), 0.5),
        ('{"rate": {"a": [1, 2]}}', ("rate", "a", 1), 2),
        ('"3"', (), 3),
        ("[]", (0,), None),
        ("[NaN]", (0,), None),
        ("Infinity", (), None),
        ("1" * 400, (), None),
        ("true", (), None),
        ("null", (), None),
        ("", (), None),
        ("<b>no</b>", (), None),
        ("[" * 5000, (), None),
        ("[1]" + " " * 9000, (0,), None),
        ("{}", (0,), None),
        ("text", (0,), None),
    ],
)
def test_a_value_gives_its_number_or_none(value: str, place: tuple[str | int, ...], number: float | None) -> None:
    assert number_of(value, place) == number


def test_a_value_without_a_number_is_shown_as_it_is() -> None:
    assert value_text("[0.9666666667]", (0,)) == "0.966667"
    assert value_text("[]", (0,)) == "[]"
