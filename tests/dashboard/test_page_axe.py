"""Every page and every state of the view: no finding of axe, in light and dark, and the same parts for a screen reader.

`test_page_looks.py` does the same for the pages of which the documentation has pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from serinus.kube.errors import Unavailable
from serinus.kube.transport import Request, Response
from tests.support.dashboard import scenes
from tests.support.dashboard.axe import findings
from tests.support.dashboard.dashboard_stage import Stage, refusing

pytestmark = pytest.mark.long

Scheme = Literal["light", "dark"]


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> Scheme:
    return request.param


@pytest.fixture
def looked(browser: Browser, scheme: Scheme) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": 1200, "height": 800}, color_scheme=scheme, bypass_csp=True, reduced_motion="reduce"
    )
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def filled() -> Iterator[Stage]:
    stage = Stage()
    blue_green = {
        "blueGreen": {"activeService": "shift", "previewService": "shift-canary", "autoPromotionEnabled": False}
    }
    phases = {"activeSelector": scenes.OLD, "previewSelector": scenes.NEW}
    begun = [{"reason": "BlueGreenPause", "startTime": "2026-01-01T00:00:00Z"}]
    for made in (
        scenes.rollout("web"),
        scenes.aborted("pay"),
        scenes.rollout(
            "shift", spec={"strategy": blue_green}, message="BlueGreenPause", pauseConditions=begun, blueGreen=phases,
            canary=None, currentStepIndex=None,
        ),
    ):  # fmt: skip
        made["metadata"]["labels"] = {"app": made["metadata"]["name"], "app.kubernetes.io/part-of": "shop"}
        scenes.with_revisions(stage.put, made)
    stage.put(scenes.revised(scenes.healthy("fine"), 1))
    stage.put({"kind": "Namespace", "metadata": {"name": "empty"}})
    stage.open()
    yield stage
    stage.end()


PLACES = {
    "a release": ("release/shop", "Release shop"),
    "a release that does not exist": ("release/none", "No Rollout has the label"),
    "an empty namespace": ("empty", "There are no Rollouts in namespace empty yet."),
    "a namespace that does not exist": ("nowhere", "Namespace nowhere does not exist."),
    "a search without a match": ("?name=zzz", "No Rollout matches."),
    "a Rollout that waits": ("rollout/default/web", "waits until it is promoted"),
    "an aborted Rollout": ("rollout/default/pay", "Degraded"),
    "blue-green": ("rollout/default/shift", "Phases"),
    "a healthy Rollout": ("rollout/default/fine", "Healthy"),
    "a Rollout that does not exist": ("rollout/default/none", "There is no Rollout none"),
}


@pytest.mark.parametrize(("path", "text"), PLACES.values(), ids=PLACES)
def test_a_page(filled: Stage, looked: Page, path: str, text: str) -> None:
    looked.goto(filled.url + path)
    expect(looked.locator("main")).to_contain_text(text)
    assert not findings(looked)
    sounds_complete(looked)


def unreachable(_: Request) -> Response | None:
    raise Unavailable(0, "", "connection refused")


STATES: dict[str, tuple[Callable[[Request], Response | None], str]] = {
    "forbidden": (refusing(403, "Forbidden", "not for you", "/rollouts"), "You may not look at Rollouts here."),
    "not installed": (refusing(404, "NotFound", "could not find", "/rollouts"), "is not installed"),
    "does not answer": (unreachable, "The API server does not answer."),
}


@pytest.mark.parametrize(("before", "text"), STATES.values(), ids=STATES)
def test_a_state_of_the_view(looked: Page, before: Callable[[Request], Response | None], text: str) -> None:
    stage = Stage()
    stage.before = before
    stage.open()
    looked.goto(stage.url)
    expect(looked.locator("main")).to_contain_text(text)
    assert not findings(looked)
    sounds_complete(looked)
    stage.end()


def test_loading_and_stale(stage: Stage, looked: Page) -> None:
    stage.put(scenes.healthy())
    looked.route("**/api/ui/v1/stream*", lambda _: None)
    looked.goto(stage.url + "?sort=name")  # an address without first cards in the page
    expect(looked.locator("main")).to_contain_text("Loading…")
    assert not findings(looked)
    sounds_complete(looked)
    looked.unroute("**/api/ui/v1/stream*")
    looked.reload()
    expect(looked.locator("[data-item]")).to_have_count(1)
    stage.shut()
    expect(looked.locator("#notice")).to_contain_text("Stale since")
    assert not findings(looked)
    sounds_complete(looked)


def test_a_change_that_fails_and_one_that_works(stage: Stage, looked: Page) -> None:
    scenes.with_revisions(stage.put, scenes.rollout())
    looked.goto(stage.tokened)
    looked.goto(stage.url + "rollout/default/web")
    stage.before = lambda request: (
        refusing(500, "Error", "no luck", "/")(request) if request.method == "PATCH" else None
    )
    looked.get_by_role("button", name="Promote", exact=True).click()
    looked.get_by_role("dialog").get_by_role("button", name="Promote").click()
    expect(looked.get_by_role("alert")).to_contain_text("no luck")
    assert not findings(looked)
    stage.before = lambda _: None
    looked.get_by_role("dialog").get_by_role("button", name="Promote").click()
    expect(looked.get_by_role("status").get_by_text("Promote: web, done.")).to_be_visible()
    assert not findings(looked)


def sounds_complete(page: Page) -> None:
    """The parts by which a screen reader moves: landmarks, one first heading, levels in order, a title, a way past the top."""
    for landmark in ("banner", "main", "contentinfo"):
        expect(page.get_by_role(landmark)).to_have_count(1)
    levels = page.locator("h1, h2, h3, h4").evaluate_all("found => found.map(one => Number(one.tagName[1]))")
    assert levels.count(1) == 1, levels
    assert all(after - before <= 1 for before, after in pairwise(levels)), levels
    assert page.title().endswith("Rollouts")
    assert page.locator("html").get_attribute("lang") == "en"
    nameless = page.locator("a, button, input, select, summary, [role=img]").evaluate_all(
        "found => found.filter(one => !(one.ariaLabel || one.labels?.length || one.textContent.trim())).length"
    )
    assert nameless == 0
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
