"""One script of kubectl commands, run on any engine; its output, without the parts that must differ."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.instance.live import BIN, Instance

SCRIPT = Path(__file__).with_name("script.yaml")

_SHAPES = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<uid>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "<time>"),
    (re.compile(r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}\b"), "<time>"),
    (re.compile(r"\b(10\.200|127\.77)\.\d+\.\d+\b"), "<pod IP>"),
    (re.compile(r"\b10\.(9[6-9]|10\d|11[01])\.\d+\.\d+\b"), "<cluster IP>"),
    (re.compile(r"\bprocess://\d+@\w+/\d+"), "<container>"),
    (re.compile(r"\bweb-[4-9bcdf]{7,10}\b"), "web-<hash>"),
    (re.compile(r'"[4-9bcdf]{7,10}"'), '"<hash>"'),
    (re.compile(r"(?<![\w.])\d+[smh](\d+s)?\b(?! delay)"), "<age>"),
    (re.compile(r"-[bcdfghjklmnpqrstvwxz2456789]{5}\b"), "-<id>"),
)
_FIELDS = re.compile(r"\.(resourceVersion|uid|generation)$")
"""Numbers with a meaning only in their own engine; a generation also counts writes of others."""


@dataclass(frozen=True)
class Step:
    run: str
    given: str = ""
    fails: bool = False
    json: bool = False
    only_last: bool = False
    sorted: bool = False


def steps() -> list[Step]:
    rows: list[dict[str, Any]] = yaml.safe_load(SCRIPT.read_text())
    return [Step(**row) for row in rows]


def run_script(instance: Instance, namespace: str) -> list[tuple[str, ...]]:
    """The output of each step, in lines."""
    return [_run(step, instance, namespace) for step in steps()]


def _run(step: Step, instance: Instance, namespace: str) -> tuple[str, ...]:
    command = [str(BIN / "kubectl"), *_words(step.run)]
    environment = {**instance.environment(), "KUBECTL_EXTERNAL_DIFF": "diff -u"}
    done = subprocess.run(
        command,
        input=step.given.replace("$NS", namespace),
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
        check=False,
    )
    if step.json and not done.returncode:
        return tuple(sorted(_flat(json.loads(done.stdout), "", namespace)))
    lines = [_plain(line, namespace) for line in (done.stdout + done.stderr).splitlines()]
    lines = [line for line in lines if line]
    if step.only_last:
        lines = lines[-1:]
    if step.sorted:
        lines.sort()
    ending = [] if bool(done.returncode) == step.fails else [f"(exit code {done.returncode})"]
    return tuple(lines + ending)


def _words(text: str) -> list[str]:
    """As a shell would split them, except that braces and brackets keep their quotes: they hold JSON and JSONPath."""
    words = text.split(" ")
    found: list[str] = []
    for word in words:
        open_word = found[-1] if found else ""
        if open_word.count("{") > open_word.count("}") or open_word.count('"') % 2:
            found[-1] += " " + word
        else:
            found.append(word)
    return [word if "{" in word or "[" in word else "".join(shlex.split(word)) for word in found]


def _plain(text: str, namespace: str) -> str:
    text = text.replace(namespace, "<namespace>") if namespace != "default" else text
    for shape, name in _SHAPES:
        text = shape.sub(name, text)
    return " ".join(text.split())


def _flat(value: Any, path: str, namespace: str) -> list[str]:
    if isinstance(value, dict) and value:
        return [line for key, item in value.items() for line in _flat(item, f"{path}.{key}", namespace)]
    if isinstance(value, list) and value:
        items = value
        if all(isinstance(item, dict) and "type" in item for item in items):
            items = sorted(items, key=lambda item: str(item["type"]))  # conditions: their order has no meaning
        return [line for i, item in enumerate(items) for line in _flat(item, f"{path}[{i}]", namespace)]
    if _FIELDS.search(path):
        return []
    return [f"{path} = {_plain(json.dumps(value), namespace)}"]


def changed(ours: tuple[str, ...], theirs: tuple[str, ...]) -> list[str]:
    """`- line` for lines of the embedded engine only, `+ line` for lines of the cluster only."""
    return [f"- {line}" for line in ours if line not in theirs] + [f"+ {line}" for line in theirs if line not in ours]
