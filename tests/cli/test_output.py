"""Output for programs: JSON, YAML, names; exit codes that identify failures; and the conditions that `status` can wait for."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.support.cli.cli_cluster import Space, rollout

PAUSED: dict[str, Any] = {
    "phase": "Paused",
    "message": "CanaryPauseStep",
    "currentPodHash": "b",
    "stableRS": "a",
    "currentStepIndex": 1,
}


def test_one_rollout_as_json_is_what_the_dashboard_says_with_a_version(space: Space) -> None:
    space.put(rollout(status=PAUSED))
    answer = json.loads(space.run("get", "rollout", "web", "-o", "json").out)
    assert (answer["apiVersion"], answer["kind"], answer["status"]) == ("serinus.dev/v1", "RolloutInfo", "Paused")
    assert (answer["objectMeta"]["name"], answer["step"], answer["setWeight"]) == ("web", "1/3", "20")


def test_all_rollouts_as_yaml_names_or_with_their_messages(space: Space) -> None:
    space.put(rollout("one"))
    space.put(rollout("two", status=PAUSED))
    assert space.run("list", "rollouts", "-o", "name").out == "rollout.argoproj.io/one\nrollout.argoproj.io/two\n"
    listed = yaml.safe_load(space.run("list", "rollouts", "-o", "yaml").out)
    assert [r["objectMeta"]["name"] for r in listed["rollouts"]] == ["one", "two"]
    assert "CanaryPauseStep" in space.run("list", "rollouts", "-o", "wide").out


def test_experiments_too(space: Space) -> None:
    space.put(
        {"kind": "Experiment", "metadata": {"name": "exp"}, "spec": {"templates": []}, "status": {"phase": "Running"}}
    )
    assert json.loads(space.run("get", "experiment", "exp", "-o", "json").out)["status"] == "Running"
    assert space.run("list", "experiments", "-o", "name").out == "experiment.argoproj.io/exp\n"


def test_a_format_that_does_not_exist_is_named(space: Space) -> None:
    result = space.run("list", "rollouts", "-o", "xml")
    assert (result.code, result.err) == (
        1,
        "Error: -o xml: there is no such format\nIt is one of table, wide, json, yaml, name.\n",
    )


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("get rollout nowhere", 5),
        ("status web --watch=false", 3),
        ("status web --until sunny", 2),
        ("get rollout", 2),
    ],
)
def test_detailed_exit_codes_tell_failures_apart_and_plain_ones_are_as_ever(
    space: Space, command: str, code: int
) -> None:
    space.put(rollout(status={**PAUSED, "phase": "Degraded"}))
    assert space.run(*command.split(), "--exit-codes=detailed").code == code
    assert space.run(*command.split()).code == 1


@pytest.mark.parametrize("until", ["paused", "step=1"])
def test_status_follows_until_what_was_named(space: Space, until: str) -> None:
    space.put(rollout(status=PAUSED))
    assert space.run("status", "web", "--until", until, "--timeout", "20s").code == 0


def test_a_pause_that_outlasts_the_timeout_has_a_code_of_its_own(space: Space) -> None:
    space.put(rollout(status=PAUSED))
    assert space.run("status", "web", "--timeout", "100ms", "--exit-codes", "detailed").code == 6
