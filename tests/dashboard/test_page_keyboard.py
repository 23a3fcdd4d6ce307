"""Everything can be done from the keyboard, and the keys are written on the page."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.support.dashboard import scenes
from tests.support.dashboard.dashboard_stage import Stage

pytestmark = pytest.mark.long


def test_the_hints_are_visible_and_the_help_lists_all(stage: Stage, page: Page) -> None:
    page.goto(stage.url)
    expect(page.get_by_role("contentinfo")).to_contain_text("/ search")
    page.keyboard.press("?")
    help_ = page.get_by_role("dialog", name="Keys")
    expect(help_).to_contain_text("g p, g f")
    page.keyboard.press("Escape")
    expect(help_).to_have_count(0)


def test_find_move_open_promote_and_go_back_without_a_mouse(stage: Stage, page: Page) -> None:
    for made in (scenes.rollout("web"), scenes.rollout("web-api"), scenes.healthy("shop")):
        scenes.with_revisions(stage.put, made)
    page.goto(stage.tokened)
    expect(page.locator("[data-item]")).to_have_count(3)
    page.keyboard.press("/")
    page.keyboard.type("web")
    expect(page.locator("[data-item]")).to_have_count(2)
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="web", exact=True)).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(page.get_by_role("link", name="web", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="web", exact=True)).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("p")
    expect(page.get_by_role("dialog")).to_contain_text("Ends the pause in step 2 of 4.")
    assert not stage.writes, "no key changes traffic: it asks"
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert stage.writes == [("PATCH", "default/rollouts/web/status")]
    page.keyboard.press("Escape")
    expect(page.locator("[data-item]")).to_have_count(3)


def test_no_single_key_asks_for_a_change(stage: Stage, page: Page) -> None:
    scenes.with_revisions(stage.put, scenes.rollout())
    page.goto(stage.tokened)
    page.goto(stage.url + "rollout/default/web")
    expect(page.get_by_role("region", name="Now")).to_be_visible()
    for key in "pfatrhPFATRHxyz0123456789":
        page.keyboard.press(key)
        expect(page.get_by_role("dialog", name="web")).to_have_count(0)
        page.keyboard.press("Escape") if key == "H" else None  # the help
    assert not stage.writes


def test_focus_stays_where_it_is_while_the_page_changes_under_it(stage: Stage, page: Page) -> None:
    scenes.with_revisions(stage.put, scenes.rollout())
    page.goto(stage.tokened)
    star = page.get_by_role("button", name="Favourite: web")
    star.focus()
    stage.patch("Rollout", "web", {"status": {"message": "something else", "phase": "Degraded"}}, status=True)
    expect(page.locator('[data-item="default/web"]')).to_contain_text("something else")
    expect(star).to_be_focused()


def test_changes_of_state_are_told_to_screen_readers(stage: Stage, page: Page) -> None:
    scenes.with_revisions(stage.put, scenes.rollout())
    page.goto(stage.url + "rollout/default/web")
    expect(page.get_by_role("region", name="Now")).to_be_visible()
    stage.patch("Rollout", "web", {"status": {"phase": "Degraded", "message": "it broke"}}, status=True)
    expect(page.locator('#live[aria-live="polite"]')).to_have_text("web is Degraded, step 1/4. it broke")
