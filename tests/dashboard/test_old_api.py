"""Clients of the Argo Rollouts dashboard keep working: paths, fields, streams and errors of its HTTP API."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from serinus.api.resources import REPLICA_SETS, ROLLOUTS
from serinus.kube.errors import Forbidden
from serinus.kube.transport import Handler, Request, Response
from tests.support.dashboard import scenes
from tests.support.dashboard.dashboard_stage import put_revisions
from tests.support.dashboard.serving import BEARER, Serving, serving, shown

Json = dict[str, Any]
BASE = "/rollouts/api/v1"
WEB = f"{BASE}/rollouts/default/web"


async def paused(stage: Serving, *, aborted: bool = False) -> None:
    """As scenes.with_revisions, without a thread in between."""
    await put_revisions(stage.client, scenes.aborted() if aborted else scenes.rollout())
    await shown(stage, "web")


async def test_info_has_the_fields_that_clients_read() -> None:
    async with serving() as stage:
        await paused(stage)
        info = (await stage.ask("GET", f"{WEB}/info")).json
        meta = info.pop("objectMeta")
        assert (meta["name"], meta["namespace"], meta["labels"]) == ("web", "default", {"app": "web"})
        assert {"uid", "creationTimestamp", "resourceVersion", "generation"} <= meta.keys()
        sets = info.pop("replicaSets")
        assert info == {
            "status": "Paused",
            "message": "CanaryPauseStep",
            "icon": "॥",
            "strategy": "Canary",
            "step": "1/4",
            "setWeight": "20",
            "actualWeight": "20",
            "ready": 3,
            "current": 3,
            "desired": 2,
            "updated": 1,
            "available": 3,
            "restartedAt": "Never",
            "generation": "1",
            "containers": [{"name": "web", "image": "web:2"}],
            "steps": scenes.STEPS,
        }
        new = next(rs for rs in sets if rs["revision"] == 2)
        pods = new.pop("pods")
        assert new.pop("objectMeta")["name"] == f"web-{scenes.NEW}"
        assert new == {
            "status": "Healthy",
            "icon": "✔",
            "revision": 2,
            "canary": True,
            "replicas": 1,
            "available": 1,
            "images": ["web:2"],
        }
        assert [(p["status"], p["icon"], p["ready"]) for p in pods] == [("Running", "✔", "1/1")]


async def test_lists_namespaces_and_the_version() -> None:
    async with serving() as stage:
        empty = await stage.ask("GET", f"{BASE}/rollouts/default/info")
        assert empty.json == {}
        await paused(stage)
        found = (await stage.ask("GET", f"{BASE}/rollouts/default/info")).json["rollouts"]
        assert [info["objectMeta"]["name"] for info in found] == ["web"]
        assert (await stage.ask("GET", f"{BASE}/rollouts/other/info")).json == {}
        spaces = (await stage.ask("GET", f"{BASE}/namespace")).json
        assert spaces == {"namespace": "default", "availableNamespaces": ["default"]}
        assert (await stage.ask("GET", f"{BASE}/version")).json["rolloutsVersion"].startswith("v")


async def test_a_rollout_that_does_not_exist_is_an_error_500_with_a_message() -> None:
    async with serving() as stage:
        answer = await stage.ask("GET", f"{BASE}/rollouts/default/nobody/info")
        assert (answer.status, answer.json["code"]) == (500, 2)
        assert answer.json["message"] == 'rollout.argoproj.io "nobody" not found'
        answer = await stage.ask("PUT", f"{BASE}/rollouts/default/nobody/abort", headers=BEARER)
        assert (answer.status, answer.json["code"]) == (500, 2)
        assert answer.json["message"] == 'rollouts.argoproj.io "nobody" not found'


async def test_a_refusal_of_the_cluster_is_an_error_500_with_its_words() -> None:
    def refusing(handle: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            if request.method == "PATCH":
                raise Forbidden(403, "Forbidden", "ann may not patch rollouts/status")
            return await handle(request)

        return answer

    async with serving(refusing) as stage:
        await stage.put(scenes.rollout())
        answer = await stage.ask("PUT", f"{WEB}/abort", headers=BEARER)
        assert (answer.status, answer.json) == (500, {"code": 2, "message": "ann may not patch rollouts/status"})


@pytest.mark.parametrize(
    ("path", "body", "changed"),
    [
        ("promote", {}, lambda ro: not ro["status"].get("pauseConditions")),
        ("promote", {"full": True}, lambda ro: ro["status"].get("promoteFull")),
        ("abort", {}, lambda ro: ro["status"].get("abort")),
        ("retry", {}, lambda ro: ro["status"].get("abort") is False),
        ("restart", {}, lambda ro: ro["spec"].get("restartAt")),
        ("undo/1", {}, lambda ro: ro["spec"]["template"]["spec"]["containers"][0]["image"] == "web:1"),
        ("undo/0", {}, lambda ro: ro["spec"]["template"]["spec"]["containers"][0]["image"] == "web:1"),
        ("set/web/reg.example/team/web/3", {}, lambda ro: "reg.example/team/web:3" in json.dumps(ro["spec"])),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
async def test_each_put_changes_the_rollout_and_answers_with_it(path: str, body: Json, changed: Any) -> None:
    async with serving() as stage:
        await paused(stage, aborted=path == "retry")
        answer = await stage.ask("PUT", f"{WEB}/{path}", headers=BEARER, json=body)
        assert answer.status == 200, answer.text
        assert answer.json["kind"] == "Rollout"
        assert changed(await stage.client.get(ROLLOUTS, "web", "default"))


async def test_watches_tell_everything_first_and_then_each_change() -> None:
    async with serving() as stage:
        await paused(stage)
        lines = await _lines(stage, f"{BASE}/rollouts/default/info/watch", {})
        first = json.loads(await lines.__anext__())["result"]
        assert (first["type"], first["rolloutInfo"]["status"]) == ("Updated", "Paused")
        await stage.client.patch(ROLLOUTS, "web", {"status": {"phase": "Degraded"}}, "default", subresource="status")
        assert json.loads(await lines.__anext__())["result"]["rolloutInfo"]["status"] == "Degraded"

        events = await _lines(stage, f"{WEB}/info/watch", {"Accept": "text/event-stream"})
        event = await events.__anext__()
        assert event.startswith(b"data: ")
        assert json.loads(event[6:])["result"]["status"] == "Degraded"


async def test_undo_to_a_revision_that_is_not_there_says_so_and_changes_nothing() -> None:
    async with serving() as stage:
        await paused(stage)
        answer = await stage.ask("PUT", f"{WEB}/undo/9", headers=BEARER)
        assert (answer.status, answer.json["message"]) == (500, "unable to find specified revision 9 in history")
        assert len((await stage.client.list(REPLICA_SETS, "default")).items) == 2


async def _lines(stage: Serving, path: str, headers: dict[str, str]):  # type: ignore[no-untyped-def]
    answer = await stage.http.get(f"http://127.0.0.1:{stage.port}{path}", headers=headers)
    assert answer.status == 200

    async def each():  # type: ignore[no-untyped-def]
        while True:
            async with asyncio.timeout(20):
                line = await answer.content.readline()
            if line.strip():
                yield line

    return each()


async def test_what_is_so_already_is_answered_with_the_rollout_as_it_is() -> None:
    async with serving() as stage:
        await paused(stage)
        answer = await stage.ask("PUT", f"{WEB}/retry", headers=BEARER)
        assert (answer.status, answer.json["metadata"]["name"]) == (200, "web")
        assert "abort" not in (await stage.client.get(ROLLOUTS, "web", "default"))["status"]
