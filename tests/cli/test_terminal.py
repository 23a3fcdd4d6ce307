"""The one way to the terminal: no output bypasses it, and only our own sequences leave it."""

from __future__ import annotations

import ast
import io
import json
import logging
import re
import sys
import tomllib
from pathlib import Path
from typing import Literal

import pytest
import yaml

import serinus
from serinus.api.messages.visible import visible_json
from serinus.api.yaml.writer import dump
from serinus.cli.demos import demo_screen
from serinus.cli.framework import terminal
from serinus.cli.framework.colors import Paint
from serinus.controller.log import Formatter
from tests.support.cli.foreign import MARKED, foreign


def test_colours_are_those_of_the_program_alone() -> None:
    """Sequences like ours, and whole marks of another process, are text."""
    paint, screen = Paint(True), io.StringIO()
    out = terminal.Screen(screen)
    print(f"{paint('✔', 'stable')} \x1b[32m✔\x1b[0m <{'0' * 24}:0>", file=out)
    assert screen.getvalue() == f"\x1b[32m✔\x1b[0m \\x1b[32m✔\\x1b[0m <{'0' * 24}:0>\n"
    assert paint.width(paint("abc", "stable")) == 3


@pytest.mark.long
def test_there_is_no_way_around_the_screen() -> None:
    """Every entry point uses it, no bytes bypass it, and only the demo's picture uses the layer below."""
    project = tomllib.loads((Path(serinus.__file__).parents[1] / "pyproject.toml").read_text())["project"]
    for name, target in project["scripts"].items():
        module, _, function = target.partition(":")
        source = ast.unparse(
            next(
                node
                for node in ast.parse(Path(sys.modules[module].__file__ or "").read_text()).body
                if isinstance(node, ast.FunctionDef) and node.name == function
            )
        )
        assert "_guarded(" in source, name
    wrong: list[str] = []
    for path in Path(serinus.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            text = ast.unparse(node) if isinstance(node, ast.Attribute | ast.Call) else ""
            past = re.fullmatch(r"sys\.(__stdout__|__stderr__|stdout\.buffer|stderr\.buffer)|os\.write\([12],.*", text)
            below = re.fullmatch(r"(terminal\.)?below\(.*|.*\.below\(.*", text) and path.name not in (
                "terminal.py",
                "demo_screen.py",
            )
            if past or below:
                wrong.append(f"{path}: {text}")
    assert not wrong


def test_json_is_printed_with_escapes_wherever_it_is_made() -> None:
    cli = Path(serinus.__file__).parent / "cli"
    for path in cli.rglob("*.py"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.search(r"json\.(dumps|encode)\(", line) and re.search(r"print|echo|write\(|return", line):
                assert "visible_json(" in line, f"{path}:{number}: wrap it in serinus.api.messages.visible.visible_json"


def test_escapes_leave_data_as_they_are() -> None:
    for number in (*range(0x300), 0x2028, 0x202E, 0xD800, 0xDC9B, 0xFEFF, 0x1F600, 0xE0041, 0x10FFFF):
        sign = chr(number)
        document = visible_json(json.dumps([sign], ensure_ascii=False))
        assert json.loads(document) == [sign]
        assert foreign(document) == ""
        if not 0xD800 <= number < 0xE000:
            assert yaml.safe_load(dump({sign: sign})) == {sign: sign}, number
            assert foreign(dump([f"a{sign}b"])) == ""


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_demo_s_picture_holds_what_the_api_said_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    below = Tty()
    monkeypatch.setattr(sys, "stdout", terminal.Screen(below))
    monkeypatch.setenv("TERM", "xterm-256color")
    live = demo_screen.Live()
    live.view = demo_screen.ScreenView(MARKED, MARKED, [MARKED], 0, {MARKED: 50.0})
    live.say(MARKED)
    live.refresh()
    print(MARKED)
    live.close()
    ours = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
    assert foreign(ours.sub("", below.getvalue())) == ""
    assert "\x1b[31;1mred" not in below.getvalue()
    assert "\\x1b]52;c;YQ==\\x07\\x9b2J" in below.getvalue()


@pytest.mark.parametrize("how", ["text", "json"])
def test_log_lines_hold_no_control_character_and_stay_what_they_are(how: Literal["text", "json"]) -> None:
    record = logging.LogRecord("a", 20, "a", 1, MARKED, (), None)
    line = Formatter(how).format(record)
    assert foreign(line) == ""
    assert "\n" not in line
    if how == "json":
        assert json.loads(line)["msg"] == MARKED
