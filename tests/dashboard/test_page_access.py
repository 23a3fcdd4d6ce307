"""The pages for everybody: long names, the keyboard alone, no motion, and no meaning that only a colour carries."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.dashboard import scenes
from tests.support.dashboard.dashboard_stage import Stage

pytestmark = pytest.mark.long


@pytest.mark.parametrize("mode", ["cards", "table"])
def test_a_hundred_rollouts_with_the_longest_names_fit_a_phone(stage: Stage, page: Page, mode: str) -> None:
    for number in range(100):
        made = scenes.rollout(f"{'checkout-' * 6}{number:09}")
        made["spec"]["template"]["spec"]["containers"][0]["image"] = (
            f"registry.example:5000/{'shop/' * 8}web:{'1' * 60}"
        )
        stage.put(made)
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"{stage.tokened}&displayMode={mode}")
    expect(page.locator("[data-item]")).to_have_count(60 if mode == "cards" else 50)
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0
    edges = "found => Math.max(...found.map(one => one.getBoundingClientRect().right))"
    assert page.locator("[data-item] :is(a, button, .status)").evaluate_all(edges) <= 390


def test_the_order_is_chosen_by_keyboard_and_the_focus_stays(stage: Stage, page: Page) -> None:
    for made in (scenes.aborted("z-failed"), scenes.healthy("a-fine")):
        scenes.with_revisions(stage.put, made)
    page.goto(stage.url + "?displayMode=table")
    expect(page.locator("[data-main]")).to_have_text(["z-failed", "a-fine"])
    page.get_by_role("columnheader", name="Name").get_by_role("button").focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-main]")).to_have_text(["a-fine", "z-failed"])
    expect(page.get_by_role("columnheader", name="Name").get_by_role("button")).to_be_focused()


def test_details_open_by_keyboard_and_stay_open_while_the_page_changes(stage: Stage, page: Page) -> None:
    scenes.with_revisions(stage.put, scenes.rollout())
    page.goto(stage.url + "rollout/default/web")
    summary = page.locator("summary", has_text="Changes since revision 1: 1")
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".changes")).to_be_visible()
    stage.patch("ReplicaSet", f"web-{scenes.NEW}", {"status": {"availableReplicas": 0}}, status=True)
    expect(page.locator('[data-revision="2"]')).to_contain_text("0/1 available")
    expect(page.locator(".changes")).to_be_visible()
    expect(summary).to_be_focused()


def test_nothing_moves_for_those_who_do_not_want_it(stage: Stage, browser: Browser) -> None:
    scenes.with_revisions(stage.put, scenes.rollout())
    found: list[str] = []
    for motion in ("reduce", "no-preference"):
        context = browser.new_context(reduced_motion=motion)
        page = context.new_page()
        page.goto(stage.url)
        fill = page.locator(".fill")
        expect(fill).to_have_count(1)
        found.append(fill.evaluate("bar => getComputedStyle(bar).transitionDuration"))
        context.close()
    assert found == ["0s", "0.3s"]


def test_no_meaning_is_in_a_colour_alone(stage: Stage, page: Page) -> None:
    """The new version's share has a pattern, each state a sign and a word, each step a sign."""
    scenes.with_revisions(stage.put, scenes.rollout())
    page.goto(stage.url + "rollout/default/web")
    pattern = "one => getComputedStyle(one).backgroundImage"
    assert "gradient" in page.locator(".piece.canary").evaluate(pattern)
    assert page.locator(".piece.stable").evaluate(pattern) == "none"
    expect(page.locator(".head .status")).to_have_text("‖Paused")
    signs = page.locator(".steps li").evaluate_all("found => found.map(one => one.dataset.sign)")
    assert signs == ["✔", "▶", "○", "○"]
