"""The list: what needs a person comes first, on a desk and on a phone."""

from __future__ import annotations

import shlex
import time

import pytest
import yaml
from playwright.sync_api import Page, expect

from serinus.api.values.times import format_time
from tests.support.dashboard import scenes
from tests.support.dashboard.dashboard_stage import Stage, refusing

MODES = ("cards", "table")
NAMES = "[data-main]"


def shop(stage: Stage) -> None:
    """Names in the opposite order of their urgency."""
    undecided = scenes.rollout("b-waits", namespace="default")
    under_way = scenes.rollout(
        "c-moves", phase="Progressing", message="more replicas need to be updated", pauseConditions=None
    )
    for made in (
        scenes.aborted("z-failed"),
        undecided,
        under_way,
        scenes.timed("d-timed", time.time()),
        scenes.healthy("a-fine"),
    ):
        name = made["metadata"]["name"]
        release = "else" if name == "a-fine" else "shop"
        made["metadata"]["labels"] = {"app": name, "app.kubernetes.io/part-of": release}
        scenes.with_revisions(stage.put, made)


def test_what_needs_a_person_comes_first_and_counts(stage: Stage, page: Page) -> None:
    shop(stage)
    page.goto(stage.url)
    expect(page.locator(NAMES)).to_have_text(["z-failed", "b-waits", "c-moves", "a-fine", "d-timed"])
    page.get_by_role("button", name="Needs attention 2").click()
    expect(page.locator(NAMES)).to_have_text(["z-failed", "b-waits"])


def test_the_order_is_chosen_and_stays_in_the_address(stage: Stage, page: Page) -> None:
    shop(stage)
    page.goto(stage.url)
    page.get_by_label("Sort").select_option("name")
    names = ["a-fine", "b-waits", "c-moves", "d-timed", "z-failed"]
    expect(page.locator(NAMES)).to_have_text(names)
    page.goto(stage.url + "?sort=name&displayMode=table")
    expect(page.locator(NAMES)).to_have_text(names)
    expect(page.get_by_role("columnheader", name="Name")).to_have_attribute("aria-sort", "ascending")
    page.get_by_role("button", name="Weight", exact=True).click()
    expect(page.locator(NAMES).first).to_have_text("a-fine")
    assert "sort=weight" in page.url


def test_counts_follow_the_search_and_escape_empties_both(stage: Stage, page: Page) -> None:
    shop(stage)
    page.goto(stage.url)
    page.get_by_role("searchbox").fill("waits")
    expect(page.get_by_role("button", name="Needs attention 1")).to_be_visible()
    expect(page.get_by_role("button", name="Healthy 0")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("searchbox")).to_have_value("")
    expect(page.locator(NAMES)).to_have_count(5)
    expect(page.get_by_role("button", name="Needs attention 2")).to_be_visible()


def test_cards_and_table_say_the_same_and_offer_the_same(stage: Stage, page: Page) -> None:
    begun = [{"reason": "CanaryPauseStep", "startTime": format_time(time.time() - 125)}]
    made = scenes.rollout(pauseConditions=begun)
    made["metadata"]["annotations"] = {"rollout.argoproj.io/revision": "2"}
    writer = {"manager": "argocd-controller", "operation": "Update", "apiVersion": "argoproj.io/v1alpha1"}
    made["metadata"]["managedFields"] = [{**writer, "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {}}}]
    scenes.with_revisions(stage.put, made)
    for mode in MODES:
        page.goto(f"{stage.tokened}&displayMode={mode}")
        item = page.locator('[data-item="default/web"]')
        for text in ("Rev 2 web:2", "for 2m", "step 2 of 4 waits until it is promoted", "by "):
            expect(item).to_contain_text(text)
        buttons = item.locator("[data-offer]")
        expect(buttons).to_have_text(["Promote", "Abort", "Restart"])


def test_a_release_has_a_page_of_its_own(stage: Stage, page: Page) -> None:
    shop(stage)
    page.goto(stage.url)
    page.get_by_role("link", name="shop", exact=True).first.click()
    expect(page.get_by_role("heading", name="Release shop")).to_be_visible()
    expect(page.locator(".release")).to_contain_text("1 Degraded, 1 waiting for a person, 1 Progressing, 1 Paused")
    expect(page.locator(f"tbody {NAMES}")).to_have_text(["z-failed", "b-waits", "c-moves", "d-timed"])
    assert page.url == stage.url + "release/shop"
    page.get_by_role("button", name="Needs attention 2").click()
    expect(page.locator(NAMES)).to_have_text(["z-failed", "b-waits"])
    page.reload()
    expect(page.get_by_role("heading", name="Release shop")).to_be_visible()
    page.goto(stage.url + "release/none")
    expect(page.locator("main")).to_contain_text("No Rollout has the label app.kubernetes.io/part-of: none.")


@pytest.mark.parametrize("mode", MODES)
def test_on_a_phone_nothing_is_cut_off_and_the_list_begins_early(stage: Stage, page: Page, mode: str) -> None:
    shop(stage)
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"{stage.tokened}&displayMode={mode}")
    expect(page.locator("[data-item]")).to_have_count(5)
    first = page.locator("[data-item]").first.bounding_box()
    assert first
    assert first["y"] < 210
    edges = page.locator("[data-item] :is(td, button, a, .bar, .status)").evaluate_all(
        "found => Math.max(...found.map(one => one.getBoundingClientRect().right))"
    )
    assert edges <= 390


def test_the_empty_page_has_a_command_that_works_as_it_stands(stage: Stage, page: Page) -> None:
    page.goto(stage.url)
    command = page.locator("main code").first
    expect(command).to_contain_text("kubectl apply")
    first, *lines, last = command.inner_text().splitlines()
    assert (first, last) == ("kubectl apply -f - <<'END'", "END")
    stage.put(yaml.safe_load("\n".join(lines)))
    expect(page.locator(NAMES)).to_have_text(["hello"])


def test_an_empty_namespace_and_one_that_does_not_exist_are_different_views(stage: Stage, page: Page) -> None:
    main = page.locator("main")
    page.goto(stage.url + "prod")
    expect(main.get_by_role("heading", name="Namespace prod does not exist.")).to_be_visible()
    assert shlex.split(main.locator("code").first.inner_text()) == ["kubectl", "get", "namespaces"]
    expect(main).not_to_contain_text("no Rollouts")
    stage.put({"kind": "Namespace", "metadata": {"name": "prod"}})
    expect(main).to_contain_text("There are no Rollouts in namespace prod yet.")
    expect(main).not_to_contain_text("does not exist")
    expect(main.locator("code").first).to_contain_text("namespace: prod")
    stage.put(scenes.healthy(namespace="prod"))
    expect(page.locator(NAMES)).to_have_text(["web"])


def test_without_the_right_to_read_namespaces_the_empty_view_says_so(stage: Stage, page: Page) -> None:
    stage.before = refusing(403, "Forbidden", 'namespaces "prod" is forbidden', "/namespaces/prod")
    page.goto(stage.url + "prod")
    expect(page.locator("main")).to_contain_text("There are no Rollouts in namespace prod yet.")
    expect(page.locator("main")).to_contain_text('Whether it exists is not known: namespaces "prod" is forbidden')
