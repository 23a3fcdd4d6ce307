"""The commands that show something, against a real API server: once and while it changes."""

from __future__ import annotations

import os
import re
import subprocess
from typing import Any

import pytest

from tests.support.cli.cli_cluster import Cluster, Space, rollout
from tests.support.cli.running import BIN, Running

Json = dict[str, Any]


def test_get_shows_a_rollout_with_what_belongs_to_it_only(space: Space) -> None:
    made = space.put(rollout(status={"stableRS": "h1", "currentPodHash": "h1"}))
    own = [{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "web", "uid": made["metadata"]["uid"]}]
    labels = {"app": "web", "rollouts-pod-template-hash": "h1"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}
    for name, owner in (("web-h1", [{**own[0], "controller": True}]), ("stranger", [])):
        space.put({
            "kind": "ReplicaSet",
            "metadata": {"name": name, "labels": labels, "ownerReferences": owner},
            "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
            "status": {"replicas": 0, "observedGeneration": 1},
        })  # fmt: skip
    done = space.run("get", "rollout", "web", "--no-color")
    assert done.code == 0
    lines = done.out.split("\n")
    assert lines[:5] == [
        "Name:            web",
        f"Namespace:       {space.name}",
        "Status:          ✔ Healthy",
        "Strategy:        Canary",
        "  Step:          3/3",
    ]
    assert re.fullmatch(r"   └──⧉ web-h1 +ReplicaSet +• ScaledDown +\d+s +stable", lines[-2])
    assert "stranger" not in done.out


@pytest.mark.parametrize("command", ["get rollout", "status"])
def test_a_rollout_that_is_not_there_is_told_in_the_words_scripts_know(space: Space, command: str) -> None:
    space.put(rollout("checkout"))
    done = space.run(*command.split(), "chekout")
    assert (done.code, done.out) == (1, "")
    assert done.err == 'Error: rollout.argoproj.io "chekout" not found\nDid you mean checkout?\n'


@pytest.mark.parametrize(
    ("status", "out", "err", "code"),
    [
        ({"phase": "Healthy"}, "Healthy\n", "", 0),
        ({"phase": "Paused", "message": "CanaryPauseStep"}, "Paused - CanaryPauseStep\n", "", 0),
        ({"phase": "Progressing", "message": "more"}, "Progressing - more\n", "", 0),
        (
            {"phase": "Degraded", "message": "RolloutAborted: x"},
            "Degraded\n",
            "Error: The rollout is in a degraded state with message: RolloutAborted: x\n",
            1,
        ),
    ],
)
def test_status_without_watching_says_how_it_is(space: Space, status: Json, out: str, err: str, code: int) -> None:
    space.put(rollout(status=status))
    done = space.run("status", "web", "--watch=false")
    assert (done.out, done.err, done.code) == (out, err, code)


def test_status_prints_each_change_and_ends_when_it_is_healthy(space: Space) -> None:
    space.put(rollout(status={"phase": "Progressing", "message": "one"}))
    running = Running(space, "status", "web")
    assert running.line() == "Progressing - one"
    space.patch("Rollout", "web", {"status": {"phase": "Paused", "message": "CanaryPauseStep"}}, "status")
    assert running.line() == "Paused - CanaryPauseStep"
    space.patch("Rollout", "web", {"status": {"readyReplicas": 1}}, "status")
    space.patch("Rollout", "web", {"status": {"phase": "Healthy", "message": None}}, "status")
    assert running.line() == "Healthy"
    assert running.end() == (0, "")


def test_status_fails_when_it_is_degraded_when_time_is_up_and_on_ctrl_c(space: Space) -> None:
    space.put(rollout("bad", status={"phase": "Degraded", "message": "why"}))
    done = space.run("status", "bad")
    assert (done.code, done.out) == (1, "Degraded - why\n")
    assert done.err == "Error: The rollout is in a degraded state with message: why\n"
    space.put(rollout("slow", status={"phase": "Progressing", "message": "more"}))
    done = space.run("status", "slow", "--timeout", "300ms")
    assert (done.code, done.out) == (1, "Progressing - more\n")
    assert done.err == "Error: Rollout status watch exceeded timeout\n"
    running = Running(space, "status", "slow")
    running.line("more")
    assert running.interrupt() == (1, "Error: Rollout status watch exceeded timeout\n")


def test_get_watch_draws_again_at_each_change_and_ctrl_c_is_no_error(space: Space) -> None:
    space.put(rollout(status={"phase": "Progressing", "message": "one"}))
    running = Running(space, "get", "rollout", "web", "--watch", "--no-color")
    assert running.line("Name:") == "\x1b[H\x1b[2J\x1b[0;0HName:            web"
    running.line("Message:         one")
    space.patch("Rollout", "web", {"status": {"message": "two"}}, "status")
    running.line("Message:         two")
    assert running.interrupt() == (0, "")


def test_get_watch_ends_in_time_without_an_error(space: Space) -> None:
    space.put(rollout())
    done = space.run("get", "rollout", "web", "-w", "--timeout-seconds", "1")
    assert (done.code, done.err) == (0, "")
    assert done.out.count("Name:") >= 1


def test_list_is_a_table_padded_as_scripts_know_it(space: Space) -> None:
    space.put(
        rollout(
            "can-guestbook",
            spec={
                "replicas": 5,
                "strategy": {"canary": {"steps": [{"setWeight": 5}, {"setWeight": 10}, {"pause": {}}]}},
            },
            status={
                "phase": "Progressing",
                "currentStepIndex": 1,
                "replicas": 4,
                "readyReplicas": 1,
                "updatedReplicas": 3,
                "availableReplicas": 2,
            },
        )
    )
    done = space.run("list", "rollouts")
    assert done.out == (
        "NAME           STRATEGY   STATUS        STEP  SET-WEIGHT  READY  DESIRED  UP-TO-DATE  AVAILABLE\n"
        "can-guestbook  Canary     Progressing   1/3   10          1/4    5        3           2        \n"
    )
    stamped = space.run("list", "rollouts", "-A", "--timestamps").out.split("\n")
    assert stamped[0].split()[:3] == ["TIMESTAMP", "NAMESPACE", "NAME"]
    assert any(re.match(rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ  {space.name} +can-guestbook", line) for line in stamped)
    assert space.run("list", "rollouts", "--name", "other").err == "No resources found.\n"


def test_list_of_nothing_is_no_error(space: Space) -> None:
    for what in ("rollouts", "experiments"):
        done = space.run("list", what)
        assert (done.code, done.out, done.err) == (0, "", "No resources found.\n")


def test_list_watch_adds_a_line_only_when_something_shown_changes(space: Space) -> None:
    running = Running(space, "list", "rollouts", "--watch")
    assert running.line().startswith("NAME")
    space.put(rollout(status={"phase": "Progressing"}))
    running.line("web ")
    running.line("Progressing")
    space.patch("Rollout", "web", {"metadata": {"labels": {"nothing": "shown"}}})
    space.patch("Rollout", "web", {"status": {"phase": "Healthy"}}, "status")
    assert "Healthy" in running.line()
    assert running.interrupt()[0] in (0, 130)


def test_experiments_are_listed_with_the_time_that_is_left(space: Space) -> None:
    space.put({
        "kind": "Experiment",
        "metadata": {"name": "exp"},
        "spec": {"templates": [], "duration": "1h"},
        "status": {"phase": "Running", "availableAt": "2999-01-01T00:00:00Z"},
    })  # fmt: skip
    head, row, _ = space.run("list", "experiments").out.split("\n")
    assert head == "NAME        STATUS   DURATION  REMAINING  AGE"
    assert re.match(r"exp         Running  1h        \d+y", row)


def test_kubectl_itself_finds_the_commands(cluster: Cluster, space: Space) -> None:
    space.put(rollout())
    env = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "KUBECONFIG": str(cluster.kubeconfig)}
    command = [str(BIN / "kubectl"), "argo", "rollouts", "status", "web", "-n", space.name]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Healthy\n", "")
