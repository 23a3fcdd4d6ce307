"""A real browser signs in, changes something, and signs out: forms, cookies and policies fit together."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.dashboard import scenes
from tests.support.dashboard.axe import findings
from tests.support.dashboard.team_stage import ANA, TeamStage, editor_of, team, two_users


@dataclass
class Running:
    stage: TeamStage
    loop: asyncio.AbstractEventLoop

    def do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)


@pytest.fixture
def running() -> Iterator[Running]:
    """In a thread, because the browser waits in the foreground."""
    loop, guarded = asyncio.new_event_loop(), two_users()
    guarded.grants["ana@example.com"] = editor_of("default")
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    manager = team(guarded=guarded)
    stage = asyncio.run_coroutine_threadsafe(manager.__aenter__(), loop).result(30)
    found = Running(stage, loop)
    found.do(stage.put(scenes.rollout()))
    yield found
    found.do(manager.__aexit__(None, None, None))
    loop.call_soon_threadsafe(loop.stop)
    thread.join(20)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_for_signing_in_and_out_are_accessible(running: Running, browser: Browser, scheme: Any) -> None:
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(f"{running.stage.url}/auth/sign-in")
    assert not findings(page)
    page.get_by_label("Token of the cluster").fill("a-wrong-token")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("The API server refuses this token")
    assert not findings(page)
    page.get_by_label("Token of the cluster").fill(ANA)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Signed in as ana@example.com.")).to_be_visible()
    assert not findings(page)
    page.get_by_role("link", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    assert not findings(page)
    context.close()


def test_a_user_signs_in_promotes_and_signs_out(running: Running, page: Page) -> None:
    page.goto(f"{running.stage.url}/rollout/default/web")
    page.get_by_label("Token of the cluster").fill("a-wrong-token")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("The API server refuses this token")
    page.get_by_label("Token of the cluster").fill(ANA)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{running.stage.url}/rollout/default/web")
    page.get_by_role("button", name="Promote", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Promote", exact=True).click()
    expect(page.get_by_text("by ana@example.com").first).to_be_visible()
    page.get_by_role("link", name="Sign out").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Token of the cluster")).to_be_visible()
    page.goto(f"{running.stage.url}/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.long
def test_a_page_whose_session_ends_leads_to_the_sign_in(
    running: Running, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serinus.dashboard.stream.BEAT_SECONDS", 0.1)
    monkeypatch.setattr("serinus.dashboard.team.bearer.KEPT_SECONDS", 0.0)
    page.goto(f"{running.stage.url}/")
    page.get_by_label("Token of the cluster").fill(ANA)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name="web").first).to_be_visible()
    del running.stage.guarded.tokens[ANA]
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
