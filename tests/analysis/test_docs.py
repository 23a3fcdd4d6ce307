"""docs/analysis.md: its samples give the documented results, and it is complete."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import msgspec
import pytest
import yaml

from serinus.analysis.arguments import secret_names
from serinus.analysis.expr.compiler import FUNCTIONS
from serinus.analysis.expr.functions.predicates import PREDICATES
from serinus.analysis.resolution import resolve
from serinus.analysis.templates import run_spec
from serinus.api.analysis import AnalysisTemplate, Argument
from tests.support.cli.own_command import printed

TEXT = (Path(__file__).parents[2] / "docs" / "analysis.md").read_text()
SAMPLES = [line.rsplit("#", 1) for line in TEXT.splitlines() if line.startswith("serinus eval '")]


@pytest.mark.parametrize(("line", "said"), SAMPLES)
def test_samples_of_conditions_give_what_is_written_behind_them(line: str, said: str) -> None:
    assert printed("eval", *shlex.split(line)[2:]).strip() == said.strip()


def test_there_are_samples() -> None:
    assert len(SAMPLES) == 10


@pytest.mark.parametrize("name", sorted([*FUNCTIONS, *PREDICATES]))
def test_every_function_is_named(name: str) -> None:
    assert re.search(rf"\b{name}\b", TEXT)


def test_the_first_template_can_be_carried_out() -> None:
    first = re.search(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    assert first is not None
    template = msgspec.convert(yaml.safe_load(first[1]), AnalysisTemplate)
    spec = run_spec([template], [Argument("service", "web")])
    resolved = resolve(spec, {name: {"token": "t"} for name in secret_names(spec.args)})
    (metric,) = resolved.metrics
    assert metric.metric.success_condition == "len(result) > 0 && result[0] >= 0.95"
    assert metric.limits.count == 5
