"""The measurements of analyses against their limits, drawn and in words."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.support.dashboard import scenes
from tests.support.dashboard.dashboard_stage import Stage

pytestmark = pytest.mark.long

HOSTILE = "<img src=x onerror=document.title='taken'>"


def shown(stage: Stage, page: Page, *more: tuple[scenes.Json, scenes.Json]) -> None:
    made = scenes.with_revisions(stage.put, scenes.rollout())
    scenes.analysis_run(stage.put, made, "web-analysis", *more)
    page.goto(stage.url + "rollout/default/web")
    expect(page.locator(".metric")).to_have_count(1 + len(more))


def test_values_are_drawn_with_the_limit_and_failures_are_marked(stage: Stage, page: Page) -> None:
    shown(stage, page)
    drawn = page.locator('[data-metric="web-analysis/success-rate"]')
    expect(drawn.locator("svg circle.good")).to_have_count(1)
    expect(drawn.locator("svg path.bad")).to_have_count(1)
    limit = drawn.locator("svg line.limit")
    expect(limit).to_have_count(1)
    above = drawn.locator("svg circle.good").bounding_box()
    below = drawn.locator("svg path.bad").bounding_box()
    line = limit.bounding_box()
    assert above
    assert below
    assert line
    assert above["y"] < line["y"] < below["y"], "0.99 is over the limit of 0.95, 0.42 under it"
    expect(drawn.locator("figcaption")).to_have_text("2 measured, 0.42 to 0.99. Succeeds if ≥ 0.95 (dashed).")


def test_who_does_not_see_the_picture_is_told_the_same(stage: Stage, page: Page) -> None:
    shown(stage, page)
    words = "success-rate: 2 measurements between 0.42 and 0.99, newest 0.42, 1 not good. Succeeds if ≥ 0.95 (dashed)."
    expect(page.get_by_role("img", name=words, exact=True)).to_be_visible()


def test_lists_and_fields_are_followed_to_the_number_that_the_condition_is_about(stage: Stage, page: Page) -> None:
    lists = scenes.measured(("Successful", "[0.5,7]"), ("Running", "[0.5,9]"))
    fields = scenes.measured(("Successful", '{"rate": "0.25"}'))
    shown(
        stage,
        page,
        scenes.metric("second", "Running", lists, failureCondition="result[1] > 8"),
        scenes.metric(
            "field", "Successful", fields, successCondition="result.rate < 0.5", failureCondition="1 <= result.rate"
        ),
    )
    second = page.locator('[data-metric="web-analysis/second"]')
    expect(second.locator("figcaption").first).to_have_text("2 measured, 7 to 9. Fails if > 8 (dashed).")
    expect(second.locator("figure").first.locator("circle.open")).to_have_count(1)
    field = page.locator('[data-metric="web-analysis/field"]')
    expect(field.locator("figcaption")).to_contain_text("Succeeds if < 0.5 (dashed). Fails if ≥ 1 (dashed).")
    expect(field.locator("svg line.limit")).to_have_count(2)


def test_a_condition_that_is_more_than_a_comparison_has_no_line_and_the_page_says_so(stage: Stage, page: Page) -> None:
    values = scenes.measured(("Successful", "[1]"), ("Successful", "[2]"))
    condition = "len(result) > 0 && result[0] < 5"
    shown(stage, page, scenes.metric("two", "Successful", values, successCondition=condition))
    two = page.locator('[data-metric="web-analysis/two"]')
    expect(two.locator("figcaption")).to_contain_text("No limit line: the condition is more than a comparison")
    expect(two.locator("svg line.limit")).to_have_count(0)
    expect(two.locator("svg circle.good")).to_have_count(2)


def test_values_that_are_no_numbers_are_text_whatever_they_hold(stage: Stage, page: Page) -> None:
    values = scenes.measured(("Failed", HOSTILE), ("Failed", "[]"), ("Error", ""))
    nothing: list[scenes.Json] = []
    shown(
        stage,
        page,
        scenes.metric("hostile", "Failed", values, successCondition=f"result == '{HOSTILE}'"),
        scenes.metric("new", "Pending", nothing, successCondition="result > 1"),
    )
    hostile = page.locator('[data-metric="web-analysis/hostile"]')
    expect(hostile).to_contain_text("Not drawn: its values are no numbers.")
    hostile.locator("summary").click()
    expect(hostile.locator("li").first).to_contain_text(HOSTILE)
    expect(page.locator('[data-metric="web-analysis/new"]')).to_contain_text("Nothing is measured yet.")
    assert page.locator("main img").count() == 0
    expect(page).to_have_title(re.compile("^web"))


def test_what_decided_stands_beside_why_it_waits(stage: Stage, page: Page) -> None:
    shown(stage, page)
    expect(page.get_by_role("region", name="Now")).to_contain_text(
        "Decided: success-rate of web-analysis: 0.42, succeeds if result >= 0.95 (Failed: 1 failed, 0 allowed)"
    )


def test_a_verdict_shows_its_evidence_against_the_limits_and_the_ratio(stage: Stage, page: Page) -> None:
    shown(stage, page, scenes.verdict())
    drawn = page.locator('[data-metric="web-analysis/errors"]')
    evidence = drawn.locator("svg").first
    expect(evidence.locator("circle.look")).to_have_count(24)
    limit, newest = (evidence.locator(which).bounding_box() for which in (".limit.harm", "circle.look >> nth=-1"))
    assert limit
    assert newest
    assert newest["y"] > limit["y"], "evidence of 12 is below the limit of 20"
    expect(drawn.locator("figcaption")).to_contain_text("undecided after 24 looks; the canary fails")
    expect(drawn.locator("svg polygon.band")).to_have_count(1)
    expect(page.get_by_role("img", name=re.compile("errors: evidence by look, harm .* of 20"))).to_be_visible()


def test_a_verdict_whose_looks_are_broken_is_still_shown(stage: Stage, page: Page) -> None:
    asked, result = scenes.verdict()
    result["measurements"][0]["metadata"]["looks"] = "1,2;<img src=x>"
    shown(stage, page, (asked, result))
    expect(page.locator('[data-metric="web-analysis/errors"]')).to_contain_text("evidence of harm")


def test_axes_have_values_and_times_and_the_pointer_shows_the_measurement(stage: Stage, page: Page) -> None:
    shown(stage, page)
    drawn = page.locator('[data-metric="web-analysis/success-rate"]')
    expect(drawn.locator("svg .tick")).to_have_text(["0.95", "0.42"])
    expect(drawn.locator(".axis time")).to_have_count(2)
    expect(drawn.locator(".axis time").first).to_have_text(re.compile(r"^\d+d( \d+h)? ago$"))
    page.get_by_label("Times").select_option("utc")
    expect(drawn.locator(".axis time").first).to_have_text("2026-01-01 00:00:01 UTC")
    drawn.locator("svg path.bad").hover()
    expect(drawn.locator(".hover")).to_have_text("2026-01-01 00:01:01 UTC 0.42, Failed")


def test_results_of_several_fields_are_drawn_field_by_field(stage: Stage, page: Page) -> None:
    values = scenes.measured(
        ("Successful", '{"errors": 1, "of": 200, "by": "x"}'), ("Successful", '{"errors": 3, "of": 220}')
    )
    whole = scenes.metric("whole", "Successful", values, successCondition="result.errors / result.of < 0.05")
    one = scenes.metric("one", "Successful", values, successCondition="result.errors < 5")
    shown(stage, page, whole, one)
    drawn = page.locator('[data-metric="web-analysis/whole"]')
    expect(drawn.locator("figcaption")).to_have_text(["result.errors 1 to 3.", "result.of 200 to 220."])
    drawn = page.locator('[data-metric="web-analysis/one"]')
    expect(drawn.locator("figcaption").first).to_contain_text("2 measured, 1 to 3. Succeeds if < 5 (dashed).")
    drawn.get_by_text("All 2 fields of the result").click()
    expect(drawn.locator("figcaption").last).to_have_text("result.of 200 to 220.")
