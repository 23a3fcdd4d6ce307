"""The terminal of the README: the commands' output for a release that its metrics rolled back.

SERINUS_PICTURES=1 writes it to docs/images; without it, the picture must match that file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from serinus.api.values.times import format_time
from serinus.cli.framework.colors import Paint
from serinus.cli.framework.terminal import shown
from serinus.cli.rollouts.why import told
from serinus.cli.tree import rollout_lines
from serinus.engine.explain.snapshot_reader import Read, answered, gather
from serinus.engine.explain.why import explain
from serinus.view.rollout_info import Surroundings, rollout_info
from tests.support.dashboard import scenes
from tests.support.dashboard.terminal_picture import terminal_picture

Json = dict[str, Any]
NOW = 1_767_226_200.0
PICTURE = Path(__file__).parents[2] / "docs" / "images" / "terminal.svg"


def taken_back() -> list[Json]:
    """A canary that its analysis ended, and all that belongs to it."""
    found: list[Json] = []

    def put(obj: Json) -> Json:
        old = obj["kind"] == "Rollout" or scenes.OLD in obj["metadata"]["name"]
        about = {
            "uid": f"{obj['kind']}/{obj['metadata']['name']}",
            "creationTimestamp": format_time(NOW - (86400 if old else 540)),
        }
        found.append({**obj, "metadata": {**obj["metadata"], **about}})
        return found[-1]

    made = scenes.aborted("checkout")
    status = {**made["status"], "abortedAt": format_time(NOW - 5)}
    made["status"] = {key: value for key, value in status.items() if value is not None}
    stored = scenes.with_revisions(put, made)
    scenes.analysis_run(put, stored, "checkout-6d9c7b5f48-2")
    return found


def test_the_picture_shows_what_the_commands_print() -> None:
    objects = taken_back()

    def of(kind: str, name: str = "") -> list[Json]:
        return [o for o in objects if o["kind"] == kind and name in ("", o["metadata"]["name"])]

    def answer(ask: Read) -> list[Json]:
        return of(ask.kind, ask.name)

    (rollout,) = of("Rollout")
    around = Surroundings(of("ReplicaSet"), of("Pod"), [], of("AnalysisRun"))
    tree = rollout_lines(rollout_info(rollout, around), NOW, Paint(True))
    why = told("checkout", explain(answered(gather(rollout, NOW), answer)), NOW).partition("About to be done")[0]
    text = shown("\n".join(["$ kubectl argo rollouts get rollout checkout", *tree, "", "$ serinus why checkout", why]))
    picture = terminal_picture(text)
    if os.environ.get("SERINUS_PICTURES"):
        PICTURE.write_text(picture)
    assert PICTURE.read_text() == picture, "out of date: run this test with SERINUS_PICTURES=1"
