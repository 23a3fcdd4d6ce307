"""`serinus verdict report`: verdicts of past releases beside their outcomes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from serinus.analysis.sequential.looks import Look
from tests.support.cli.own_command import invoke, printed
from tests.support.engine.kept_verdict import kept_verdict

Json = dict[str, Any]
BAD, GOOD, SHORT = [Look(30, 30, 270, 0)], [Look(1000, 1, 1000, 20)], [Look(20, 0, 180, 2)]


def run(version: str, looks: list[Look], *, stable: str = "v0", dry: bool = True, number: int = 1) -> Json:
    asked, result = kept_verdict(looks)
    owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "web", "uid": "u", "controller": True}
    return {
        "kind": "AnalysisRun",
        "metadata": {
            "name": f"web-{version}-{number}",
            "namespace": "shop",
            "uid": f"{version}-{number}",
            "labels": {"rollouts-pod-template-hash": version},
            "ownerReferences": [owner],
        },
        "spec": {"metrics": [asked], "args": [{"name": "stable", "value": stable}]},
        "status": {"phase": "Successful", "metricResults": [{**result, "dryRun": dry}]},
    }


def rollout(stable: str, current: str, *, abort: bool = False) -> Json:
    status = {"stableRS": stable, "currentPodHash": current, "abort": abort}
    return {"kind": "Rollout", "metadata": {"name": "web", "namespace": "shop", "uid": "u"}, "status": status}


def rows(tmp_path: Path, *objects: Json) -> list[Json]:
    file = tmp_path / "past.json"
    file.write_text(json.dumps({"kind": "List", "items": list(objects)}))
    return json.loads(printed("verdict", "report", str(file), "-o", "json"))


def test_releases_are_counted_by_verdict_and_by_what_became_of_them(tmp_path: Path) -> None:
    """v1 became stable although harm was found, v2 was replaced, v3 was safe and is stable, v4 is aborted."""
    found = rows(
        tmp_path,
        run("v1", BAD),
        run("v2", BAD, stable="v1"),
        run("v2", SHORT, stable="v1", number=2),
        run("v3", GOOD, stable="v1"),
        run("v4", SHORT, stable="v3"),
        rollout("v3", "v4", abort=True),
    )
    (row,) = found
    assert (row["namespace"], row["name"], row["metric"], row["acted"]) == ("shop", "web", "errors", False)
    assert (row["releases"], row["harm"], row["harmRolledBack"], row["harmPromoted"]) == (4, 2, 1, 1)
    assert (row["safe"], row["undecided"], row["promoted"]) == (1, 1, 2)
    assert (row["falseAbort"], row["bound"]) == (0.5, 0.05)


def test_where_verdicts_act_there_is_no_false_abort_rate(tmp_path: Path) -> None:
    (row,) = rows(tmp_path, run("v1", BAD, dry=False), rollout("v0", "v1", abort=True))
    assert (row["acted"], row["harmRolledBack"], row["falseAbort"]) == (True, 1, None)


def test_a_release_under_way_is_neither_promoted_nor_rolled_back(tmp_path: Path) -> None:
    (row,) = rows(tmp_path, run("v1", SHORT), rollout("v0", "v1"))
    assert (row["promoted"], row["harmRolledBack"], row["undecided"]) == (0, 0, 1)


def test_the_same_object_in_two_files_counts_once(tmp_path: Path) -> None:
    (row,) = rows(tmp_path, run("v1", SHORT), run("v1", SHORT), rollout("v0", "v1"))
    assert row["releases"] == 1


def test_a_table_for_people(tmp_path: Path) -> None:
    file = tmp_path / "past.json"
    file.write_text(json.dumps({"items": [run("v1", BAD), rollout("v1", "v1")]}))
    lines = invoke("verdict", "report", str(file)).output.splitlines()
    assert lines[1].split() == [
        "shop/web",
        "errors",
        "(dry",
        "run)",
        "1",
        "1",
        "0",
        "1",
        "0",
        "0",
        "100.0%",
        "of",
        "1",
        "0.05",
    ]


@pytest.mark.parametrize("text", ["{", "[]", '{"items": [1]}'])
def test_a_file_without_objects_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "past.json"
    file.write_text(text)
    done = invoke("verdict", "report", str(file))
    assert done.problem is not None
    assert done.problem.message.startswith(f"{file}: ")
