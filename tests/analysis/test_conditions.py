"""Conditions have the reference's meaning, and are harmless."""

from __future__ import annotations

import contextlib
import inspect
import json
import signal
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serinus.analysis.expr.condition import CompiledCondition
from serinus.analysis.expr.errors import ConditionError
from serinus.analysis.expr.limits import Budget
from serinus.analysis.expr.samples import Sample, as_result, judged
from serinus.analysis.expr.values import Floats, go_text
from serinus.api.decoding.nesting import DEEPEST
from tests.support.long import examples

DATA = Path(__file__).parent / "data"
NOW = 1_790_000_000.0


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text().splitlines()]


def test_every_recorded_condition_gives_the_recorded_value_or_an_error() -> None:
    """841 conditions with the results of the reference's evaluator."""
    wrong: list[str] = []
    for line in lines("conditions.jsonl"):
        try:
            said: Any = judged(Sample(line["condition"], line["result"], line["kind"]), NOW)
        except ConditionError:
            said = "error"
        if said != line.get("value", "error"):
            wrong.append(f"{line} gave {said}")
    assert not wrong, "\n".join(wrong)


def test_errors_are_worded_as_the_reference_words_them() -> None:
    """Users look them up. Two differ: the regular expression library's, and a Go formatting slip."""
    differ: set[str] = set()
    for line in lines("conditions.jsonl"):
        if "error" in line:
            with pytest.raises(ConditionError) as error:
                judged(Sample(line["condition"], line["result"], line["kind"]), NOW)
            if str(error.value) != line["error"]:
                differ.add(line["error"])
    assert differ == {
        "error parsing regexp: missing closing ]: `[`",
        "invalid argument for len (type %!s(<nil>))",
    }


@pytest.mark.parametrize("line", lines("expressions.jsonl")[::7], ids=lambda line: line["condition"])
def test_expressions_give_what_expr_lang_gives(line: dict[str, Any]) -> None:
    """Recorded from expr-lang 1.17.8 itself: any value, printed as Go prints it, or an error."""
    result = as_result(line["result"], line["kind"])
    if "error" in line:
        with pytest.raises(ConditionError):
            CompiledCondition(line["condition"]).value(result, NOW)
    else:
        assert go_text(CompiledCondition(line["condition"]).value(result, NOW), Budget()) == line["text"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("string(1e6)", "1e+06"),
        ("string(123456.5)", "123456.5"),
        ("string(1234567.5)", "1.2345675e+06"),
        ("string(0.00001)", "1e-05"),
        ("toJSON(1e21)", "1e+21"),
        ("toJSON(1e-7)", "1e-7"),
        ("toJSON(0.000001)", "0.000001"),
        ('len("héllo")', 5),
        ('"héllo"[0:1]', "h"),
        ('indexOf("héllo", "l")', 3),
        ("9223372036854775807 + 1", -(2**63)),
        ("-7 % 3", -1),
        ("-2 ** 2", -4.0),
        ("1 < 2 < 3", True),
        ("let x = 2; let y = x * 2; y", 4),
        ("if false { 1 } else if true { 2 } else { 3 }", 2),
        ("reduce(1..4, #acc * #)", 24),
        ("map([5, 6], #index)", [0, 1]),
        ("string(duration('90m'))", "1h30m0s"),
        ("date('2024-02-29').YearDay()", 60),
        ("date('2024-05-31').Format('Mon, 2 Jan 2006')", "Fri, 31 May 2024"),
        ("date('02.01.2024 3:04PM', '02.01.2006 3:04PM').Hour()", 15),
        ("date('2024-07-02 03:04:05', '2006-01-02 15:04:05', 'Europe/Berlin').UTC().Hour()", 1),
        ("string(date('2024-01-02T03:04:05+02:00'))", "2024-01-02 03:04:05 +0200 +0200"),
        ("string(date('15:04:05'))", "0000-01-01 15:04:05 +0000 UTC"),
        ("date('2024-01-02').Month().String()", "January"),
        ("(now() - duration('1h')).Unix()", int(NOW) - 3600),
        ("$env.result[0]", 0.5),
    ],
)
def test_what_the_language_can_do(text: str, value: Any) -> None:
    """The expected values come from expr-lang 1.17.8."""
    assert CompiledCondition(text).value(Floats([0.5, 2.0]), NOW) == value


@pytest.mark.parametrize(
    "text",
    [
        "date('2024-02-30')",
        "date('13:04PM', '3:04PM')",
        "date('2023-366', '2006-002')",
        "date('2023-02-29')",
        "date('25:00:00')",
        "date('2024-13-01')",
        "timezone('No/Where')",
    ],
)
def test_times_that_do_not_exist_are_errors(text: str) -> None:
    with pytest.raises(ConditionError):
        CompiledCondition(text).value(None, NOW)


def test_a_clash_of_types_is_an_error_even_where_it_would_not_run() -> None:
    """A mistake in a condition shows at the first measurement, not when its branch first runs."""
    with pytest.raises(ConditionError, match="mismatched types float64 and string"):
        CompiledCondition('result > 0 || result > "x"').holds(1.0)
    assert CompiledCondition('true || result[0] > "x"').holds([1.0])


def test_a_condition_is_read_once_and_asked_often() -> None:
    condition = CompiledCondition("len(result) > 1")
    assert [condition.holds(result) for result in ("ab", [1.0], Floats([1.0, 2.0]), {})] == [True, False, True, False]
    with pytest.raises(ConditionError):
        condition.holds(None)


ENDLESS = [
    "len(map(1..90000, map(1..90000, #)))",
    "reduce(1..400, #acc + #acc, 'ab') == ''",
    "repeat('ab', 1000000000) == ''",
    "let a = repeat('x', 100000); let b = repeat(a, 100000); b == a",
    "1..1000000000 == []",
    "sum(1..99999, sum(1..99999, #)) > 0",
    "any(1..99999, {replace(repeat('a', 900), 'a', repeat('b', 900)) == ''})",
    "'" + "a" * 5000 + "' matches '(a*)*b'",
    "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab' matches '(a|aa)+$'",
    "'x' matches '((a{1,900}){1,900}){1,900}'",
    "toJSON(map(1..9999, map(1..9999, 1))) == ''",
    "uniq(1..90000) == []",
    "sort(flatten(map(1..300, 1..300))) == []",
    "date('" + "1" * 60 + "x', '" + "2" * 60 + "') == now()",
    "2 ** 2 ** 2 ** 2 ** 2 ** 2 ** 2 > 1",
    "bitshl(1, 9223372036854775807) == 0",
    "(" * 3000 + "1" + ")" * 3000,
    "-" * 5000 + "1 > 0",
    "[" * 5000,
    "1" + " + 1" * 8000 + " > 0",
    "result" + ".a" * 5000,
    "true" + " ? true : false" * 3000,
    "a" * 100_000,
    "9" * 15_000 + " > 1",
    "'" + "\\" * 9000,
    "/*" * 9000,
]


@pytest.fixture
def bounded() -> Iterator[None]:
    """Far above the need of a slow machine: only an endless or memory-hungry condition reaches it."""
    tracemalloc.start()
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.alarm(60)
    yield
    signal.alarm(0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100e6


@pytest.mark.parametrize("text", ENDLESS, ids=lambda text: text[:40])
@pytest.mark.usefixtures("bounded")
def test_no_condition_loops_for_long_or_eats_memory(text: str) -> None:
    """Either a value or the one error; most take a few milliseconds, the longest a third of a second."""
    try:
        CompiledCondition(text).value({"a": 1.0}, NOW)
    except ConditionError as error:
        said = str(error)
    else:
        said = ""
    assert len(said) < 16_000


def test_a_long_row_of_terms_is_fine() -> None:
    assert CompiledCondition(" || ".join(f"result == {i}" for i in range(1, 700))).holds(699.0)


def test_deep_results_are_an_error_not_a_crash() -> None:
    deep: Any = 1.0
    for _ in range(20_000):
        deep = [deep]
    for text in (
        "string(result) == ''",
        "toJSON(result) == ''",
        "flatten(result) == []",
        "result == [result]",
        "max(result) > 1",
        "result == 1",
        "len(result) == 1",
    ):
        with pytest.raises(ConditionError, match="nested more than 128 levels"):
            CompiledCondition(text).holds(deep)


def nested(levels: int) -> Any:
    value: Any = 1.0
    for _ in range(levels):
        value = {"a": [value]}
    return value


@pytest.mark.parametrize(
    "text", ["string(result) == ''", "toJSON(result) == ''", "result == result", "result.a == [1]"]
)
def test_no_result_that_is_read_meets_the_limit_of_the_interpreter(text: str) -> None:
    """At that limit even the garbage collector's finalizers fail. The deepest result that is read is far from it."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(500 + len(inspect.stack()))
    try:
        assert CompiledCondition(text).value(nested(DEEPEST // 2)) in (True, False)
    finally:
        sys.setrecursionlimit(limit)


@pytest.mark.parametrize("use", ["toJSON(V) == ''", "string(V) == ''", "V == V", "flatten(V) == []", "max(V) > 1"])
def test_a_value_that_a_condition_nests_itself_is_bounded_too(use: str) -> None:
    deep = "reduce(1..2000, [#acc], 0)"
    with pytest.raises(ConditionError, match="nested more than"):
        CompiledCondition(use.replace("V", deep)).value(1.0)


def test_text_that_nests_too_deep_is_not_decoded() -> None:
    with pytest.raises(ConditionError, match="nested more than 128 levels"):
        CompiledCondition(f"fromJSON('{'[' * 500}{']' * 500}') == 1").value(1.0)


def test_a_condition_reaches_nothing_but_its_result() -> None:
    for text in (
        "__import__",
        "result.__class__",
        "os.system",
        "open('/etc/passwd')",
        "$env.__builtins__",
        "now.__globals__",
    ):
        with pytest.raises(ConditionError):
            CompiledCondition(text).value(1.0, NOW)


WORDS = (
    "result result result.a result[0] # .x #acc 0 1 2.5 1e300 -1 'a' 'é' true nil [] {} + - * / % ** == != < > <= >= and or "
    "not in contains matches .. ?? ? : ?. | ( ) [ ] { } , ; let x = all any filter map count sum reduce sortBy groupBy len max "
    "min mean int float string asInt asFloat isNaN default date now duration split join repeat sort flatten first get take"
)
TEXTS = st.lists(st.sampled_from(WORDS.split()), max_size=14).map(" ".join) | st.text(max_size=60)
RESULTS = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abx"), inner, max_size=3),
    max_leaves=8,
)


@given(TEXTS, RESULTS)
@settings(max_examples=examples(600), deadline=None)
def test_whatever_is_asked_of_whatever_there_is_one_kind_of_error(text: str, result: Any) -> None:
    with contextlib.suppress(ConditionError):
        CompiledCondition(text).holds(result, NOW)


@given(
    st.lists(st.sampled_from(lines("expressions.jsonl")), min_size=2, max_size=4),
    st.sampled_from([" && ", " == ", " in ", " ?? ", " | "]),
    RESULTS,
)
@settings(max_examples=examples(600), deadline=None)
def test_parts_put_together_raise_nothing_else_either(parts: list[dict[str, Any]], between: str, result: Any) -> None:
    with contextlib.suppress(ConditionError):
        CompiledCondition(between.join(part["condition"] for part in parts)).value(result, NOW)
