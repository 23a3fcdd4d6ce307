"""Loading, empty, forbidden, missing, unreachable, stale: each looks different and shows what to do."""

from __future__ import annotations

import json
import re
import threading
import time

import pytest
from playwright.sync_api import Browser, Page, expect

from serinus.kube.errors import Unavailable
from serinus.kube.transport import Request, Response
from tests.support.dashboard import scenes
from tests.support.dashboard.dashboard_stage import TOKEN, Stage, refusing

pytestmark = pytest.mark.long


def test_forbidden_everywhere_is_told(page: Page) -> None:
    stage = Stage()
    stage.before = refusing(403, "Forbidden", 'User "ann" cannot list resource "rollouts"', "/rollouts")
    stage.open()
    page.goto(stage.url)
    expect(page.locator("main")).to_contain_text("You may not look at Rollouts here.")
    expect(page.locator("main")).to_contain_text('User "ann" cannot list')
    expect(page.locator("main")).to_contain_text("start the dashboard with another --context")
    stage.end()


def test_where_all_namespaces_are_forbidden_the_users_own_is_shown(page: Page) -> None:
    stage = Stage()
    stage.put(scenes.healthy())
    stage.before = lambda request: (
        None
        if "/namespaces/" in request.path or request.method == "POST"
        else refusing(403, "Forbidden", "not at the cluster scope", "/")(request)
    )
    stage.open()
    page.goto(stage.url)
    expect(page.locator("[data-main]")).to_have_text(["web"])
    expect(page.locator("#notice")).to_contain_text("Only namespace default is shown: not at the cluster scope")
    stage.end()


def test_a_cluster_without_rollouts_installed_says_so(page: Page) -> None:
    stage = Stage()
    stage.before = refusing(404, "NotFound", "the server could not find the requested resource", "/rollouts")
    stage.open()
    page.goto(stage.url)
    expect(page.locator("main")).to_contain_text("their CustomResourceDefinition is not installed")
    stage.end()


def test_an_api_that_never_answered_is_told_from_one_without_rollouts(page: Page) -> None:
    stage, waited = Stage(), threading.Event()

    def away(_: Request) -> Response | None:
        waited.set()
        raise Unavailable(0, "", "connection refused")

    stage.before = away
    stage.open()
    page.goto(stage.url)
    expect(page.locator("main")).to_contain_text("The API server does not answer. Trying again.")
    expect(page.locator("main")).to_contain_text("connection refused")
    stage.before = lambda _: None
    expect(page.locator("main")).to_contain_text("There are no Rollouts yet")
    stage.end()


def test_parts_that_may_not_be_seen_are_named_and_the_rest_is_shown(page: Page) -> None:
    stage = Stage()
    scenes.with_revisions(stage.put, scenes.rollout())
    stage.before = refusing(403, "Forbidden", "pods are not for you", "/pods")
    stage.open()
    page.goto(stage.url)
    expect(page.locator('[data-item="default/web"]')).to_contain_text("Paused")
    expect(page.locator("#notice")).to_contain_text("pods: pods are not for you")
    stage.end()


def test_the_page_goes_on_by_itself_when_the_server_comes_back(stage: Stage, page: Page) -> None:
    scenes.with_revisions(stage.put, scenes.rollout())
    stage.put(scenes.healthy("shop"))
    page.goto(stage.tokened)
    items = page.locator("[data-item]")
    expect(items).to_have_count(2)
    stage.shut()
    expect(page.locator("#notice")).to_contain_text("Stale since")
    expect(items).to_have_count(2)
    stage.delete("Rollout", "shop")
    stage.open()
    expect(page.locator("#notice")).to_be_hidden()
    expect(items).to_have_count(1)
    page.get_by_role("button", name="Promote web").click()
    page.get_by_role("dialog").get_by_role("button", name="Promote").click()
    expect(page.locator(".toast")).to_contain_text("Promote: web, done.")


def test_without_the_token_everything_is_seen_and_no_action_is_there(stage: Stage, page: Page) -> None:
    scenes.with_revisions(stage.put, scenes.rollout())
    page.goto(stage.url + "rollout/default/web")
    expect(page.locator("main")).to_contain_text("with its token, to change something")
    expect(page.get_by_role("button", name="Promote")).to_have_count(0)
    expect(page.get_by_role("button", name="Change image of web")).to_have_count(0)
    expect(page.get_by_role("button", name="Roll back")).to_have_count(0)


def test_read_only_has_no_actions_for_anybody(page: Page) -> None:
    stage = Stage(read_only=True)
    stage.open()
    scenes.with_revisions(stage.put, scenes.rollout())
    page.goto(f"{stage.url}rollout/default/web?token={TOKEN}")
    expect(page.locator("main")).to_contain_text("read-only")
    expect(page.get_by_role("button", name="Promote")).to_have_count(0)
    stage.end()


def test_what_the_user_may_not_do_is_absent_with_the_reason(page: Page) -> None:
    stage = Stage()
    scenes.with_revisions(stage.put, scenes.rollout())

    def review(request: Request) -> Response | None:
        if not request.path.endswith("selfsubjectaccessreviews"):
            return None
        asked = json.loads(request.body)["spec"]["resourceAttributes"]
        return Response(201, json.dumps({"status": {"allowed": asked.get("subresource") != "status"}}).encode())

    stage.before = review
    stage.open()
    page.goto(f"{stage.url}rollout/default/web?token={TOKEN}")
    expect(page.get_by_role("button", name="Restart")).to_be_visible()
    expect(page.get_by_role("button", name="Promote")).to_have_count(0)
    missing = "Without Promote, Promote full, Abort, Retry: you may not patch rollouts.argoproj.io/status"
    expect(page.locator("main")).to_contain_text(missing)
    stage.end()


@pytest.mark.parametrize("listed", [True, False], ids=["secret", "forbidden"])
def test_objects_of_another_cluster_are_not_called_missing(page: Page, listed: bool) -> None:
    """Istio's objects may be in the cluster that a Secret names. The page says so, and has the controller's reason."""
    stage = Stage()
    if not listed:
        stage.before = refusing(403, "Forbidden", "secrets are not for you", "/secrets")
    made = scenes.rollout()
    made["spec"]["strategy"]["canary"]["trafficRouting"] = {"istio": {"virtualService": {"name": "front"}}}
    stage.put({"kind": "Namespace", "metadata": {"name": "argo-rollouts"}})
    home = {"namespace": "argo-rollouts"}
    stage.put({"kind": "Lease", "metadata": {"name": "argo-rollouts-controller-lock", **home}, "spec": {}})
    labels = {"istio.argoproj.io/primary-cluster": "true"}
    stage.put({"kind": "Secret", "metadata": {"name": "mesh", "labels": labels, **home}, "data": {}})
    scenes.with_revisions(stage.put, made)
    stage.open()
    page.goto(f"{stage.url}rollout/default/web")
    box = page.get_by_role("region", name="Now")
    said = (
        "Not read here: Istio's objects are in the cluster that Secret argo-rollouts/mesh names"
        if listed
        else "Not read here: VirtualService front is not in this cluster. A Secret with the label"
    )
    expect(box).to_contain_text(said)
    expect(box).to_contain_text("the reasons above are those that the controller reported")
    expect(box.locator("#why")).to_contain_text("PauseStep")
    expect(box).not_to_contain_text("not found")
    stage.end()


def test_markup_in_names_and_messages_stays_text(stage: Stage, page: Page) -> None:
    """Any user who may write a Rollout can set a message; it must not run in the browser of a reader."""
    evil = "<img src=x onerror=\"document.title='hacked'\"><script>document.title='hacked'</script>"
    made = scenes.rollout(message=evil, phase="Degraded", abort=True, pauseConditions=None, controllerPause=False)
    made["spec"]["template"]["spec"]["containers"][0]["image"] = evil
    made["metadata"]["annotations"] = {"note": evil}
    scenes.with_revisions(stage.put, made)
    page.goto(stage.url)
    expect(page.locator('[data-item="default/web"]')).to_contain_text(evil)
    page.get_by_role("link", name="web", exact=True).click()
    expect(page.get_by_role("region", name="Containers")).to_contain_text(evil)
    expect(page.locator("main img, main script")).to_have_count(0)
    assert page.title() == "web · Rollouts"


def test_a_wrong_clock_in_the_browser_does_not_change_what_is_left(stage: Stage, browser: Browser) -> None:
    scenes.with_revisions(stage.put, scenes.timed("web", time.time() + 3600))
    context = browser.new_context()
    context.clock.install(time=0)
    page = context.new_page()
    page.goto(stage.url + "rollout/default/web")
    page.clock.run_for(2000)
    expect(page.locator(".steps li.current time")).to_have_text(re.compile(r"^(1h|59m( \d+s)?) left$"))
    context.close()
