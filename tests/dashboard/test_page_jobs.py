"""The end of a Job's log stands beside its analysis, for those who may read it."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect

from serinus.kube.transport import Request, Response
from tests.support.dashboard import scenes
from tests.support.dashboard.dashboard_stage import Stage

pytestmark = pytest.mark.long

LOG = "checking /healthz\n<b>expected 200, got 503</b>\n"


def with_a_failed_job(stage: Stage) -> list[str]:
    """The paths of the requests for its log."""
    asked: list[str] = []

    def answer(request: Request) -> Response | None:
        if "job-name" in str(request.query or request.path):
            pod = {"metadata": {"name": "smoke-1-abc", "namespace": "default"}}
            return Response(200, json.dumps({"kind": "PodList", "metadata": {}, "items": [pod]}).encode())
        if request.path.partition("?")[0].endswith("/log"):
            asked.append(request.path.partition("?")[0])
            return Response(200, LOG.encode())
        return None

    stage.before = answer
    failed = [{"phase": "Failed", "finishedAt": "2026-01-01T00:00:01Z", "metadata": {"job-name": "smoke-1"}}]
    stored = scenes.with_revisions(stage.put, scenes.rollout())
    scenes.analysis_run(stage.put, stored, "web-analysis", scenes.metric("smoke", "Failed", failed))
    return asked


def test_a_job_shows_the_end_of_its_log_as_text(stage: Stage, page: Page) -> None:
    asked = with_a_failed_job(stage)
    page.goto(stage.tokened)
    page.goto(stage.url + "rollout/default/web")
    job = page.locator("summary", has_text="Job of smoke")
    expect(job).to_contain_text("Failed")
    assert not asked, "a log is read when a user opens it"
    job.click()
    expect(page.get_by_label("End of the log of smoke-1")).to_have_text(LOG)
    assert asked == ["/api/v1/namespaces/default/pods/smoke-1-abc/log"]


def test_a_log_is_not_for_readers_without_the_token(stage: Stage, page: Page) -> None:
    asked = with_a_failed_job(stage)
    page.goto(stage.url + "rollout/default/web")
    page.locator("summary", has_text="Job of smoke").click()
    expect(page.get_by_label("End of the log of smoke-1")).to_contain_text("with its token, to read logs")
    assert not asked
