"""`serinus verdict`: looks as JSON lines, each printed with its verdict."""

from __future__ import annotations

import json
from typing import Any

import pytest

from serinus.cli.framework.errors import Problem
from tests.support.cli import own_command


def printed(*words: str, text: str = "") -> list[dict[str, Any]]:
    return [json.loads(line) for line in own_command.printed("verdict", *words, text=text).splitlines()]


def test_each_look_is_printed_with_its_verdict() -> None:
    look = {"canary": {"requests": 20, "errors": 0}, "stable": {"requests": 180, "errors": 2}}
    lines = printed(text=f"{json.dumps(look)}\n\n[30, 30, 270, 0]\n")
    assert lines[0].items() >= look.items()
    assert (lines[0]["logHarm"], lines[0]["logSafe"]) == pytest.approx((-0.618595, 0.214655), abs=1e-6)
    assert [line["verdict"] for line in lines] == ["undecided", "harm"]


def test_flags_are_the_settings_of_a_metric() -> None:
    look = json.dumps([50, 0, 450, 0])
    assert printed("--budget", "0.01", text=look)[0]["logHarm"] == pytest.approx(-0.441066, abs=1e-6)
    strict = printed("--false-abort", "1e-30", "--false-pass", "0.01", text="[30, 30, 270, 0]")
    assert strict[0]["verdict"] == "undecided"


def test_every_form_of_a_look_gives_the_same_verdict() -> None:
    both = [
        '{"canary": {"requests": 20, "errors": 1}, "stable": {"requests": 180, "errors": 2}, "verdict": "harm"}',
        '{"n_c": 20, "k_c": 1, "n_s": 180, "k_s": 2}',
        "[20, 1, 180, 2]",
        "[20.0, 1.0, 180.0, 2.0]",
    ]
    assert {printed(text=text)[0]["logHarm"] for text in both} == {0.386054242}
    alone = ['{"canary": {"requests": 20, "errors": 1}}', '{"n_c": 20, "k_c": 1}', "[20, 1]", "[20, 1, 0, 0]"]
    assert len({printed("--budget", "0.01", text=text)[0]["logHarm"] for text in alone}) == 1


def looks_at(*weights: int, canary: int, stable: int) -> str:
    return "".join(
        json.dumps({"n_c": canary, "k_c": 0, "n_s": stable, "k_s": 1, "weight": weight}) + "\n" for weight in weights
    )


@pytest.mark.parametrize(
    ("words", "text", "first"),
    [
        (("--weight", "20"), "[180, 1, 20, 0]\n", "look 1: the canary's queries count 90.0%"),
        ((), looks_at(20, 20, 20, canary=180, stable=20), "look 3: the canary's queries count 90.0%"),
        (("--weight", "50"), looks_at(10, 10, 10, canary=100, stable=100), "look 3: the canary's queries count 50.0%"),
    ],
)
def test_requests_that_do_not_split_by_the_weight_are_no_verdict(words: tuple[str, ...], text: str, first: str) -> None:
    with pytest.raises(Problem) as caught:
        printed(*words, text=text)
    assert caught.value.message.startswith(f"{first} of all requests and its weight is ")


def test_looks_around_a_change_of_the_weight_are_left_out_of_the_split() -> None:
    late = looks_at(50, 50, canary=10, stable=90)  # the gateway still sends 10 %
    text = looks_at(10, 10, 10, canary=10, stable=90) + late + looks_at(50, 50, canary=50, stable=50)
    assert len(printed(text=text)) == 7


@pytest.mark.parametrize("words", [(), ("--weight", "0"), ("--weight", "10"), ("--weight", "12")])
def test_a_right_split_and_no_weight_are_no_error(words: tuple[str, ...]) -> None:
    assert len(printed(*words, text="[20, 0, 180, 2]\n" * 50)) == 50


def test_a_weight_is_a_percentage() -> None:
    with pytest.raises(Problem, match="look 1: weight: 120 is no percentage between 0 and 100"):
        printed(text=looks_at(120, canary=10, stable=90))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 0, 9, 0]\n[1, 2, 9, 0]\n", "line 2: canary.errors: 2 errors are more than 1 request:"),
        ("\n{", "line 2: is no JSON"),
        ("[" * 200 + "]" * 200, "line 1: "),
        ('{"canary": {"requests": 1, "errors": 0}, "stable": {"requests": 1}}', "line 1: stable.errors: is missing"),
        ("\xff", "line 1: is no JSON"),
        ("[20, NaN, 180, 2]", "line 1: canary.errors: nan is no count"),
        ("[1e400, 0, 180, 2]", "line 1: canary.requests: inf is no count"),
        ("[1e16, 0, 180, 2]", "line 1: canary.requests: 1e+16 is above 1e+15, the highest count"),
        ("[20, -1, 180, 2]", "line 1: canary.errors: -1 is negative"),
        ('["20", 0, 180, 2]', "line 1: canary.requests: '20' is no number"),
        ('{"n_c": 20, "k_c": 0, "n_s": 180}', "line 1: k_s: is missing"),
        (
            "[20, 0, 180, 2]\n[20, 0]",
            "look 2: stable: is missing: without a stable version to compare with, set --budget",
        ),
        ('{"canary": {"requests": 20, "errors": 0}, "stable": null}', "look 1: stable: is missing"),
        ('{"n_c": 20, "k_c": 0}', "look 1: stable: is missing"),
        ('{"stable": {"requests": 20, "errors": 0}}', "line 1: canary: is missing"),
    ],
)
def test_a_bad_line_is_an_error_with_its_number_and_field(text: str, message: str) -> None:
    with pytest.raises(Problem) as caught:
        printed(text=text)
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--false-abort", "0"),
        ("--false-pass", "1"),
        ("--budget", "0"),
        ("--budget", "1"),
        ("--budget", "1e-320"),
        ("--margin", "nan"),
        ("--margin", "1e300"),
        ("--tolerated", "1e-300"),
        ("--dispersion", "1e300"),
    ],
)
def test_a_setting_that_allows_no_verdict_names_its_flag(flag: str, value: str) -> None:
    with pytest.raises(Problem, match=f"^{flag}: "):
        printed(flag, value)
