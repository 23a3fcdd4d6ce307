"""No pattern on text from outside grows faster than its input: one long name would stop everything.

CPU time is limited by the kernel, generously: all patterns in linear time need a fifth of it, one in quadratic time more
than all of it.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import serinus

ROOT = Path(serinus.__file__).parent
SECONDS = 60
BUILT = {
    "analysis/expr/functions/go_time_layout.py re.fullmatch(expected + re.escape(layout[at:]), text, re.ASCII)",
    r"routing/istio_routes.py re.match(f'{re.escape(self.rollout)}-[0-9a-z]+-\\d+-\\d+-.', name)",
    "routing/gateway_api.py re.match(re.escape(traffic.rollout) + EXPERIMENTS, name)",
}
"""Patterns that are made of parts while they are used. The first has atomic groups only; the names of the others are Kubernetes'."""
PROGRAM = Path(__file__).with_name("growth.py")


def patterns() -> list[str]:
    """Every compiled pattern of every module, as module:name."""
    found: list[str] = []
    for module in pkgutil.walk_packages([str(ROOT)], "serinus."):
        if module.name.endswith("__main__"):
            continue
        names = vars(importlib.import_module(module.name))
        found += [f"{module.name}:{name}" for name, value in names.items() if isinstance(value, re.Pattern)]
    return sorted(found)


def run(names: list[str], path: Path | None = None, seconds: int = SECONDS) -> tuple[int, str]:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))

    environment = {"PYTHONPATH": f"{ROOT.parent}:{path}"}
    done = subprocess.run(
        [sys.executable, str(PROGRAM)], input="\n".join(names), capture_output=True, text=True, timeout=400,
        check=False, preexec_fn=limit, env=environment,
    )  # fmt: skip
    return done.returncode, (done.stdout.split() or ["nothing"])[-1] + done.stderr[-2000:]


@pytest.mark.long
def test_every_pattern_needs_time_in_proportion_to_its_text():
    code, last = run(patterns())
    assert code == 0, f"{last} is too slow: write possessive quantifiers (*+, ++), or bound the text before it"


@pytest.mark.long
def test_a_pattern_that_grows_faster_is_found(tmp_path: Path):
    slow = r"import re; SLOW = re.compile(r'(\d+\.?\d*|\.\d+)(ns|s|m|h)'); parts = lambda text: SLOW.findall(text)"
    (tmp_path / "slow.py").write_text(slow)
    code, last = run(["slow:SLOW"], tmp_path, seconds=5)
    assert code != 0
    assert last.startswith("slow:SLOW")


def test_no_pattern_hides_in_a_function():
    """The test above does not see `re.match(...)` with an inline pattern. Only simple ones are allowed there."""
    hidden: list[str] = []
    for file in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if (
                not (isinstance(node.func.value, ast.Name) and node.func.value.id == "re")
                or node.func.attr == "compile"
            ):
                continue
            if node.func.attr == "escape":
                continue
            first = node.args[0]
            if (
                not isinstance(first, ast.Constant)
                or len(re.findall(r"[+*]", re.sub(r"\[[^]]*\]", "", str(first.value)))) > 1
            ):
                hidden.append(f"{file.relative_to(ROOT)} {ast.unparse(node)[:80]}")
    assert not set(hidden) - BUILT, "\n".join(hidden)
