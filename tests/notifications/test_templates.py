"""Templates give the results of Go's text/template with sprig: recorded answers of `tools/go_templates`, and our own limits."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from serinus.analysis.expr.functions.go_time_layout import parse_time
from serinus.analysis.expr.functions.time_values import Time
from serinus.notifications.templates.errors import TemplateError
from serinus.notifications.templates.functions.registry import NAMES, REFUSED
from serinus.notifications.templates.template import Template
from serinus.notifications.templates.values import GoFunction

RECORDED = json.loads(Path(__file__).with_name("go_templates.json").read_text())
NOW = 1_700_000_000.0

WE_DIFFER = {
    "{{kindOf .n}} {{kindOf .s}} {{kindOf .l}} {{kindOf .m}} {{kindOf .f}} {{typeOf .s}} {{typeOf .l}} {{typeOf .m}} "
    '{{kindIs "string" .s}} {{typeOf .f}} {{deepEqual .l .l}} {{kindOf .nope}} {{kindOf .t}}': "int is not int64",
    '{{printf "%d" .s}} {{printf "%s" .n}} {{printf "%d %d" .n}} {{printf "%d" .n .n}}': "int is not int64",
    '{{ .n | printf "%d-%s" 3 }}': "int is not int64",
    '{{duration "95"}} {{duration 95}} {{durationRound "2h10m5s"}} {{durationRound "40s"}}': "every integer is one",
}


def values() -> dict[str, Any]:
    """The recorded values as the notifications have them: secrets are bytes, `time` has functions."""
    made = dict(RECORDED["values"])
    made["secrets"] = {key: text.encode() for key, text in made["secrets"].items()}
    made["time"] = {
        "Now": GoFunction("Now", lambda: Time(round(NOW * 1e9))),
        "Parse": GoFunction("Parse", lambda text: parse_time(text, "2006-01-02T15:04:05Z07:00"), ("s",)),
    }
    return made


def rendered(source: str, **more: Any) -> str:
    return Template(source).render(values() | more, NOW)


@pytest.mark.parametrize("case", RECORDED["cases"], ids=lambda case: case["template"][:60])
def test_a_template_gives_what_go_gives(case: dict[str, str]) -> None:
    source = case["template"]
    if "parse" in case:
        with pytest.raises(TemplateError) as caught:
            Template(source)
        line = re.match(r"template: n:(\d+)", case["parse"])
        assert line is not None
        assert caught.value.line == int(line.group(1))
    elif "error" in case:
        with pytest.raises(TemplateError, match="line 1: "):
            rendered(source)
    elif source in WE_DIFFER:
        assert rendered(source) != case["out"]
    else:
        assert rendered(source) == case.get("out", "")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{eq .n 5}} {{eq .n 5.0}} {{gt .n 3}} {{index .l .n}} {{printf `%d` .n}} {{printf `%.1f` .n}}", "true"),
        ("{{range .n}}{{.}}{{end}} {{trunc .n `abcdefgh`}}", "01234 abcde"),
        ("{{until .n}}", "[0 1 2 3 4]"),
    ],
)
def test_numbers_mean_the_same_whether_they_come_as_integers_or_floats(source: str, expected: str) -> None:
    made = [rendered(source, n=number, l=[*"abcdef"]) for number in (5, 5.0)]
    assert made[0] == made[1]
    assert made[0].startswith(expected)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_reaches_beyond_the_values_is_refused_by_name(name: str) -> None:
    with pytest.raises(TemplateError, match=f'line 2: function "{name}" is not available'):
        Template("x\n{{" + name + "}}")


def test_no_function_is_both_there_and_refused() -> None:
    assert not NAMES & REFUSED


@pytest.mark.parametrize(
    "source",
    [
        "{{range until 10000}}{{range until 10000}}{{end}}{{end}}",
        '{{$s := "x"}}{{range until 40}}{{$s = print $s $s}}{{end}}',
        '{{repeat 100000000 "x"}}',
        '{{printf "%999999999d" 1}}{{range until 9999}}{{printf "%999999d" 1}}{{end}}',
        "{{until 100000000}}",
        "{{seq 0 1 100000000}}",
        "{{range 99999999}}x{{end}}",
        '{{define "a"}}{{template "b"}}{{template "b"}}{{end}}{{define "b"}}{{template "a"}}{{template "a"}}{{end}}{{template "a"}}',
        '{{$d := dict}}{{$x := set $d "me" $d}}{{$d}}',
        '{{$d := dict}}{{$x := set $d "me" $d}}{{toJson $d}}',
        '{{$d := dict "a" (dict)}}{{$x := set (index $d "a") "me" $d}}{{merge $d $d.a}}',
        "{{$l := list 1}}{{range until 50}}{{$l = concat $l $l}}{{end}}",
        '{{regexReplaceAll "" (repeat 1000 "x") (repeat 10000 "y")}}',
        '{{$s := repeat 100000 "x"}}{{replace "x" $s $s}}',
        '{{$s := repeat 100000 "x"}}{{join $s (splitList "" $s)}}',
        '{{$s := repeat 10000 "\n"}}{{indent 1000 $s}}',
        '{{$s := repeat 400 "1 "}}{{semverCompare (print $s "!") "1"}}',
        '{{range until 10000}}{{$x := semverCompare "1 - 2 || 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1" "1"}}{{end}}',
        "{{" + "(" * 300 + "1" + ")" * 300 + "}}",
        "{{if 1}}" * 300 + "{{end}}" * 300,
        "{{1}}" * 60000,
    ],
    ids=lambda source: source[:40],
)
def test_a_template_takes_neither_long_nor_much_memory(source: str) -> None:
    with pytest.raises(TemplateError):
        rendered(source)


def test_a_rendering_changes_none_of_the_values() -> None:
    given = values()
    Template('{{$x := 1}}{{range .l}}{{$x = .}}{{end}}{{$m := omit .m "a"}}{{$n := append .l "q"}}').render(given)
    assert given["l"] == RECORDED["values"]["l"]
    assert given["m"] == RECORDED["values"]["m"]


def test_a_text_without_actions_is_itself() -> None:
    assert Template("plain } text { % $").render({}) == "plain } text { % $"


@pytest.mark.parametrize("half", ["\ud800"], ids=ascii)
@pytest.mark.parametrize(
    "use",
    [
        "",
        "| urlquery",
        '| printf "%x"',
        '| printf "%q"',
        "| b64enc",
        "| sha256sum",
        "| toJson",
        "| quote",
        "| js",
        "| html",
        "| upper",
    ],
)
def test_half_of_a_surrogate_pair_never_reaches_a_receiver(half: str, use: str) -> None:
    """Services send UTF-8: such a character in a text of the cluster must not lose the message."""
    text = Template("{{ .text " + use + " }}").render({"text": f"a{half}b"})
    assert text.encode()
