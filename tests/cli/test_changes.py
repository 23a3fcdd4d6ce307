"""The commands that change something, against a real API server: their requests, their output, their exit codes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from serinus.kube.transport import Request, Response
from tests.support.cli.cli_cluster import Space, rollout

Json = dict[str, Any]


@pytest.mark.parametrize(
    ("command", "request_", "printed"),
    [
        ("abort web", ("PATCH", "rollouts/web/status", {"status": {"abort": True}}), "rollout 'web' aborted\n"),
        ("pause web", ("PATCH", "rollouts/web", {"spec": {"paused": True}}), "rollout 'web' paused\n"),
        ("retry ro web", ("PATCH", "rollouts/web/status", {"status": {"abort": False}}), "rollout 'web' retried\n"),
        (
            "promote web --full",
            ("PATCH", "rollouts/web/status", {"status": {"promoteFull": True}}),
            "rollout 'web' fully promoted\n",
        ),
        (
            "promote web -a",
            ("PATCH", "rollouts/web/status", {"status": {"currentStepIndex": 3}}),
            "rollout 'web' promoted\n",
        ),
    ],
)
def test_one_command_is_one_request(space: Space, command: str, request_: tuple[str, str, Json], printed: str) -> None:
    space.put(rollout(status={"currentPodHash": "b", "currentStepIndex": 1, "abort": command.startswith("retry")}))
    done = space.run(*command.split())
    assert (done.code, done.out, space.cluster.writes) == (0, printed, [request_])


def test_old_flags_of_promote_still_work_and_say_what_replaced_them(space: Space) -> None:
    space.put(rollout(status={"currentPodHash": "b", "currentStepIndex": 1}))
    assert space.run("promote", "web", "-c").err == (
        "Flag --skip-current-step has been deprecated, use without the flag instead ex: promote ROLLOUT_NAME\n"
    )
    assert space.run("promote", "web", "-a").err == ("Flag --skip-all-steps has been deprecated, use --full instead\n")


def test_several_names_are_done_in_order_until_one_fails(space: Space) -> None:
    for name in ("one", "three"):
        space.put(rollout(name, status={"currentPodHash": "b"}))
    done = space.run("abort", "one", "two", "three")
    assert (done.code, done.out) == (1, "rollout 'one' aborted\n")
    assert done.err.startswith('Error: rollouts.argoproj.io "two" not found\n')


def test_a_misspelt_name_is_answered_with_the_nearest(space: Space) -> None:
    space.put(rollout("checkout"))
    done = space.run("promote", "chekout")
    assert (done.code, done.out) == (1, "")
    assert done.err == 'Error: rollouts.argoproj.io "chekout" not found\nDid you mean checkout?\n'


def test_restart_says_when_and_sends_the_time(space: Space) -> None:
    space.put(rollout())
    assert space.run("restart", "web").out == "rollout 'web' restarts in 0s\n"
    assert space.run("restart", "web", "--in", "10m").out == "rollout 'web' restarts in 10m\n"
    times = [body["spec"]["restartAt"] for _, _, body in space.cluster.writes]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text) for text in times)
    assert times[0] < times[1]
    wrong = space.run("restart", "web", "--in", "10")
    assert wrong.code == 1
    assert wrong.err.startswith("Error: --in: '10' is no duration")


def test_experiments_and_analysis_runs_are_retried_and_terminated(space: Space) -> None:
    space.put({"kind": "Experiment", "metadata": {"name": "exp"}, "spec": {"templates": []}})
    run = {"metrics": [{"name": "m", "provider": {"web": {"url": "http://127.0.0.1", "jsonPath": "{$}"}}}]}
    space.put({"kind": "AnalysisRun", "metadata": {"name": "run"}, "spec": run})
    assert space.run("terminate", "exp", "exp").out == "experiment 'exp' retried\n"
    assert space.run("terminate", "analysisrun", "run").out == "analysisRun 'run' terminated\n"
    assert space.run("retry", "experiment", "exp").out == "experiment 'exp' retried\n"
    assert space.get("AnalysisRun", "run")["spec"]["terminate"] is True
    assert space.cluster.writes[-1] == ("PATCH", "experiments/exp", {"status": None})


def test_set_image_changes_one_container_or_all_and_keeps_the_rest(space: Space) -> None:
    made = rollout()
    pod = made["spec"]["template"]["spec"]
    pod["initContainers"] = [{"name": "init", "image": "init:1"}]
    pod["containers"].append({"name": "side", "image": "side:1", "args": ["--keep"]})
    space.put(made)
    assert space.run("set", "image", "web", "side=side:2").out == 'rollout "web" image updated\n'
    changed = space.get("Rollout", "web")["spec"]["template"]["spec"]
    assert [c["image"] for c in changed["containers"]] == ["web:1", "side:2"]
    assert changed["containers"][1]["args"] == ["--keep"]
    space.run("set", "image", "web", "*=all:3")
    changed = space.get("Rollout", "web")["spec"]["template"]["spec"]
    assert {c["image"] for c in changed["containers"] + changed["initContainers"]} == {"all:3"}


def test_set_image_of_a_container_that_is_not_there_names_those_that_are(space: Space) -> None:
    space.put(rollout())
    done = space.run("set", "image", "web", "wbe=web:2")
    assert (done.code, done.err) == (1, 'Error: unable to find container named "wbe"\nThe containers are: web\n')


def test_set_image_wins_over_writers_in_between(space: Space) -> None:
    space.put(rollout())
    left = 4

    def interfere(request: Request) -> Response | None:
        nonlocal left
        if request.method != "PUT" or not left:
            return None
        left -= 1
        body = {"kind": "Status", "code": 409, "reason": "Conflict", "message": "the object has been modified"}
        return Response(409, json.dumps(body).encode())

    space.cluster.before = interfere
    assert space.run("set", "image", "web", "web=web:2").code == 0
    assert space.get("Rollout", "web")["spec"]["template"]["spec"]["containers"][0]["image"] == "web:2"
    left = 5
    done = space.run("set", "image", "web", "web=web:3")
    assert (done.code, done.err) == (1, "Error: rollout 'web' keeps changing: nothing was done\nTry again.\n")


def test_set_image_of_a_rollout_with_a_workload_changes_the_deployment(space: Space) -> None:
    labels = {"app": "web"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}
    space.put(
        {
            "kind": "Deployment",
            "metadata": {"name": "d"},
            "spec": {"selector": {"matchLabels": labels}, "template": pod},
        }
    )
    made = rollout(spec={"workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}})
    del made["spec"]["template"]
    space.put(made)
    assert space.run("set", "image", "web", "web=web:2").out == 'deployment "d" image updated\n'
    assert space.get("Deployment", "d")["spec"]["template"]["spec"]["containers"][0]["image"] == "web:2"


def replica_set(owner: Json, revision: int, image: str) -> Json:
    name, labels = f"web-{revision}", {"app": "web", "rollouts-pod-template-hash": f"h{revision}"}
    meta = owner["metadata"]
    return {
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "labels": labels,
            "annotations": {"rollout.argoproj.io/revision": str(revision)},
            "ownerReferences": [
                {
                    "apiVersion": "argoproj.io/v1alpha1",
                    "kind": "Rollout",
                    "name": meta["name"],
                    "uid": meta["uid"],
                    "controller": True,
                }
            ],
        },
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "web", "image": image}]},
            },
        },
    }


def test_undo_brings_back_the_template_of_an_earlier_revision(space: Space) -> None:
    made = space.put(rollout(spec={"template": {
        "metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "web:3"}]}
    }}))  # fmt: skip
    for revision in (1, 2, 3):
        space.put(replica_set(made, revision, f"web:{revision}"))
    assert space.run("undo", "web").out == "rollout 'web' undo\n"
    template = space.get("Rollout", "web")["spec"]["template"]
    assert template["spec"]["containers"][0]["image"] == "web:2"
    assert template["metadata"]["labels"] == {"app": "web"}
    again = space.run("undo", "web")
    assert (again.code, again.out) == (0, "skipped rollback (current template already matches revision 0)")
    assert space.run("undo", "web", "--to-revision=1").out == "rollout 'web' undo\n"
    gone = space.run("undo", "web", "--to-revision=9")
    assert (gone.code, gone.err) == (1, "Error: unable to find specified revision 9 in history\nRevisions: 1, 2, 3\n")


def test_undo_of_the_first_revision_says_that_there_is_none(space: Space) -> None:
    space.put(rollout())
    assert space.run("undo", "web").err == 'Error: no revision found for rollout "web"\n'


def test_create_makes_what_a_file_holds(space: Space, tmp_path: Path) -> None:
    file = tmp_path / "rollout.yaml"
    file.write_text(json.dumps({"apiVersion": "argoproj.io/v1alpha1", **rollout("made")}))
    assert space.run("create", "-f", str(file)).out == "rollout.argoproj.io/made created\n"
    assert space.run("create", "-f", str(file)).err.startswith('Error: rollouts.argoproj.io "made" already exists')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: Deployment\napiVersion: apps/v1\nmetadata: {name: a}\n", "creates of apps/Deployment unsupported"),
        ("a: 1\na: 2\n", "cannot be read: line 2: the key 'a' is there twice"),
        ("- a\n", "an object was expected, with apiVersion and kind; found list"),
        ("kind: Rollout\napiVersion: argoproj.io/v1alpha1\nspec: {replica: 1}\n", 'unknown field "spec.replica"'),
        (
            "kind: Rollout\napiVersion: argoproj.io/v1alpha1\nspec: {replicas: x}\n",
            'spec.replicas: Invalid value: "x": must be of type integer',
        ),
        ("{", "cannot be read"),
        ("", "one object was expected, found 0"),
    ],
)
def test_create_refuses_what_it_cannot_make_with_the_place(
    space: Space, tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(text)
    done = space.run("create", "-f", str(file))
    assert (done.code, done.out) == (1, "")
    assert message in done.err


def test_an_analysis_run_takes_the_template_and_the_arguments(space: Space) -> None:
    spec = {
        "args": [{"name": "service"}, {"name": "count", "value": "1"}],
        "metrics": [{"name": "m", "provider": {"web": {"url": "http://127.0.0.1", "jsonPath": "{$}"}}}],
    }
    space.put({"kind": "AnalysisTemplate", "metadata": {"name": "t"}, "spec": spec})
    done = space.run("create", "analysisrun", "--from", "t", "-a", "service=web", "--name", "run", "--instance-id", "x")
    assert done.out == "analysisrun.argoproj.io/run created\n"
    made = space.get("AnalysisRun", "run")
    assert made["spec"]["args"] == [{"name": "service", "value": "web"}, {"name": "count", "value": "1"}]
    assert made["metadata"]["labels"] == {"argo-rollouts.argoproj.io/controller-instance-id": "x"}
    assert "args.service was not resolved" in space.run("create", "ar", "--from", "t").err
    assert space.run("create", "ar").err == "Error: one of --from or --from-file must be specified\n"
    assert "arguments must be in the form NAME=VALUE" in space.run("create", "ar", "--from", "t", "-a", "x").err


ABORTED = {"currentPodHash": "b", "abort": True, "phase": "Degraded", "currentStepIndex": 0}


@pytest.mark.parametrize(
    ("command", "status", "code", "said"),
    [
        ("promote web", {}, 0, "no update is under way: its current version is the stable one"),
        ("promote web --full", {}, 0, "no update is under way: its current version is the stable one"),
        ("promote web -c", {}, 0, "no update is under way: its current version is the stable one"),
        ("promote web", ABORTED, 1, "it is aborted"),
        ("promote web", {"currentPodHash": "b"}, 1, "all of its steps are done"),
        ("abort web", {}, 1, "no update is under way"),
        ("abort web", ABORTED, 0, "it is aborted already"),
        ("retry rollout web", {}, 0, "it is not aborted"),
        ("retry rollout web", {"phase": "Degraded"}, 1, "it is Degraded, but not aborted"),
    ],
)
def test_what_has_no_effect_is_not_reported_as_done(
    space: Space, command: str, status: Json, code: int, said: str
) -> None:
    space.put(rollout(status=status))
    for more in ((), ("--dry-run",)):
        done = space.run(*command.split(), *more)
        assert (done.code, done.out, space.cluster.writes) == (code, "", [])
        assert f"rollout 'web' was not changed: {said}" in done.err
        assert ("Error: " in done.err) == bool(code)


def test_one_on_which_it_has_no_effect_does_not_keep_the_others_from_it(space: Space) -> None:
    for name, version in (("one", "a"), ("two", "b"), ("three", "a")):
        space.put(rollout(name, status={"currentPodHash": version}))
    done = space.run("abort", "one", "two", "three")
    assert (done.code, done.out) == (1, "rollout 'two' aborted\n")
    assert [f"rollout '{name}' was not changed" in done.err for name in ("one", "two", "three")] == [True, False, True]


def test_who_may_not_read_a_rollout_can_abort_it(space: Space) -> None:
    space.put(rollout(status={"currentPodHash": "b"}))
    body = {"kind": "Status", "code": 403, "reason": "Forbidden", "message": "no"}
    space.cluster.before = lambda request: Response(403, json.dumps(body).encode()) if request.method == "GET" else None
    assert space.run("abort", "web").out == "rollout 'web' aborted\n"
