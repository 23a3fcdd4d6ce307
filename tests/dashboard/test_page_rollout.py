"""The questions of a bad day on a Rollout's page: why pods do not start, which step was aborted, who did what."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

from tests.support.dashboard import scenes
from tests.support.dashboard.dashboard_stage import Stage

Json = dict[str, Any]


UPDATE = (
    ("SetImage", "SetImage of revision 1 by ana on laptop"),
    ("RolloutUpdated", "Rollout updated to revision 2"),
    ("RolloutStepCompleted", "Rollout step 1/4 completed (setWeight: 20)"),
    ("RolloutStepCompleted", "Rollout step 2/4 completed (pause: until promoted)"),
)


def test_the_box_has_no_bare_code_and_says_nothing_twice(stage: Stage, page: Page) -> None:
    scenes.with_revisions(stage.put, scenes.rollout())
    page.goto(stage.url + "rollout/default/web")
    now = page.get_by_role("region", name="Now")
    expect(now.locator("p")).to_have_count(3)
    expect(now).not_to_contain_text("CanaryPauseStep")
    expect(now.locator("code")).to_have_text(["PauseStep"])


def test_pods_that_cannot_start_are_the_first_line(stage: Stage, page: Page) -> None:
    made = scenes.rollout(
        phase="Progressing", message="more replicas need to be updated", pauseConditions=None, currentStepIndex=0
    )
    scenes.with_revisions(stage.put, made)
    (name,) = [f"web-{scenes.NEW}-0"]
    waiting = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "web:2"'}
    state = {"name": "web", "ready": False, "restartCount": 0, "image": "web:2", "state": {"waiting": waiting}}
    broken = {"conditions": [{"type": "Ready", "status": "False"}], "phase": "Pending", "containerStatuses": [state]}
    stage.patch("Pod", name, {"status": broken}, status=True)
    stage.patch("ReplicaSet", f"web-{scenes.NEW}", {"status": {"availableReplicas": 0}}, status=True)
    page.goto(stage.url + "rollout/default/web")
    first = page.get_by_role("region", name="Now").locator("p").first
    expect(first).to_contain_text("An image cannot be pulled (0 of 1 pods of revision 2 are available)")
    expect(first).to_contain_text('ImagePullBackOff: container web: Back-off pulling image "web:2"')
    expect(page.get_by_role("region", name="Now").get_by_text("Back-off pulling")).to_have_count(1)


def test_the_step_of_an_abort_is_marked_and_none_that_never_ran_is_ticked(stage: Stage, page: Page) -> None:
    stored = scenes.with_revisions(stage.put, scenes.revised(scenes.aborted()))
    scenes.events(stage.put, stored, *UPDATE, ("RolloutAborted", "Rollout aborted update to revision 2"))
    page.goto(stage.url + "rollout/default/web")
    steps = page.locator(".steps li")
    expect(steps.nth(2)).to_contain_text("aborted here")
    classes = steps.evaluate_all("found => found.map(step => step.className)")
    assert classes == ["done", "done", "aborted", "todo"]


def test_history_is_by_revision_with_people_and_verdicts_in_front(stage: Stage, page: Page) -> None:
    stored = scenes.with_revisions(stage.put, scenes.revised(scenes.aborted()))
    scenes.events(
        stage.put,
        stored,
        *UPDATE,
        ("Abort", "Abort of revision 2 by bo on desk"),
        ("RolloutAborted", "Rollout aborted"),
    )
    page.goto(stage.url + "rollout/default/web")
    past = page.locator('[data-past="2"]')
    expect(past.locator("> ol strong")).to_have_text(["RolloutAborted", "Abort", "SetImage"])
    expect(past.locator("> ol")).to_contain_text("by bo on desk")
    expect(past.get_by_text("Rollout step 1/4 completed")).to_be_hidden()
    past.get_by_text("3 routine events").click()
    expect(past.get_by_text("Rollout step 1/4 completed")).to_be_visible()


def test_a_revision_has_its_changes_its_author_and_a_way_back(stage: Stage, page: Page) -> None:
    stored = scenes.with_revisions(stage.put, scenes.revised(scenes.rollout()))
    scenes.events(stage.put, stored, *UPDATE)
    page.goto(f"{stage.tokened}")
    page.goto(stage.url + "rollout/default/web")
    newest = page.locator('[data-revision="2"]')
    expect(newest).to_contain_text("SetImage by ana on laptop")
    newest.get_by_text("Changes since revision 1: 1").click()
    expect(newest.locator(".changes")).to_have_text("containers[web].imageweb:1 → web:2")
    expect(page.get_by_role("button", name="Roll back to revision 1")).to_be_visible()


def test_the_key_of_the_traffic_has_the_order_of_the_bar(stage: Stage, page: Page) -> None:
    scenes.with_revisions(stage.put, scenes.rollout())
    page.goto(stage.url + "rollout/default/web")
    traffic = page.get_by_role("region", name="Traffic")
    expect(traffic.locator("dt")).to_have_text(["canary, revision 2", "stable, revision 1"])
    order = "found => found.map(one => one.className.split(' ').at(-1))"
    pieces = traffic.locator(".piece").evaluate_all(order)
    assert pieces == traffic.locator(".swatch").evaluate_all(order) == ["canary", "stable"]


def test_blue_green_has_phases_in_the_place_of_steps(stage: Stage, page: Page) -> None:
    strategy = {"blueGreen": {"activeService": "web", "previewService": "web-canary", "autoPromotionEnabled": False}}
    made = scenes.rollout(
        spec={"strategy": strategy},
        message="BlueGreenPause",
        pauseConditions=[{"reason": "BlueGreenPause", "startTime": "2026-01-01T00:00:00Z"}],
        blueGreen={"activeSelector": scenes.OLD, "previewSelector": scenes.NEW},
        currentStepIndex=None,
        canary=None,
    )
    stored = stage.put(made)
    scenes.around(stage.put, stored)
    scenes.replica_set(stage.put, stored, scenes.OLD, 1, 2)
    scenes.replica_set(stage.put, stored, scenes.NEW, 2, 2)
    page.goto(stage.url + "rollout/default/web")
    phases = page.get_by_role("region", name="Phases").locator("li")
    expect(phases).to_contain_text(
        ["Start the new version", "Pause until promoted", "Switch the active Service", "Scale down the old version"]
    )
    expect(phases.nth(1)).to_have_attribute("aria-current", "step")
