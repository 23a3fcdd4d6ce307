"""The sample of the page: a trigger and a template that read sequential verdicts from AnalysisRuns."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from serinus.api.analysis import AnalysisRun
from serinus.engine.core.builder import settled
from serinus.notifications.configuration import read_configuration
from serinus.notifications.due import by_condition, subscribed
from serinus.notifications.texts import render
from serinus.notifications.variables import for_templates, variables
from tests.support.analysis.vendor import NOW, World
from tests.support.analysis.verdict_run import VerdictRun, metric

PAGE = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text()
NAP = "notifications.argoproj.io"
ROLLOUT = {"metadata": {"name": "web"}, "status": {"currentPodHash": "v2", "phase": "Progressing"}}


def sample() -> dict[str, str]:
    found = re.search(r"```yaml\n(trigger\.on-evidence-of-harm.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return yaml.safe_load(found[1])


async def judged(world: World, look: list[float]) -> AnalysisRun:
    """A run of a sequential metric after one look: requests and errors of the canary, and of the stable version."""
    n_c, k_c, n_s, k_s = look
    world.vendor.says("/counts", {"canary": {"n": n_c, "k": k_c}, "stable": {"n": n_s, "k": k_s}})
    paths = {side: {"requests": f"{{$.{side}.n}}", "errors": f"{{$.{side}.k}}"} for side in ("canary", "stable")}
    config = {"web": {"url": f"{world.url}/counts"}, **paths}
    return await VerdictRun(world.http, world.cluster, metric(config, count=1), NOW).play()


@pytest.mark.parametrize(
    ("look", "text"),
    [
        ([30, 30, 270, 0], "run errors: harm, evidence of harm 6.89e+23, limit 20"),
        ([20, 0, 180, 2], None),
    ],
)
async def test_the_sample_reports_evidence_of_harm(world: World, look: list[float], text: str | None) -> None:
    run: dict[str, Any] = settled(await judged(world, look))
    run["metadata"]["name"] = "run"
    found = read_configuration("", {"service.slack": "token: x", **sample()}, {})
    assert found.problems == ()
    wanted, _ = subscribed(found, {f"{NAP}/subscribe.on-evidence-of-harm.slack": "ch"}, {})
    for runs in (None, [], [{"metadata": {"name": "new"}, "status": {}}], [run]):
        values = variables(ROLLOUT, {}, analysis_runs=runs)
        due = by_condition(found, wanted, values, {}, NOW)
        assert due.problems == ()
        assert len(due.due) == (1 if runs == [run] and text else 0)
    made = render(
        [found.templates["evidence"]],
        "slack",
        "slack",
        for_templates(variables(ROLLOUT, {}, analysis_runs=[run]), "slack", "ch", NOW),
        NOW,
    )
    if text is not None:
        assert made.message.strip() == text
    else:
        assert made.message.strip() == "run errors: undecided, evidence of harm 0.539, limit 20"


async def test_the_run_of_an_event_has_the_sentence_and_the_numbers(world: World) -> None:
    run = settled(await judged(world, [30, 30, 270, 0]))
    source = (
        "{{with index .analysisRun.status.metricResults 0}}{{with last .measurements}}{{.message}} | "
        "{{with fromJson .value}}{{.verdict}} {{.evidence.safe}} {{.looks}} {{.requests.canary}} {{index .ratio 0}}{{end}}"
        "{{end}}{{end}}"
    )
    found = read_configuration("", {"template.t": f"message: '{source}'"}, {})
    values = variables(ROLLOUT, {}, analysis_run=run)
    made = render([found.templates["t"]], "slack", "slack", for_templates(values, "slack", "ch", NOW), NOW)
    assert made.message == "harm after 1 look: evidence 6.9e+23, limit 20 | harm 0.002473 1 30 11.64"
