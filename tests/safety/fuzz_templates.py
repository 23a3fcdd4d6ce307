"""Templates of notifications, as any user may write them, with values of any kind."""

from __future__ import annotations

import contextlib
import json
from random import Random
from typing import Any

from serinus.notifications.templates.errors import TemplateError
from serinus.notifications.templates.functions.registry import NAMES
from serinus.notifications.templates.template import LONGEST, Template
from tests.safety.any_json import NUMBERS, TEXTS, anything
from tests.safety.fuzz import Target

NOW = 1_800_000_000.0
ATOMS = (
    ".", ".a", ".a.b", "$", "$.a", "$x", "nil", "true", "`x`", "'a'", "0x1F", "1e308", "(until 9999)", "(dict)", "(now)", "(list 1 2)",
    '(repeat 9999 "x")', "(split `,` `a,b`)", "9223372036854775807", "-1", ".5",
)  # fmt: skip
PIECES = (
    "{{", "}}", "{{-", "-}}", "{{if", "{{else}}", "{{end}}", "{{range", "{{with", '{{define "a"}}', '{{template "a" .}}', "{{break}}",
    "{{/*", "*/}}", "|", "(", ")", ":=", "=", ",", "\\", '"', "`", "\n", *ATOMS, *sorted(NAMES),
)  # fmt: skip


def _word(random: Random, depth: int) -> str:
    kind = random.random()
    if depth <= 0 or kind < 0.4:
        return random.choice(ATOMS)
    if kind < 0.5:
        return json.dumps(random.choice(TEXTS))
    return str(random.choice(NUMBERS)) if kind < 0.6 else f"({_pipe(random, depth - 1)})"


def _pipe(random: Random, depth: int) -> str:
    commands: list[str] = []
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        words = " ".join(_word(random, depth - 1) for _ in range(random.randrange(4)))
        commands.append(f"{random.choice(sorted(NAMES))} {words}" if random.random() < 0.8 else _word(random, depth))
    return " | ".join(commands)


def _parts(random: Random, depth: int) -> str:
    found: list[str] = []
    for _ in range(random.randrange(1, 4)):
        if depth <= 0 or random.random() < 0.5:
            found.append(f"text {{{{{_pipe(random, 3)}}}}}")
            continue
        head = random.choice(("if", "with", "range", "range $x :=", "range $i, $x :=", "with $x :="))
        other = f"{{{{else}}}}{_parts(random, depth - 1)}" if random.random() < 0.3 else ""
        found.append(f"{{{{{head} {_pipe(random, 2)}}}}}{_parts(random, depth - 1)}{other}{{{{end}}}}")
    return "{{$x := 1}}" * (random.random() < 0.2) + "".join(found)


def _template(random: Random) -> str:
    kind = random.random()
    if kind < 0.7:
        return _parts(random, random.randrange(5))
    if kind < 0.9:
        return " ".join(random.choice(PIECES) for _ in range(random.randrange(1, 40)))
    piece = random.choice((*PIECES, "{{.a}}", "{{if 1}}", "{{(", "{{range until 9999}}"))
    return piece * (random.choice((100, 2_000, LONGEST)) // len(piece) + 1)


def made(random: Random) -> tuple[str, Any]:
    return _template(random), anything(random, 4)


def judge(given: tuple[str, Any]) -> None:
    text, value = given
    template = Template(text)
    for values in ({"a": value}, value if isinstance(value, dict) else {"a": {"b": value}}):
        with contextlib.suppress(TemplateError):
            template.render(values, NOW)


TARGETS = [Target("templates.judge", made, judge, (TemplateError,))]
