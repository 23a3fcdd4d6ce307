"""The list and the Rollout's page in a real browser."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Page, expect

from tests.support.dashboard import scenes
from tests.support.dashboard.dashboard_stage import Stage


def test_a_card_tells_state_reason_weight_and_revisions(stage: Stage, page: Page) -> None:
    scenes.with_revisions(stage.put, scenes.rollout())
    page.goto(stage.tokened)
    card = page.locator('[data-item="default/web"]')
    for text in ("Paused", "step 2 of 4 waits until it is promoted", "step 1/4", "weight 20", "Rev 2 (1/1)"):
        expect(card).to_contain_text(text)
    assert page.url == stage.url, "the token does not stay in the address"


def test_a_change_appears_by_itself(stage: Stage, page: Page) -> None:
    scenes.with_revisions(stage.put, scenes.rollout())
    page.goto(stage.url)
    card = page.locator('[data-item="default/web"]')
    expect(card).to_contain_text("Paused")
    stage.patch("Rollout", "web", {"status": {"phase": "Degraded", "message": "it broke"}}, status=True)
    expect(card).to_contain_text("Degraded")
    expect(card).to_contain_text("it broke")
    stage.delete("Rollout", "web")
    expect(card).to_have_count(0)
    expect(page.locator("main")).to_contain_text("There are no Rollouts yet")
    expect(page.locator("main code").first).to_contain_text("kubectl apply")


def test_the_address_keeps_what_is_filtered(stage: Stage, page: Page) -> None:
    """So that a view can be pasted in a chat."""
    for made in (scenes.rollout("web"), scenes.healthy("shop"), scenes.aborted("pay")):
        stage.put(made)
    page.goto(stage.url)
    items = page.locator("[data-item]")
    expect(items).to_have_count(3)
    page.get_by_role("button", name="Degraded 1").click()
    expect(items).to_have_count(1)
    page.get_by_role("button", name="Paused 1").click()
    expect(items).to_have_count(2)
    page.get_by_role("button", name="Table").click()
    expect(page.locator("table tbody tr")).to_have_count(2)
    assert "Degraded=true" in page.url
    assert "displayMode=table" in page.url
    page.reload()
    expect(page.locator("table tbody tr")).to_have_count(2)
    page.goto(stage.url + "?attention=true")
    expect(page.locator("[data-main]")).to_have_text(["pay", "web"])


def test_search_takes_words_exact_names_negations_and_labels(stage: Stage, page: Page) -> None:
    for name in ("web", "web-api", "shop"):
        stage.put(scenes.healthy(name))
    page.goto(stage.url)
    found = page.locator("[data-main]")
    for search, names in {
        "web": ["web", "web-api"],
        '"web"': ["web"],
        "shop,api": ["shop", "web-api"],
        "!web": ["shop"],
        "app:shop": ["shop"],
    }.items():
        page.get_by_role("searchbox").fill(search)
        expect(found).to_have_text(names)
    page.get_by_role("searchbox").fill("nothing-like-it")
    expect(page.locator("main")).to_contain_text("No Rollout matches")


@pytest.mark.long
def test_favourites_come_first_and_stay(stage: Stage, page: Page) -> None:
    for name in ("aaa", "zzz"):
        stage.put(scenes.healthy(name))
    page.goto(stage.url)
    page.get_by_role("button", name="Favourite: zzz").click()
    expect(page.locator("[data-main]")).to_have_text(["zzz", "aaa"])
    page.reload()
    expect(page.locator("[data-main]")).to_have_text(["zzz", "aaa"])
    page.get_by_role("button", name="Favourites 1").click()
    expect(page.locator("[data-main]")).to_have_text(["zzz"])


@pytest.mark.long
def test_namespaces_are_pages_of_their_own(stage: Stage, page: Page) -> None:
    stage.put({"kind": "Namespace", "metadata": {"name": "prod"}})
    stage.put(scenes.healthy("web"))
    stage.put(scenes.healthy("shop", namespace="prod"))
    page.goto(stage.url)
    expect(page.locator("[data-main]")).to_have_text(["shop", "web"])
    page.get_by_label("Namespace").select_option("prod")
    expect(page.locator("[data-main]")).to_have_text(["shop"])
    assert page.url == stage.url + "prod"
    page.go_back()
    expect(page.locator("[data-main]")).to_have_text(["shop", "web"])


def test_the_rollouts_page_tells_what_is_live_why_it_waits_and_what_comes_next(stage: Stage, page: Page) -> None:
    scenes.with_revisions(stage.put, scenes.rollout())
    page.goto(stage.url + "rollout/default/web")
    now = page.get_by_role("region", name="Now")
    expect(now).to_contain_text("Revision 1 has 80 % of the traffic, revision 2 has 20 %.")
    expect(now).to_contain_text("step 2 of 4 waits until it is promoted")
    expect(now).to_contain_text("Next: set the weight to 50 %")
    steps = page.locator(".steps li")
    expect(steps).to_have_count(4)
    expect(steps.nth(1)).to_have_attribute("aria-current", "step")
    expect(page.locator(".revision").nth(0)).to_contain_text("web:2")
    expect(page.locator(".revision").nth(1)).to_contain_text("stable")
    expect(page.get_by_role("region", name="Traffic")).to_contain_text("80 %")


def test_weights_set_and_observed_are_told_apart(stage: Stage, page: Page) -> None:
    weights = {"canary": {"weight": 10}, "stable": {"weight": 90}}
    scenes.with_revisions(stage.put, scenes.rollout(canary={"weights": weights}))
    page.goto(stage.url + "rollout/default/web")
    expect(page.get_by_role("region", name="Traffic")).to_contain_text("20 % set, 10 % observed")


def test_a_timed_pause_counts_down(stage: Stage, page: Page) -> None:
    scenes.with_revisions(stage.put, scenes.timed("web", time.time() + 600))
    page.goto(stage.url + "rollout/default/web")
    left = page.locator(".steps li.current time")
    expect(left).to_have_text(re.compile(r"\d+m( \d+s)? left"))
    first = left.text_content() or ""
    expect(left).not_to_have_text(first)


def test_an_analysis_shows_what_was_measured_against_what(stage: Stage, page: Page) -> None:
    made = scenes.with_revisions(stage.put, scenes.rollout())
    scenes.analysis_run(stage.put, made)
    page.goto(stage.url + "rollout/default/web")
    metric = page.locator(".revision").nth(0).locator(".metric")
    expect(metric).to_contain_text("success-rate")
    expect(metric.locator("p").first).to_have_text(
        re.compile("Failed.*0.42.*succeeds if result >= 0.95.*1 failed, 0 allowed")
    )
    metric.locator("summary").click()
    expect(metric.locator("li")).to_have_text([re.compile("Successful.*0.99"), re.compile("Failed.*0.42")])


@pytest.mark.long
def test_events_are_the_history(stage: Stage, page: Page) -> None:
    made = scenes.with_revisions(stage.put, scenes.rollout())
    page.goto(stage.url + "rollout/default/web")
    expect(page.get_by_role("heading", name="web", exact=True)).to_be_visible()
    stage.put(
        {
            "kind": "Event",
            "metadata": {"name": "web.1", "namespace": "default"},
            "involvedObject": {
                "kind": "Rollout",
                "name": "web",
                "namespace": "default",
                "uid": made["metadata"]["uid"],
            },
            "reason": "RolloutPaused",
            "message": "Rollout is paused",
            "type": "Normal",
            "lastTimestamp": "2026-01-01T00:00:00Z",
            "source": {"component": "rollouts-controller"},
        }
    )
    history = page.get_by_role("region", name="History")
    history.get_by_text("1 routine event").click()
    expect(history).to_contain_text("RolloutPaused Rollout is paused")


@pytest.mark.long
def test_notifications_are_listed_with_their_destinations(stage: Stage, page: Page) -> None:
    pending = '[{"t":"on-rollout-paused","i":0,"s":"slack","r":"ops","a":1767225600}]'
    made = scenes.with_revisions(stage.put, scenes.rollout())
    stage.patch("Rollout", "web", {"metadata": {"annotations": {"notifications.serinus.dev/pending": pending}}})
    involved = {"kind": "Rollout", "name": "web", "namespace": "default", "uid": made["metadata"]["uid"]}
    page.goto(stage.url + "rollout/default/web")
    stage.put(
        {
            "kind": "Event",
            "metadata": {"name": "web.2", "namespace": "default"},
            "involvedObject": involved,
            "reason": "NotificationFailed",
            "message": "on-rollout-updated was not sent to hook:: hook.test answered 404",
            "type": "Warning",
            "lastTimestamp": "2026-01-01T00:00:00Z",
        }
    )
    found = page.get_by_role("region", name="Notifications")
    expect(found).to_contain_text("hook.test answered 404")
    rows = found.locator("tbody tr")
    expect(rows).to_contain_text(["waits", "failed"])
    expect(rows.nth(0)).to_contain_text("slack:ops")


def test_a_rollout_that_is_not_there_is_told_apart_from_one_that_loads(stage: Stage, page: Page) -> None:
    page.goto(stage.url + "rollout/default/nobody")
    expect(page.locator("main")).to_contain_text("There is no Rollout nobody in namespace default")
    scenes.with_revisions(stage.put, scenes.rollout("nobody"))
    expect(page.get_by_role("region", name="Now")).to_be_visible()
    stage.delete("Rollout", "nobody")
    expect(page.locator("main")).to_contain_text("There is no Rollout nobody")
