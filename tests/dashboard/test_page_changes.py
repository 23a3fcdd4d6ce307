"""Every action by mouse: the page shows the effect first, offers the command to copy, and only then writes."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.dashboard import scenes
from tests.support.dashboard.dashboard_stage import Stage

Json = dict[str, Any]

CASES: list[tuple[str, Json, str, str, str]] = [
    (
        "Promote",
        scenes.rollout(),
        "Ends the pause in step 2 of 4. Next: set the weight to 50 %.",
        "promote web",
        "status",
    ),
    ("Promote full", scenes.rollout(), "100 % of web goes to revision 2", "promote web --full", "status"),
    ("Abort", scenes.rollout(), "goes back to revision 1", "abort web", "status"),
    ("Retry", scenes.aborted(), "Tries revision 2 again", "retry rollout web", "status"),
    ("Pause", scenes.healthy(), "Holds the Rollout where it is", "pause web", ""),
    ("Restart", scenes.healthy(), "Replaces every pod by a fresh one", "restart web", ""),
]


def what_it_did(made: Json) -> Json:
    spec, status = made["spec"], made["status"]
    return {
        "Promote": not status.get("pauseConditions"),
        "Promote full": status.get("promoteFull"),
        "Abort": status.get("abort"),
        "Retry": status.get("abort") is False or "abort" not in status,
        "Pause": spec.get("paused"),
        "Restart": spec.get("restartAt"),
    }


@pytest.mark.parametrize(("label", "made", "effect", "command", "where"), CASES, ids=[case[0] for case in CASES])
def test_an_action_shows_its_effect_and_its_command_and_then_is_done(
    stage: Stage, page: Page, label: str, made: Json, effect: str, command: str, where: str
) -> None:
    scenes.with_revisions(stage.put, made)
    page.goto(stage.tokened)
    page.get_by_role("link", name="web", exact=True).click()
    page.get_by_role("group", name="Actions").get_by_role("button", name=label, exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(effect)
    expect(dialog.locator("code")).to_have_text(f"kubectl argo rollouts {command} -n default")
    assert not stage.writes, "nothing is written before the answer"
    dialog.get_by_role("button", name=label, exact=True).click()
    expect(dialog).to_have_count(0)
    expect(page.locator(".toast")).to_contain_text(f"{label}: web, done.")
    assert what_it_did(stage.get("Rollout", "web"))[label]
    assert stage.writes == [("PATCH", "default/rollouts/web" + (f"/{where}" if where else ""))]


def test_cancel_and_escape_change_nothing(stage: Stage, page: Page) -> None:
    scenes.with_revisions(stage.put, scenes.rollout())
    page.goto(stage.tokened + "#")
    page.goto(stage.url + "rollout/default/web")
    promote = page.get_by_role("button", name="Promote", exact=True)
    promote.click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(promote).to_be_focused()
    promote.click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("region", name="Now")).to_be_visible()
    assert not stage.writes


@pytest.mark.long
def test_an_image_is_changed_in_place(stage: Stage, page: Page) -> None:
    scenes.with_revisions(stage.put, scenes.healthy())
    page.goto(stage.tokened)
    page.goto(stage.url + "rollout/default/web")
    page.get_by_role("button", name="Change image of web").click()
    dialog, image = page.get_by_role("dialog"), page.get_by_role("textbox", name="Image of web")
    expect(image).to_have_value("web:2")
    expect(dialog).to_contain_text("It goes out by the 4 steps of the canary.")
    image.fill("web")
    page.keyboard.press("Enter")
    expect(dialog).to_contain_text("Name the version too: image:tag.")
    image.fill("shop.example:5000/web:3")
    expected = "kubectl argo rollouts set image web web=shop.example:5000/web:3 -n default"
    expect(dialog.locator("code")).to_have_text(expected)
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Containers")).to_contain_text("shop.example:5000/web:3")
    container = stage.get("Rollout", "web")["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "shop.example:5000/web:3"


@pytest.mark.long
def test_a_revision_is_rolled_back_to(stage: Stage, page: Page) -> None:
    scenes.with_revisions(stage.put, scenes.rollout())
    page.goto(stage.tokened)
    page.goto(stage.url + "rollout/default/web")
    page.get_by_role("button", name="Roll back to revision 1").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("The pod template of revision 1 (web:1) becomes a new revision.")
    expect(dialog.locator("code")).to_have_text("kubectl argo rollouts undo web --to-revision=1 -n default")
    dialog.get_by_role("button", name="Roll back").click()
    expect(dialog).to_have_count(0)
    template = stage.get("Rollout", "web")["spec"]["template"]
    assert template["spec"]["containers"][0]["image"] == "web:1"
    assert "rollouts-pod-template-hash" not in template["metadata"]["labels"]


@pytest.mark.long
def test_the_list_offers_actions_too(stage: Stage, page: Page) -> None:
    scenes.with_revisions(stage.put, scenes.rollout())
    page.goto(stage.tokened + "&displayMode=table")
    page.get_by_role("button", name="Abort web").click()
    expect(page.get_by_role("dialog")).to_contain_text("goes back to revision 1")
    page.get_by_role("dialog").get_by_role("button", name="Abort").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert stage.get("Rollout", "web")["status"]["abort"]


def test_what_moved_on_since_it_was_seen_is_not_promoted(stage: Stage, page: Page) -> None:
    """Another user promotes first: a second promotion would skip a step that no user reviewed."""
    scenes.with_revisions(stage.put, scenes.rollout())
    page.goto(stage.tokened)
    page.goto(stage.url + "rollout/default/web")
    page.get_by_role("button", name="Promote", exact=True).click()
    stage.patch("Rollout", "web", {"status": {"currentStepIndex": 2, "pauseConditions": None}}, status=True)
    page.get_by_role("dialog").get_by_role("button", name="Promote").click()
    expect(page.get_by_role("alert")).to_contain_text("web is in step 3 by now. Nothing was changed: look again.")
    assert stage.get("Rollout", "web")["status"]["currentStepIndex"] == 2
    assert not stage.writes


def test_an_action_that_makes_no_sense_says_why(stage: Stage, page: Page) -> None:
    scenes.with_revisions(stage.put, scenes.healthy())
    page.goto(stage.tokened)
    page.goto(stage.url + "rollout/default/web")
    abort = page.get_by_role("button", name="Abort")
    expect(abort).to_have_attribute("aria-disabled", "true")
    abort.click(force=True)
    expect(page.locator(".toast")).to_contain_text("Abort: no update is under way")
    expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.long
def test_retry_is_offered_only_where_it_does_something(stage: Stage, page: Page) -> None:
    stuck = scenes.rollout("stuck", phase="Degraded", message="ProgressDeadlineExceeded: too late")
    for made in (scenes.aborted("aborted"), stuck, scenes.healthy("healthy")):
        scenes.with_revisions(stage.put, made)
    for mode in ("cards", "table"):
        page.goto(f"{stage.tokened}&displayMode={mode}")
        expect(page.get_by_role("button", name="Retry aborted")).to_be_visible()
        expect(page.get_by_role("button", name="Retry", exact=False)).to_have_count(1)
    for name, offered in (("aborted", 1), ("stuck", 0), ("healthy", 0)):
        page.goto(f"{stage.url}rollout/default/{name}")
        expect(page.get_by_role("button", name="Restart")).to_be_visible()
        expect(page.get_by_role("button", name="Retry")).to_have_count(offered)


def test_after_an_action_the_page_says_what_came_of_it(stage: Stage, page: Page) -> None:
    scenes.with_revisions(stage.put, scenes.rollout())
    page.goto(stage.tokened)
    page.goto(stage.url + "rollout/default/web")
    page.get_by_role("button", name="Promote", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Promote").click()
    expect(page.locator(".toast")).to_contain_text("Promote: web, done.")
    moved = {"status": {"currentStepIndex": 3, "phase": "Progressing", "message": "more replicas need to be updated"}}
    stage.patch("Rollout", "web", moved, status=True)
    expect(page.locator(".toast")).to_contain_text("It is Progressing now, step 3/4")


@pytest.mark.long
def test_the_command_breaks_between_its_words(stage: Stage, page: Page) -> None:
    scenes.with_revisions(stage.put, scenes.rollout("checkout-api"))
    page.set_viewport_size({"width": 320, "height": 700})
    page.goto(stage.tokened)
    page.goto(stage.url + "rollout/default/checkout-api")
    page.get_by_role("button", name="Promote full").click()
    words = page.get_by_role("dialog").locator("code .word")
    expect(words).to_have_text(["kubectl", "argo", "rollouts", "promote", "checkout-api", "--full", "-n", "default"])
    heights = words.evaluate_all("found => new Set(found.map(word => word.getBoundingClientRect().height)).size")
    assert heights == 1, "each word is on one line"
    tops = words.evaluate_all("found => new Set(found.map(word => word.getBoundingClientRect().top)).size")
    assert tops > 1
