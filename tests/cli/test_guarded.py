"""Commands that act on the revision that the user saw, that can be tried first, and that leave a trace of who did it."""

from __future__ import annotations

import json

import pytest
from cli_cluster import Space, rollout

from serinus.api.resources import EVENTS
from serinus.kube.wire import Request, Response

REVISION = "rollout.argoproj.io/revision"


def seen(space: Space, revision: int = 3) -> None:
    status = {"phase": "Paused", "currentPodHash": "b", "stableRS": "a", "currentStepIndex": 1}
    pause = {"pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "2026-01-01T00:00:00Z"}]}
    space.put(rollout(status={**status, **pause}, annotations={REVISION: str(revision)}))


@pytest.mark.parametrize("command", ["abort", "pause", "promote", "restart", "retry rollout"])
def test_another_revision_than_the_one_that_was_seen_is_left_alone(space: Space, command: str) -> None:
    seen(space)
    before = space.get("Rollout", "web")
    result = space.run(*command.split(), "web", "--revision", "2")
    assert result.code == 1
    assert "rollout 'web' is at revision 3 now, not at 2: nothing was done" in result.err
    assert space.get("Rollout", "web") == before


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
