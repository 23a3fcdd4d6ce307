"""Two users of one dashboard: each sees and does what is his, under his own name."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from typing import Any

import aiohttp
import msgspec
import pytest

from serinus.api.resources import EVENTS, NAMESPACES, ROLLOUTS
from serinus.dashboard import hub, rights, stream
from serinus.dashboard.identity.shown import NOTHING_VISIBLE
from serinus.dashboard.packed import unpacked
from tests.support.dashboard import scenes
from tests.support.dashboard.team_stage import ANA, BEN, DASHBOARD, TeamStage, team, two_users, viewer_of


async def with_rollouts(stage: TeamStage) -> None:
    """shop/web and pay/web, both in a pause."""
    for namespace in ("shop", "pay"):
        await stage.client.create(NAMESPACES, {"metadata": {"name": namespace}})
        made = scenes.rollout()
        await stage.put({**made, "metadata": {**made["metadata"], "namespace": namespace}})
    await stage.ready(2)


async def paused(stage: TeamStage, namespace: str) -> bool:
    return bool((await stage.client.get(ROLLOUTS, "web", namespace))["status"].get("pauseConditions"))


def bearer(token: str) -> dict[str, Any]:
    return {"headers": {"Authorization": f"Bearer {token}"}, "browser": False}


async def test_each_sees_the_rollouts_of_his_namespaces_alone() -> None:
    async with team(guarded=two_users()) as stage:
        await with_rollouts(stage)
        for token, mine, other in ((ANA, "shop", "pay"), (BEN, "pay", "shop")):
            ask = bearer(token)
            assert await stage.rows(**ask) == [f"{mine}/web"]
            assert (await stage.ask("GET", f"/api/ui/v1/rollouts/{mine}/web", **ask)).status == 200
            hidden = await stage.ask("GET", f"/api/ui/v1/rollouts/{other}/web", **ask)
            missing = await stage.ask("GET", f"/api/ui/v1/rollouts/{other}/none", **ask)
            assert (hidden.status, missing.status) == (404, 404)
            assert hidden.text.replace("web", "none") == missing.text, "the answer does not tell whether it exists"
            old = await stage.ask("GET", "/api/v1/namespace", **ask)
            assert old.json["availableNamespaces"] == [mine]
            assert (await stage.ask("GET", f"/api/v1/rollouts/{other}/info", **ask)).json == {}
            assert (await stage.ask("GET", f"/api/v1/rollouts/{other}/web/info", **ask)).status == 500


async def test_a_change_is_made_as_the_user_and_recorded_with_his_name(caplog: pytest.LogCaptureFixture) -> None:
    async with team(guarded=two_users()) as stage:
        await with_rollouts(stage)
        with caplog.at_level(logging.INFO, "serinus.dashboard.audit"):
            answer = await stage.ask("POST", "/api/ui/v1/rollouts/shop/web/promote", **bearer(ANA), json={})
        assert answer.status == 200, answer.text
        assert not await paused(stage, "shop")
        writes = {
            (user, verb, kind) for user, verb, kind, _ in stage.guarded.calls if verb not in ("get", "list", "watch")
        }
        assert writes == {("ana@example.com", "patch", "rollouts/status"), (DASHBOARD, "create", "events")}
        (event,) = (await stage.client.list(EVENTS, "shop")).items
        assert event["message"].endswith(" by ana@example.com")
        line = json.loads(caplog.messages[-1])
        assert (line["user"], line["namespace"], line["name"]) == ("ana@example.com", "shop", "web")
        assert (line["action"], line["status"], line["way"]) == ("promote", 200, "token")
        assert ANA not in caplog.text


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/api/ui/v1/rollouts/{}/web/promote"), ("PUT", "/api/v1/rollouts/{}/web/abort")],
)
@pytest.mark.parametrize("namespace", ["pay", "shop"])
async def test_without_the_right_nothing_changes_and_the_attempt_is_recorded(
    method: str, path: str, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with team(guarded=two_users()) as stage:
        await with_rollouts(stage)
        with caplog.at_level(logging.INFO, "serinus.dashboard.audit"):
            answer = await stage.ask(method, path.format(namespace), **bearer(BEN), json={})
        assert answer.status in (403, 500)
        assert "ben@example.com" in answer.text
        assert await paused(stage, namespace)
        line = json.loads(caplog.messages[-1])
        assert (line["user"], line["namespace"], line["status"]) == ("ben@example.com", namespace, answer.status)
        assert "reason" in line


async def test_actions_without_the_right_are_absent_with_the_reason() -> None:
    async with team(guarded=two_users()) as stage:
        await with_rollouts(stage)
        for token, namespace, hidden in ((ANA, "shop", False), (BEN, "pay", True)):
            page = await stage.ask("GET", f"/api/ui/v1/rollouts/{namespace}/web", **bearer(token))
            (promote,) = [offer for offer in page.json["offers"] if offer["id"] == "promote"]
            assert promote["hidden"] is hidden
            assert ("you may not patch rollouts.argoproj.io/status in namespace pay" in promote["blocked"]) is hidden


async def test_what_a_user_may_not_list_around_a_rollout_is_not_shown() -> None:
    guarded = two_users()
    guarded.grants["ben@example.com"] = (("list", "rollouts", "pay"),)
    async with team(guarded=guarded) as stage:
        await with_rollouts(stage)
        made = await stage.client.get(ROLLOUTS, "web", "pay")
        owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "web", "controller": True}
        pods = {"rollouts-pod-template-hash": "abc"}
        await stage.put(
            {
                "kind": "ReplicaSet",
                "metadata": {
                    "name": "web-abc", "namespace": "pay", "labels": pods,
                    "ownerReferences": [{**owner, "uid": made["metadata"]["uid"]}],
                },
                "spec": {
                    "replicas": 1, "selector": {"matchLabels": pods},
                    "template": {"metadata": {"labels": pods}, "spec": {"containers": [{"name": "c", "image": "secret:1"}]}},
                },
            }
        )  # fmt: skip
        key = ("pay", "web")
        page = stage.service.hub.open()
        while b"secret:1" not in unpacked(stage.service.hub.lines[key]):
            await page.wake.wait()
            page.wake.clear()
        stage.service.hub.close(page)
        assert await stage.rows(**bearer(BEN)) == ["pay/web"]
        for path in ("/api/ui/v1/rollouts", "/api/ui/v1/rollouts/pay/web", "/api/v1/rollouts/pay/info"):
            assert "secret:1" not in (await stage.ask("GET", path, **bearer(BEN))).text
        guarded.grants["ben@example.com"] = viewer_of("*")
        stage.guarded.tokens["ben-with-a-new-token"] = "ben@example.com"
        assert "secret:1" in (await stage.ask("GET", "/api/ui/v1/rollouts", **bearer("ben-with-a-new-token"))).text


async def test_a_user_without_any_namespace_learns_why_the_list_is_empty() -> None:
    guarded = two_users()
    guarded.grants["ben@example.com"] = ()
    async with team(guarded=guarded) as stage:
        await with_rollouts(stage)
        answer = await stage.ask("GET", "/api/ui/v1/rollouts", **bearer(BEN))
        assert answer.json["rows"] == []
        assert (answer.json["state"]["view"], answer.json["state"]["reason"]) == ("forbidden", NOTHING_VISIBLE)


async def test_in_a_cluster_no_view_names_an_option_of_the_command() -> None:
    """If the dashboard's own account may not list Rollouts, another --context is no way out for a user."""
    guarded = two_users()
    guarded.grants[DASHBOARD] = ()
    async with team(guarded=guarded) as stage:
        while stage.service.state()["view"] == "loading":  # noqa: ASYNC110 - nothing tells of a failed first list
            await asyncio.sleep(0)
        state = (await stage.ask("GET", "/api/ui/v1/rollouts", **bearer(BEN))).json["state"]
        assert state["view"] == "forbidden"
        assert "--context" not in state["remedy"]
        assert "serinus install --dashboard" in state["remedy"]


async def test_a_user_without_the_right_does_not_learn_which_namespaces_exist() -> None:
    async with team(guarded=two_users()) as stage:
        await with_rollouts(stage)
        for namespace in ("shop", "none"):
            answer = await stage.ask("GET", f"/api/ui/v1/namespaces/{namespace}", **bearer(BEN))
            assert answer.json["found"] == "unknown"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rights and tokens are read again for each beat, and beats are frequent."""
    monkeypatch.setattr(stream, "BEAT_SECONDS", 0.05)
    for name in ("KEPT_SECONDS", "DENIED_SECONDS"):
        monkeypatch.setattr(rights, name, 0.0)
    monkeypatch.setattr("serinus.dashboard.team.bearer.KEPT_SECONDS", 0.0)


async def event_with(answer: aiohttp.ClientResponse, text: str) -> str:
    """The next event of the stream with this text."""
    while True:
        event = (await answer.content.readuntil(b"\n\n")).decode()
        if text in event:
            return event


@pytest.mark.usefixtures("impatient")
async def test_the_page_of_a_rollout_follows_the_rights_and_holds_nothing_of_the_list() -> None:
    guarded = two_users()
    async with team(guarded=guarded) as stage:
        await with_rollouts(stage)
        url, headers = stage.url + "/api/ui/v1/stream?rollout=pay/web", {"Authorization": f"Bearer {BEN}"}
        async with stage.http.get(url, headers=headers) as answer:
            assert '"name":"web"' in await event_with(answer, "event: rollout")
            guarded.grants["ben@example.com"] = viewer_of("shop")
            assert "data: null" in await event_with(answer, "event: rollout")
            guarded.grants["ben@example.com"] = viewer_of("pay")
            assert '"name":"web"' in await event_with(answer, "event: rollout")
            (page,) = stage.service.hub._pages  # pyright: ignore[reportPrivateUsage]
            assert not page.again


@pytest.mark.usefixtures("impatient")
async def test_an_open_page_follows_the_rights_and_ends_with_the_token() -> None:
    guarded = two_users()
    async with team(guarded=guarded) as stage:
        await with_rollouts(stage)
        headers = {"Authorization": f"Bearer {BEN}"}
        async with stage.http.get(stage.url + "/api/ui/v1/stream", headers=headers) as answer:
            first = await event_with(answer, '"all":true')
            assert '"ns":"pay"' in first
            assert "shop" not in first
            guarded.grants["ben@example.com"] = viewer_of("shop")
            change = await event_with(answer, "event: rows")
            body = msgspec.json.decode(change.partition("data: ")[2])
            assert body["gone"] == ["pay/web"]
            assert [row["ns"] for row in body["rows"]] == ["shop"]
            del guarded.tokens[BEN]
            while await answer.content.readany():
                pass  # until the server ends the stream
        assert (await stage.ask("GET", "/api/ui/v1/stream", **bearer(BEN))).status == 401


async def test_reads_for_the_shared_view_do_not_grow_with_the_users() -> None:
    guarded = two_users()
    async with team(guarded=guarded) as stage:
        await with_rollouts(stage)
        for number in range(20):
            token = f"token-of-user-number-{number}"
            guarded.tokens[token], guarded.grants[f"user-{number}"] = f"user-{number}", viewer_of("shop")
            assert await stage.rows(**bearer(token)) == ["shop/web"]
        assert {user for user, *_ in guarded.calls} == {DASHBOARD}
        assert max(Counter(guarded.calls).values()) == 1, "each kind is listed and watched once for all"


async def test_one_user_does_not_take_all_places_of_open_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "MOST_OF_ONE", 2)
    async with team(guarded=two_users()) as stage:
        await with_rollouts(stage)
        stream_of = stage.url + "/api/ui/v1/stream"
        ana, ben = ({"Authorization": f"Bearer {token}"} for token in (ANA, BEN))
        async with stage.http.get(stream_of, headers=ana) as one, stage.http.get(stream_of, headers=ana) as two:
            assert (one.status, two.status) == (200, 200)
            full = await stage.ask("GET", "/api/ui/v1/stream", **bearer(ANA))
            assert (full.status, full.json["error"]) == (503, "2 of your pages are open already: close one.")
            async with stage.http.get(stream_of, headers=ben) as other:
                assert other.status == 200
