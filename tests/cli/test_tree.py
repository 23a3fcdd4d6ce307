"""The text of `get`: recordings of the reference, and every sign, tag and width of the rules.

golden/NAME.json: the objects of one moment of a recorded play, and the output of `get` for them. More of them, made by
hand: test_screens.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from serinus.api.rollout import RolloutSpec, RolloutStatus
from serinus.api.values.times import format_time
from serinus.cli.framework.colors import Paint, paint
from serinus.cli.framework.terminal import shown
from serinus.cli.rollouts.list_rollouts import summary
from serinus.cli.tree import experiment_lines, rollout_lines
from serinus.engine.status.phase import phase_of
from serinus.view.rollout_info import (
    PodInfo,
    ReplicaSetInfo,
    RolloutInfo,
    Surroundings,
    experiment_info,
    phase_and_message,
    rollout_info,
    step,
)
from serinus.view.status_icons import icon

Json = dict[str, Any]
GOLDEN = sorted(Path(__file__).with_name("golden").glob("*.json"))
NOW = 1_767_225_600.0
PLAIN = Paint(False)
MINUTE, HOUR, DAY = 60, 3600, 86400


@pytest.mark.parametrize("file", GOLDEN, ids=[file.stem for file in GOLDEN])
def test_get_prints_what_users_of_argo_rollouts_know(file: Path) -> None:
    case = json.loads(file.read_text())
    around = Surroundings(case["replicaSets"], case["pods"], case["experiments"], case["analysisRuns"])
    if case["kind"] == "Rollout":
        lines = rollout_lines(rollout_info(case["object"], around), case["now"], PLAIN)
    else:
        lines = experiment_lines(experiment_info(case["object"], around), case["now"], PLAIN)
    assert lines == case["printed"]


def born(name: str, age: float, namespace: str = "prod") -> Json:
    return {"name": name, "namespace": namespace, "creationTimestamp": format_time(NOW - age)}


def pod(name: str, age: float, restarts: int = 0) -> PodInfo:
    return PodInfo(born(name, age), "Running", 1, 1, restarts)


def replicas(name: str, age: float, image: str, revision: int, pods: list[PodInfo], **roles: bool) -> ReplicaSetInfo:
    n = len(pods)
    status = "Healthy" if n else "ScaledDown"
    return ReplicaSetInfo(born(name, age), status, revision, "", n, n, n, [image], [], "", **roles, pods=pods)


@pytest.mark.parametrize(
    ("kind", "sign", "words"),
    [
        ("Rollout", "◌॥✔✖ ", "Progressing Paused Healthy Degraded Other"),
        ("ReplicaSet", "◌✔✖•", "Progressing Healthy ReplicaFailure ScaledDown"),
        ("Analysis", "◷◌✔✖⚠?", "Pending Running Successful Failed Error Inconclusive"),
        ("Pod", "◌◌◌◌", "Init:0/1 Pending Terminating ContainerCreating"),
        ("Pod", "✔✔", "Running Completed"),
        ("Pod", "✖✖✖✖✖", "Failed InvalidImageName CrashLoopBackOff Signal:9 ExitCode:1"),
        ("Pod", "⚠⚠⚠⚠", "Error CreateContainerConfigError ErrImagePull ImagePullBackOff"),
        ("Pod", "? ", "Unknown OOMKilled"),
    ],
)
def test_every_state_has_a_sign_and_a_word(kind: str, sign: str, words: str) -> None:
    assert "".join(icon(kind, word) for word in words.split()) == sign


def test_roles_that_share_an_image_are_told_once() -> None:
    sets = [
        replicas("a", 1, "web:1", 2, [pod("p", 1)], canary=True),
        replicas("b", 1, "web:1", 1, [pod("q", 1)], stable=True, ping=True),
    ]
    info = RolloutInfo(born("web", 1), "Healthy", "", "Canary", "", "100", "100", 1, 1, 1, 1, 1, "", sets, [], [])
    assert "Images:          web:1 (canary, ping, stable)" in rollout_lines(info, NOW, PLAIN)


def test_a_countdown_shows_until_an_old_version_goes() -> None:
    old = replicas("a", 1, "web:1", 1, [pod("p", 1)])
    info = RolloutInfo(born("web", 1), "Healthy", "", "Canary", "", "100", "100", 1, 1, 1, 1, 1, "", [old], [], [])
    old.scale_down_deadline = format_time(NOW + 28)
    assert "delay:28s" in "".join(rollout_lines(info, NOW, PLAIN))
    old.scale_down_deadline = format_time(NOW - 1)
    assert "delay:passed" in "".join(rollout_lines(info, NOW, PLAIN))


def test_colours_surround_signs_and_tags_and_move_no_column() -> None:
    new = replicas("a", 1, "web:2", 2, [pod("p", 1)], canary=True)
    info = RolloutInfo(born("web", 1), "Healthy", "", "Canary", "", "100", "100", 1, 1, 1, 1, 1, "", [new], [], [])
    text = shown("\n".join(rollout_lines(info, NOW, Paint(True))))
    assert "\x1b[32m✔\x1b[0m Healthy" in text
    assert "⧉ \x1b[33ma\x1b[0m" in text
    assert "web:2 (\x1b[33mcanary\x1b[0m)" in text
    bare = text
    for code in ("32", "33", "0", "94", "31"):
        bare = bare.replace(f"\x1b[{code}m", "")
    assert bare.split("\n") == rollout_lines(info, NOW, PLAIN)


@pytest.mark.parametrize(
    ("no_color", "env", "on"),
    [(False, {}, True), (True, {}, False), (False, {"TERM": "dumb"}, False), (False, {"NO_COLOR": "1"}, False)],
)
def test_colours_can_be_unwanted_in_three_ways(no_color: bool, env: dict[str, str], on: bool) -> None:
    assert paint(no_color, env).on is on


PAUSED = {"phase": "Paused", "message": "CanaryPauseStep", "observedGeneration": "2"}
NEWER = "waiting for rollout spec update to be observed"


@pytest.mark.parametrize(
    ("spec", "status", "annotations", "expected"),
    [
        ({}, PAUSED, {}, ("Paused", "CanaryPauseStep")),
        ({}, {**PAUSED, "observedGeneration": "1"}, {}, ("Progressing", NEWER)),
        ({}, {**PAUSED, "observedGeneration": "abc"}, {}, ("Paused", "CanaryPauseStep")),
        ({}, {**PAUSED, "controllerPause": True}, {}, ("Progressing", "waiting for rollout to unpause")),
        ({}, {**PAUSED, "controllerPause": True, "pauseConditions": [{}]}, {}, ("Paused", "CanaryPauseStep")),
        (
            {"workloadRef": {"kind": "Deployment", "name": "d"}},
            {**PAUSED, "workloadObservedGeneration": "3"},
            {"rollout.argoproj.io/workload-generation": "4"},
            ("Progressing", "waiting for rollout spec update to be observed for the reference workload"),
        ),
        ({}, {}, {}, ("Progressing", "waiting for a controller to see it")),
    ],
)
def test_a_status_about_an_older_spec_is_not_believed(
    spec: Json, status: Json, annotations: Json, expected: tuple[str, str]
) -> None:
    rollout = {"metadata": {"generation": 2, "annotations": annotations}, "spec": spec, "status": status}
    assert phase_and_message(rollout) == expected


UPDATED = {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "currentPodHash": "h"}
CANARY: Json = {"strategy": {"canary": {"steps": [{"setWeight": 10}]}}}
BLUE_GREEN: Json = {"strategy": {"blueGreen": {"activeService": "a"}}}
JUDGED: Json = {"strategy": {"blueGreen": {"activeService": "a", "postPromotionAnalysis": {"templates": []}}}}
ACTIVE: Json = {**UPDATED, "blueGreen": {"activeSelector": "h"}}
INVALID = {"type": "InvalidSpec", "status": "True", "message": "m"}
ABORTED = {"type": "Progressing", "status": "False", "reason": "RolloutAborted", "message": "m"}
LATE = {**ABORTED, "reason": "ProgressDeadlineExceeded"}
PAUSE = {"reason": "CanaryPauseStep", "startTime": "2020-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("spec", "status", "expected"),
    [
        (CANARY, {"conditions": [INVALID]}, ("Degraded", "InvalidSpec: m")),
        (CANARY, {"conditions": [INVALID, ABORTED]}, ("Degraded", "InvalidSpec: m")),
        (CANARY, {"conditions": [ABORTED, INVALID]}, ("Degraded", "RolloutAborted: m")),
        ({**CANARY, "paused": True}, {"conditions": [LATE]}, ("Degraded", "ProgressDeadlineExceeded: m")),
        (
            {**CANARY, "paused": True},
            {"pauseConditions": [PAUSE]},
            ("Paused", "manually paused"),
        ),
        ({**CANARY, "paused": True}, {}, ("Paused", "manually paused")),
        (CANARY, {"pauseConditions": [PAUSE, {**PAUSE, "reason": "x"}]}, ("Paused", "CanaryPauseStep")),
        ({**CANARY, "restartAt": "2020-01-01T00:00:00Z"}, UPDATED, ("Progressing", "rollout is restarting")),
        ({**CANARY, "replicas": 2}, UPDATED, ("Progressing", "more replicas need to be updated")),
        (
            CANARY,
            {**UPDATED, "availableReplicas": 0},
            ("Progressing", "updated replicas are still becoming available"),
        ),
        (CANARY, {**UPDATED, "replicas": 2}, ("Progressing", "old replicas are pending termination")),
        (CANARY, UPDATED, ("Progressing", "waiting for all steps to complete")),
        (CANARY, {**UPDATED, "stableRS": "h"}, ("Healthy", "")),
        (CANARY, {**UPDATED, "canary": {"stableRS": "h"}, "observedGeneration": "6d4b9c"}, ("Healthy", "")),
        (
            {"strategy": {"canary": {"trafficRouting": {"nginx": {}}}}},
            {**UPDATED, "replicas": 2, "stableRS": "h"},
            ("Healthy", ""),
        ),
        (BLUE_GREEN, UPDATED, ("Progressing", "active service cutover pending")),
        (BLUE_GREEN, ACTIVE, ("Progressing", "waiting for post-promotion verification to complete")),
        (JUDGED, ACTIVE, ("Progressing", "waiting for analysis to complete")),
        (BLUE_GREEN, {**ACTIVE, "stableRS": "h"}, ("Healthy", "")),
        ({"strategy": {"canary": None}}, {**UPDATED, "stableRS": "h"}, ("Healthy", "")),
        (CANARY, {"phase": "Paused"}, ("Paused", "")),
    ],
)
def test_a_status_without_a_phase_has_the_one_that_follows_from_it(
    spec: Json, status: Json, expected: tuple[str, str]
) -> None:
    """Controllers before 1.0 wrote none; clients work it out, and GitOps tools have such objects in their tests."""
    assert phase_and_message({"metadata": {"generation": 2}, "spec": spec, "status": status}) == expected
    # The controller's own rules are the same but for the order of conditions, and for a status of before 0.9.
    if not status.get("phase") and status and not status.get("canary") and len(status.get("conditions") or []) < 2:
        assert phase_of(msgspec.convert(spec, RolloutSpec), msgspec.convert(status, RolloutStatus)) == expected


def test_a_rollout_that_nobody_began_has_no_step() -> None:
    rollout = {"metadata": {"name": "web"}, "spec": CANARY}
    assert step(rollout) == ""
    assert step({**rollout, "status": {"currentStepIndex": 0}}) == "0/1"
    assert summary(rollout)[3] == "-"


@pytest.mark.parametrize(
    ("routing", "status", "weights"),
    [
        (None, {"currentStepIndex": 0}, ("20", "0")),
        (None, {"currentStepIndex": 1, "availableReplicas": 4}, ("20", "25")),
        (None, {"currentStepIndex": 1, "availableReplicas": 4, "abort": True}, ("0", "25")),
        (None, {"currentStepIndex": 3, "availableReplicas": 4}, ("100", "100")),
        ({"nginx": {}}, {"currentStepIndex": 1, "availableReplicas": 4}, ("20", "20")),
        (
            {"nginx": {}},
            {"currentStepIndex": 2, "availableReplicas": 4, "canary": {"weights": {"canary": {"weight": 7}}}},
            ("50", "7"),
        ),
        ({"maxTrafficWeight": 1000}, {"currentStepIndex": 3, "availableReplicas": 4}, ("1000", "1000")),
    ],
)
def test_weights_are_those_of_the_step_and_of_the_traffic(
    routing: Json | None, status: Json, weights: tuple[str, str]
) -> None:
    canary: Json = {"steps": [{"setWeight": 20}, {"pause": {}}, {"setWeight": 50}]}
    if routing is not None:
        canary["trafficRouting"] = routing
    rollout = {
        "metadata": {"name": "web", "uid": "u"},
        "spec": {"strategy": {"canary": canary}},
        "status": {"currentPodHash": "b", "stableRS": "a", **status},
    }
    rs = {
        "metadata": {
            "labels": {"rollouts-pod-template-hash": "b"},
            "ownerReferences": [{"uid": "u", "controller": True}],
        },
        "status": {"availableReplicas": 1},
    }
    info = rollout_info(rollout, Surroundings([rs]))
    assert (info.set_weight, info.actual_weight) == weights
