"""Accessibility: no finding of axe (WCAG 2 A and AA) in light and dark, at desk and phone width.

This test takes the pictures of the documentation: SERINUS_PICTURES=1 writes them to docs/images.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from serinus.api.values.times import format_time
from tests.support.dashboard import scenes
from tests.support.dashboard.axe import findings
from tests.support.dashboard.dashboard_stage import TOKEN, Stage
from tests.support.long import few

pytestmark = pytest.mark.long

PICTURES = Path(__file__).parents[2] / "docs" / "images"
WIDTHS = {"desk": 1200, "phone": 390}

SHOWN = {
    "cards-desk-light",
    "table-desk-dark",
    "rollout-desk-light",
    "rollout-phone-dark",
    "question-desk-light",
    "analysis-desk-light",
    "verdict-desk-light",
}
"""Pictures that the documentation shows."""

Scheme = Literal["light", "dark"]


UPDATE = (
    ("SetImage", "SetImage of revision 1 by ana on laptop"),
    ("RolloutUpdated", "Rollout updated to revision 2"),
    ("NewReplicaSetCreated", "Created ReplicaSet of the new template (revision 2)"),
    ("RolloutStepCompleted", "Rollout step 1/4 completed (setWeight: 20)"),
)
ABORTED = (*UPDATE, ("RolloutAborted", "Rollout aborted update to revision 2: metric success-rate failed"))


@pytest.fixture(scope="module")
def busy() -> Iterator[Stage]:
    """A dashboard with Rollouts in every state."""
    stage, now = Stage(), time.time()
    stage.clock.behind = 1800  # every object is older than the times that the page shows
    begun = [{"reason": "CanaryPauseStep", "startTime": format_time(now - 95)}]
    moved = {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated", "message": "progressing"}
    moved |= {"lastUpdateTime": format_time(now - 40), "lastTransitionTime": format_time(now - 40)}
    under_way: dict[str, Any] = {"phase": "Progressing", "pauseConditions": None, "currentStepIndex": 0}
    under_way |= {"availableReplicas": 1, "conditions": [moved]}
    for made in (
        scenes.rollout("checkout", pauseConditions=begun),
        scenes.aborted("payments"),
        scenes.rollout("shipping", message="more replicas need to be updated", **under_way),
        scenes.rollout(
            "catalogue", pauseConditions=begun, canary={"weights": {"canary": {"weight": 10}, "stable": {"weight": 90}}}
        ),
    ):
        name = made["metadata"]["name"]
        if name != "catalogue":
            made["metadata"]["labels"] = {"app": name, "app.kubernetes.io/part-of": "shop"}
        if name == "payments":
            made["status"]["abortedAt"] = format_time(now - 140)
        stored = scenes.with_revisions(stage.put, scenes.revised(made))
        failed = name == "payments"
        shown = [scenes.verdict()] if name == "catalogue" else scenes.metrics(now - 500)[: 3 if failed else 2]
        scenes.analysis_run(stage.put, stored, f"{name}-analysis", *shown, failed=failed, begin=now - 500)
        scenes.events(stage.put, stored, *(ABORTED if failed else UPDATE), begin=now - 540, apart=100)
    stored = stage.put(scenes.revised(scenes.healthy("search"), 1))
    scenes.around(stage.put, stored)
    scenes.replica_set(stage.put, stored, scenes.OLD, 1, 2)
    stage.clock.behind = 0
    stage.open()
    yield stage
    stage.end()


LOOKS = [f"{width}-{scheme}" for width in WIDTHS for scheme in ("light", "dark")]


@pytest.fixture(params=few(LOOKS, LOOKS[::3]))
def look(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def width(look: str) -> str:
    return look.partition("-")[0]


@pytest.fixture
def scheme(look: str) -> Scheme:
    return "dark" if look.endswith("dark") else "light"


@pytest.fixture
def looked(browser: Browser, width: str, scheme: Scheme) -> Iterator[Page]:
    # bypass_csp: the page's own policy keeps axe's script out, as it should.
    context = browser.new_context(
        viewport={"width": WIDTHS[width], "height": 800}, color_scheme=scheme, bypass_csp=True, reduced_motion="reduce"
    )
    yield context.new_page()
    context.close()


def too_wide(page: Page) -> int:
    """Pixels that must be scrolled sideways."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def picture(page: Page, *words: str, of: Locator | None = None) -> None:
    """Of the page, or of a part of it."""
    name = "-".join(words)
    if os.environ.get("SERINUS_PICTURES") and name in SHOWN:
        PICTURES.mkdir(exist_ok=True)
        path = PICTURES / f"dashboard-{name}.png"
        if of is None:
            page.screenshot(path=path)
        else:
            of.screenshot(path=path)


@pytest.mark.parametrize("mode", ["cards", "table"])
def test_the_list(busy: Stage, looked: Page, width: str, scheme: Scheme, mode: str) -> None:
    looked.goto(f"{busy.tokened}&displayMode={mode}")
    expect(looked.locator("[data-item]")).to_have_count(5)
    assert not findings(looked)
    assert too_wide(looked) <= 0
    picture(looked, mode, width, scheme)


def test_the_rollouts_page(busy: Stage, looked: Page, width: str, scheme: Scheme) -> None:
    looked.goto(f"{busy.url}rollout/default/checkout?token={TOKEN}")
    expect(looked.locator(".revision")).to_have_count(2)
    assert not findings(looked)
    assert too_wide(looked) <= 0
    picture(looked, "rollout", width, scheme)
    picture(looked, "analysis", width, scheme, of=looked.locator(".set", has=looked.locator(".metric")))


def test_a_verdict_look_by_look(busy: Stage, looked: Page, width: str, scheme: Scheme) -> None:
    looked.goto(f"{busy.url}rollout/default/catalogue?token={TOKEN}")
    metric = looked.locator('[data-metric="catalogue-analysis/errors"]')
    expect(metric.locator("svg")).to_have_count(2)
    assert not findings(looked)
    assert too_wide(looked) <= 0
    picture(looked, "verdict", width, scheme, of=metric)


def test_the_question_before_a_change(busy: Stage, looked: Page, width: str, scheme: Scheme) -> None:
    looked.goto(f"{busy.url}rollout/default/checkout?token={TOKEN}")
    looked.get_by_role("button", name="Promote full").click()
    expect(looked.get_by_role("dialog")).to_contain_text("100 % of checkout goes to revision 2")
    assert not findings(looked)
    assert too_wide(looked) <= 0
    picture(looked, "question", width, scheme)
    looked.get_by_role("button", name="Cancel").click()


def test_help_and_empty_views(looked: Page, stage: Stage) -> None:
    looked.goto(stage.url)
    expect(looked.locator("main")).to_contain_text("There are no Rollouts yet")
    assert not findings(looked)
    looked.keyboard.press("?")
    expect(looked.get_by_role("dialog")).to_be_visible()
    assert not findings(looked)
    assert too_wide(looked) <= 0


def test_the_theme_is_chosen_and_kept(page: Page, stage: Stage) -> None:
    page.goto(stage.url)
    page.get_by_label("Theme").select_option("dark")
    dark = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    page.reload()
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == dark
    page.get_by_label("Theme").select_option("light")
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") != dark


def test_times_are_shown_as_the_user_prefers(page: Page, stage: Stage) -> None:
    scenes.with_revisions(stage.put, scenes.rollout())
    page.goto(stage.url + "rollout/default/web")
    since = page.locator("#why time").first
    expect(since).to_contain_text("for")
    page.get_by_label("Times").select_option("utc")
    expect(since).to_have_text("since 2026-01-01 00:00:00 UTC")


def test_everything_the_page_loads_is_its_own_and_small(page: Page, stage: Stage) -> None:
    """Page weight: at most 90 kB, whatever is shown; and few requests, which take longer than all else before the first card."""
    for number in range(30):
        stage.put(scenes.rollout(f"{'long-' * 10}{number:02}"))
    loaded: dict[str, int] = {}

    def note(response: Any) -> None:
        if "stream" not in response.url:
            loaded[response.url] = len(response.body())

    page.on("response", note)
    page.goto(stage.url)
    expect(page.locator("[data-item]")).to_have_count(30)
    assert all(url.startswith(stage.url.rstrip("/")) for url in loaded)
    assert sum(loaded.values()) <= 90_000
    assert {url.removeprefix(stage.url) for url in loaded} == {"", "static/icon.svg"}
