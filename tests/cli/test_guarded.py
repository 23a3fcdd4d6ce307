"""Commands that act on the revision that the user saw, that have a dry run, and that record their author."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from serinus.api.resources import EVENTS
from serinus.cli.framework.commandline import understand
from serinus.cli.rollouts import program
from serinus.kube.transport import Request, Response
from tests.support.cli.cli_cluster import Space, revisions, rollout

REVISION = "rollout.argoproj.io/revision"


CONFLICT: dict[str, Any] = {
    "kind": "Status", "reason": "Conflict", "code": 409, "message": "the object has been modified"
}  # fmt: skip


def old_revision(space: Space) -> None:
    """Revision 1 beside the current one."""
    revisions(space, "web:0", "", "web:1")


def image(space: Space) -> str:
    return space.get("Rollout", "web")["spec"]["template"]["spec"]["containers"][0]["image"]


def seen(space: Space, revision: int = 3, *, aborted: bool = False) -> None:
    status = {"phase": "Paused", "currentPodHash": "b", "stableRS": "a", "currentStepIndex": 1}
    pause = {"pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "2026-01-01T00:00:00Z"}]}
    made = {"abort": True} if aborted else pause
    space.put(rollout(status={**status, **made}, annotations={REVISION: str(revision)}))


OF_A_ROLLOUT = [
    "abort web",
    "pause web",
    "promote web",
    "promote web --full",
    "restart web",
    "retry rollout web",
    "set image web web=web:9",
    "undo web --to-revision 1",
]
"""Every command that changes a Rollout."""
OF_OTHERS = ["retry experiment exp", "terminate experiment exp", "terminate analysisrun run"]


def test_every_command_that_changes_something_can_be_guarded_and_tried() -> None:
    reads = (
        "completion",
        "dashboard",
        "doctor",
        "get",
        "history",
        "lint",
        "list",
        "status",
        "version",
        "why",
        "notifications",
    )
    for row in program().rows:
        if not row.module or row.path[0] in reads:
            continue
        flags = {flag.name for flag in understand(program(), [*row.path, "--help"]).target.flags}
        assert {"dry-run"} if row.path[0] == "create" else {"dry-run", "revision"} <= flags, row.path
        if row.path[0] != "create":
            assert any(line.startswith(" ".join(row.path)) for line in OF_A_ROLLOUT + OF_OTHERS), "has no test here"


@pytest.mark.parametrize("command", OF_A_ROLLOUT)
def test_another_revision_than_the_one_that_was_seen_is_left_alone(space: Space, command: str) -> None:
    seen(space)
    before = space.get("Rollout", "web")
    result = space.run(*command.split(), "--revision", "2")
    assert result.code == 1
    assert "rollout 'web' is at revision 3 now, not at 2: nothing was done" in result.err
    assert f"kubectl argo rollouts get rollout web -n {space.name}" in result.err
    assert space.get("Rollout", "web") == before


@pytest.mark.parametrize("command", OF_A_ROLLOUT)
def test_what_is_only_tried_changes_nothing_and_does_not_print_what_scripts_wait_for(
    space: Space, command: str
) -> None:
    seen(space, aborted=command.startswith("retry"))
    old_revision(space)
    before = space.get("Rollout", "web")
    result = space.run(*command.split(), "--dry-run")
    assert result.code == 0
    assert result.out.startswith("rollout 'web' would be changed (revision 3): ")
    assert space.get("Rollout", "web") == before
    assert space.cluster.writes == []


@pytest.mark.parametrize("command", OF_OTHERS)
def test_experiments_and_analysis_runs_are_guarded_and_tried_too(space: Space, command: str) -> None:
    notes = {REVISION: "3"}
    space.put({"kind": "Experiment", "metadata": {"name": "exp", "annotations": notes}, "spec": {"templates": []}})
    metric = {"name": "m", "provider": {"web": {"url": "http://127.0.0.1", "jsonPath": "{$}"}}}
    space.put({"kind": "AnalysisRun", "metadata": {"name": "run", "annotations": notes}, "spec": {"metrics": [metric]}})
    words = command.split()
    assert "would be changed (revision 3): " in space.run(*words, "--dry-run").out
    other = space.run(*words, "--revision", "2")
    assert (other.code, other.out) == (1, "")
    assert other.err.startswith("Error: ")
    assert other.err.endswith(" is at revision 3 now, not at 2: nothing was done\n")
    assert space.cluster.writes == []
    assert space.run(*words, "--revision", "3").code == 0
    assert len(space.cluster.writes) == 1


def test_a_created_object_can_be_judged_without_being_created(space: Space, tmp_path: Path) -> None:
    file = tmp_path / "rollout.json"
    file.write_text(json.dumps({"apiVersion": "argoproj.io/v1alpha1", **rollout("made")}))
    for _ in range(2):
        done = space.run("create", "-f", str(file), "--dry-run")
        assert (done.code, done.out) == (0, "rollout.argoproj.io/made would be created\n")
    assert space.run("list", "rollouts").err == "No resources found.\n"


def test_undo_and_set_image_change_the_revision_that_was_seen(space: Space) -> None:
    seen(space)
    old_revision(space)
    assert space.run("set", "image", "web", "web=web:9", "--revision", "3").out == 'rollout "web" image updated\n'
    assert image(space) == "web:9"
    assert space.run("undo", "web", "--revision", "3").out == "rollout 'web' undo\n"
    assert image(space) == "web:0"


@pytest.mark.parametrize("command", ["undo web", "set image web web=web:9"])
def test_a_newer_spec_that_has_no_number_yet_is_not_overwritten(space: Space, command: str) -> None:
    """Between another user's release and the controller's next pass, the annotation still has the old number."""
    seen(space)
    old_revision(space)
    space.patch("Rollout", "web", {"status": {"observedGeneration": "1"}}, "status")
    space.patch("Rollout", "web", {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "web:7"}]}}}})
    done = space.run(*command.split(), "--revision", "3")
    assert (done.code, image(space)) == (1, "web:7")
    assert "may be a new revision: nothing was done" in done.err


@pytest.mark.parametrize("command", OF_A_ROLLOUT)
def test_a_release_by_somebody_else_in_between_is_left_alone(space: Space, command: str) -> None:
    """It comes after our read and before our write."""
    seen(space, aborted=command.startswith("retry"))
    old_revision(space)
    old = space.get("Rollout", "web")
    template = {"spec": {"containers": [{"name": "web", "image": "web:7"}]}}
    space.patch("Rollout", "web", {"metadata": {"annotations": {REVISION: "4"}}, "spec": {"template": template}})
    new, looks = space.get("Rollout", "web"), [old]

    def earlier(request: Request) -> Response | None:
        asked = request.method == "GET" and request.path.endswith("/rollouts/web")
        return Response(200, json.dumps(looks.pop()).encode()) if asked and looks else None

    space.cluster.before = earlier
    done = space.run(*command.split(), "--revision", "3")
    assert (done.code, done.out) == (1, "")
    assert "is at revision 4 now, not at 3: nothing was done" in done.err
    assert space.get("Rollout", "web") == new


def test_half_a_promotion_is_not_done_twice(space: Space) -> None:
    """The pause was ended, then another client wrote: a second decision would skip the step that was just entered."""
    seen(space)
    space.patch("Rollout", "web", {"spec": {"paused": True}})
    refused: list[str] = []

    def controller(request: Request) -> Response | None:
        if request.method != "PATCH" or request.path.endswith("/status") or refused:
            return None
        refused.append(request.path)
        return Response(409, json.dumps(CONFLICT).encode())

    space.cluster.before = controller
    assert space.run("promote", "web", "--revision", "3").code == 0
    made = space.get("Rollout", "web")
    assert (made["status"]["currentStepIndex"], made["spec"]["paused"], len(refused)) == (1, False, 1)


@pytest.mark.parametrize("command", ["abort", "promote", "promote --full"])
def test_the_revision_that_was_seen_is_changed(space: Space, command: str) -> None:
    seen(space)
    words = command.split()
    assert space.run(words[0], "web", *words[1:], "--revision", "3").code == 0
    status = space.get("Rollout", "web")["status"]
    assert status.get("abort") or status.get("promoteFull") or "pauseConditions" not in status


def test_a_write_of_the_controller_in_between_is_looked_at_again(space: Space) -> None:
    seen(space)
    done: list[str] = []

    def controller(request: Request) -> Response | None:
        if request.method != "PATCH" or done:
            return None
        done.append(request.path)
        status = {"kind": "Status", "reason": "Conflict", "code": 409, "message": "the object has been modified"}
        return Response(409, json.dumps(status).encode())

    space.cluster.before = controller
    assert space.run("abort", "web", "--revision", "3").code == 0
    assert (space.get("Rollout", "web")["status"]["abort"], len(done)) == (True, 1)


def test_a_dry_run_says_what_would_be_done_and_does_nothing(space: Space) -> None:
    seen(space)
    before = space.get("Rollout", "web")
    result = space.run("promote", "web", "--full", "--dry-run")
    assert result.out == "rollout 'web' would be changed (revision 3): status.promoteFull = True\n"
    assert space.get("Rollout", "web") == before


def test_who_did_it_is_told_in_an_event(space: Space) -> None:
    seen(space)
    space.run("abort", "web")
    (event,) = space.cluster.client.list(EVENTS, space.name)["items"]
    assert (event["reason"], event["involvedObject"]["name"]) == ("Abort", "web")
    assert event["message"].startswith("Abort of revision 3 by ")
