"""The text of `get`: what was recorded of the reference, and every sign, tag and width of the rules.

golden/NAME.json: the objects of one moment of a recorded play, and what `get` printed of them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from serinus.api.rollout_info import (
    AnalysisRunInfo,
    JobInfo,
    PodInfo,
    ReplicaSetInfo,
    RolloutInfo,
    Surroundings,
    experiment_info,
    phase_and_message,
    rollout_info,
)
from serinus.api.times import format_time
from serinus.cli.colors import Paint, paint
from serinus.cli.tree import experiment_lines, icon, rollout_lines

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


def test_a_canary_with_an_analysis_under_way_is_drawn_to_the_character() -> None:
    new_age, old_age = 3 * MINUTE + 5, 3 * DAY + 2 * HOUR
    new = replicas("web-6d9c7b5f48", new_age, "web:2", 2, [pod("web-6d9c7b5f48-x7k2p", new_age, 1)], canary=True)
    old = replicas("web-5b8c6d7f9", old_age, "web:1", 1, [pod("web-5b8c6d7f9-4qz8m", old_age)], stable=True)
    job = JobInfo("4e2d824d-01af.smoke.1", "smoke", "Successful", format_time(NOW - 90))
    run = AnalysisRunInfo(born("web-6d9c7b5f48-2-1", 95), "Running", 2, 2, 1, 0, 0, [job])
    info = RolloutInfo(
        born("web", old_age), "Progressing", "more replicas need to be updated", "Canary", "1/4", "50", "50",
        2, 2, 1, 2, 2, "", [old, new], [], [run],
    )  # fmt: skip
    expected = """\
Name:            web
Namespace:       prod
Status:          ◌ Progressing
Message:         more replicas need to be updated
Strategy:        Canary
  Step:          1/4
  SetWeight:     50
  ActualWeight:  50
Images:          web:1 (stable)
                 web:2 (canary)
Replicas:
  Desired:       2
  Current:       2
  Updated:       1
  Ready:         2
  Available:     2

NAME                              KIND         STATUS         AGE   INFO
⟳ web                             Rollout      ◌ Progressing  3d2h
├──# revision:2
│  ├──⧉ web-6d9c7b5f48            ReplicaSet   ✔ Healthy      3m5s  canary
│  │  └──□ web-6d9c7b5f48-x7k2p   Pod          ✔ Running      3m5s  ready:1/1,restarts:1
│  └──α web-6d9c7b5f48-2-1        AnalysisRun  ◌ Running      95s   ✔ 2,✖ 1
│     └──⊞ 4e2d824d-01af.smoke.1  Job          ✔ Successful   90s
└──# revision:1
   └──⧉ web-5b8c6d7f9             ReplicaSet   ✔ Healthy      3d2h  stable
      └──□ web-5b8c6d7f9-4qz8m    Pod          ✔ Running      3d2h  ready:1/1"""
    assert [line.rstrip() for line in rollout_lines(info, NOW, PLAIN)] == expected.split("\n")


def test_a_blue_green_preview_is_drawn_to_the_character() -> None:
    sets = [
        replicas("shop-746d5fddf6", 12 * DAY, "shop:0", 1, []),
        replicas(
            "shop-6cbccd9f99", 2 * DAY, "shop:1", 2, [pod("shop-6cbccd9f99-gk78v", 2 * DAY)], stable=True, active=True
        ),
        replicas("shop-74b948fccb", 240, "shop:2", 3, [pod("shop-74b948fccb-5jz59", 240)], preview=True),
    ]
    info = RolloutInfo(
        born("shop", 12 * DAY), "Paused", "BlueGreenPause", "BlueGreen", "", "", "", 1, 2, 1, 2, 1, "", sets, [], []
    )
    expected = """\
Name:            shop
Namespace:       prod
Status:          ॥ Paused
Message:         BlueGreenPause
Strategy:        BlueGreen
Images:          shop:1 (stable, active)
                 shop:2 (preview)
Replicas:
  Desired:       1
  Current:       2
  Updated:       1
  Ready:         2
  Available:     1

NAME                              KIND        STATUS        AGE  INFO
⟳ shop                            Rollout     ॥ Paused      12d
├──# revision:3
│  └──⧉ shop-74b948fccb           ReplicaSet  ✔ Healthy     4m   preview
│     └──□ shop-74b948fccb-5jz59  Pod         ✔ Running     4m   ready:1/1
├──# revision:2
│  └──⧉ shop-6cbccd9f99           ReplicaSet  ✔ Healthy     2d   stable,active
│     └──□ shop-6cbccd9f99-gk78v  Pod         ✔ Running     2d   ready:1/1
└──# revision:1
   └──⧉ shop-746d5fddf6           ReplicaSet  • ScaledDown  12d"""
    assert [line.rstrip() for line in rollout_lines(info, NOW, PLAIN)] == expected.split("\n")


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
    text = "\n".join(rollout_lines(info, NOW, Paint(True)))
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
