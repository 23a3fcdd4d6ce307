"""The output of the reference's `kubectl argo rollouts` in recorded plays, line by line, from the same state.

golden/commands.jsonl: one line for each command and state that differ: `play`, `do` (without `kubectl argo rollouts`), the
Rollout's strategy and what its status held just before, then `out`, `err` and `code`. The screens of `get` are in golden/*.json
(test_tree.py) and screens/*.txt (test_screens.py).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli.cli_cluster import Space, revisions, rollout

Json = dict[str, Any]
HERE = Path(__file__).parent
RECORDED: list[Json] = [json.loads(line) for line in (HERE / "golden" / "commands.jsonl").read_text().splitlines()]
SCREENS = [
    "analysis-inconclusive",
    "analysis-jobs",
    "analysis-step",
    "analysis-step-fails",
    "basic-surge",
    "bluegreen-manual",
    "bluegreen-post-analysis",
    "experiment-alone",
    "experiment-step",
    "nginx-deadline-abort",
    "nginx-third-revision",
    "nginx-walk",
]
"""Plays in which `get` was typed."""

STABLE = "rollout 'web' was not changed: no update is under way: its current version is the stable one"
WITHOUT_EFFECT: dict[tuple[str, str], tuple[int, list[str]]] = {
    ("analysis-prometheus", "abort web"): (0, ["rollout 'web' was not changed: it is aborted already"]),
    ("nginx-promote-variants", "promote web"): (0, [STABLE]),
    ("nginx-promote-variants", "promote web --full"): (0, [STABLE]),
    ("bluegreen-abort-retry", "promote web"): (
        1,
        [
            "Error: rollout 'web' was not changed: it is in no pause that promote could end",
            "promote --full skips its pauses and analyses.",
        ],
    ),
}
"""(exit code, stderr) where the reference printed success although nothing changed (docs/differences.md)."""


@pytest.mark.parametrize("case", RECORDED, ids=[f"{case['play']}: {case['do']}" for case in RECORDED])
def test_a_command_prints_what_was_recorded_of_it(space: Space, case: Json) -> None:
    prepare(space, case)
    done = space.run(*case["do"].split())
    code, out, err = case["code"], case["out"], case["err"]
    if (differs := WITHOUT_EFFECT.get((case["play"], case["do"]))) is not None:
        assert (code, err) == (0, []), "the reference says that it was done"
        (code, err), out = differs, []
    assert (done.code, done.out.splitlines(), done.err.splitlines()) == (code, out, err)


def prepare(space: Space, case: Json) -> None:
    """The objects that the command is about."""
    metric = {"name": "m", "provider": {"web": {"url": "http://127.0.0.1", "jsonPath": "{$}"}}}
    verb, *words = case["do"].split()
    if verb == "terminate":
        kind, spec = (
            ("Experiment", {"templates": []}) if words[0] == "experiment" else ("AnalysisRun", {"metrics": [metric]})
        )
        space.put({"kind": kind, "metadata": {"name": words[1]}, "spec": spec})
        return
    space.put(rollout(spec=case["spec"], status={"currentStepIndex": None, **case["status"]}))
    if verb == "undo":
        revisions(space, "web:0", "web:1")


def test_every_recorded_screen_is_held() -> None:
    held = {file.stem for file in (*HERE.glob("golden/*.json"), *HERE.glob("screens/*.txt"))}
    assert set(SCREENS) <= held


def test_no_recorded_line_is_left_out() -> None:
    """All lines that the reference printed in the recorded plays are compared here."""
    recordings = HERE.parent / "recordings" / "argo-rollouts"
    held = {(case["do"], line) for case in RECORDED for line in (*case["out"], *case["err"])}
    for file in recordings.glob("*.jsonl"):
        for line in map(json.loads, file.read_text().splitlines()):
            prefix, _, command = str(line.get("do")).partition("kubectl argo rollouts ")
            if prefix or not command:
                continue
            if command.startswith("get "):
                assert file.stem in SCREENS
                continue
            printed = {(command, text) for text in line["printed"] if not text.startswith("(exit")}
            assert printed <= held, file.stem
