"""Changes act on the state that the user saw, whatever the controller writes in between."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from serinus.api.resources import DEPLOYMENTS, EVENTS, ROLLOUTS
from serinus.dashboard.commands import ACTIONS, Changes, MovedOn, Refused, Seen, shown_state
from serinus.kube.change_event import person
from serinus.kube.client import Client
from serinus.kube.transport import Request, Response
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.storage.store import MemoryStore
from serinus.local.schema.kinds import Schemas
from tests.support.dashboard import scenes
from tests.support.dashboard.dashboard_stage import put
from tests.support.kube.loop_clock import LoopClock

pytestmark = pytest.mark.looptime(start=0)

Json = dict[str, Any]


class Contested:
    """An API server on which another client writes a Rollout just before each of the first `times` writes of ours.

    `patch`: the fields that the other write sets in the status, beside a number.
    """

    def __init__(self, api: ApiServer, patch: Json, times: int) -> None:
        self._api, self._patch, self.left = api, patch, times
        self.forbidden = ""
        """The end of a path that is refused."""
        self.only_spec = False
        """Whether only our writes of the object itself are contested, not those of its status."""
        self._other = Client(api.handle, user_agent="controller")

    async def handle(self, request: Request) -> Response:
        if self.forbidden and request.path.endswith(self.forbidden):
            return Response(403, body=b"{}")
        if request.method == "PATCH" and self.left and not (self.only_spec and request.path.endswith("/status")):
            self.left -= 1
            patch = {"status": {"readyReplicas": 10 + self.left, **self._patch}}
            await self._other.patch(ROLLOUTS, "web", patch, "default", subresource="status")
        return await self._api.handle(request)


async def world(patch: Json, times: int = 1) -> tuple[Client, Changes, Contested]:
    api = ApiServer(MemoryStore(), Schemas(), LoopClock(), rng=random.Random(1))
    await api.start()
    contested = Contested(api, patch, times)
    changes = Changes(Client(contested.handle, user_agent="serinus-dashboard"), LoopClock())
    return Client(api.handle, user_agent="test"), changes, contested


def as_seen(rollout: Json) -> Seen:
    return Seen(**shown_state(rollout))


async def test_a_write_in_between_that_changes_nothing_that_matters_is_no_obstacle() -> None:
    client, changes, contested = await world({}, times=3)
    made = await put(client, scenes.rollout())
    await changes.act("default", "web", "promote", as_seen(made))
    assert not contested.left
    status = (await client.get(ROLLOUTS, "web", "default"))["status"]
    assert not status.get("pauseConditions")
    assert status["currentStepIndex"] == 1, "the pause ended; the step is the controller's to complete"


async def test_a_promotion_that_somebody_else_made_just_before_is_not_made_twice() -> None:
    client, changes, _ = await world({"pauseConditions": None, "currentStepIndex": 2})
    made = await put(client, scenes.rollout())
    with pytest.raises(MovedOn, match="web is in step 3 by now"):
        await changes.act("default", "web", "promote", as_seen(made))
    assert (await client.get(ROLLOUTS, "web", "default"))["status"]["currentStepIndex"] == 2


@pytest.mark.parametrize("action", ["promote", "promote-full", "abort", "retry", "restart", "pause"])
async def test_no_action_is_taken_on_a_version_that_nobody_saw(action: str) -> None:
    client, changes, _ = await world({"currentPodHash": "newer"})
    made = await put(client, scenes.aborted() if action == "retry" else scenes.rollout())
    with pytest.raises(MovedOn, match="another version"):
        await changes.act("default", "web", action, as_seen(made))


async def test_a_paused_spec_and_a_pause_end_together_and_once() -> None:
    """The second write follows the first without another read: that would skip one more step."""
    client, changes, contested = await world({})
    contested.only_spec = True
    await put(client, scenes.rollout(spec={"paused": True}))
    await changes.act("default", "web", "promote", Seen())
    assert not contested.left
    found = await client.get(ROLLOUTS, "web", "default")
    assert found["spec"]["paused"] is False
    assert found["status"]["currentStepIndex"] == 1
    assert not found["status"].get("pauseConditions")


async def test_the_image_of_a_referenced_deployment_is_changed_there() -> None:
    client, changes, _ = await world({}, times=0)
    made = scenes.rollout(spec={"workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "base"}})
    template, selector = made["spec"].pop("template"), made["spec"]["selector"]
    await put(client, made)
    deployment = {
        "kind": "Deployment",
        "metadata": {"name": "base"},
        "spec": {"selector": selector, "template": template},
    }
    await put(client, deployment)
    await changes.set_image("default", "web", "web", "web:3", Seen())
    found = await client.get(DEPLOYMENTS, "base", "default")
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "web:3"


async def test_a_container_that_is_not_there_is_told_with_those_that_are() -> None:
    client, changes, _ = await world({}, times=0)
    await put(client, scenes.rollout())
    with pytest.raises(Refused, match='unable to find container named "wbe": there are web'):
        await changes.set_image("default", "web", "wbe", "web:3", Seen())


async def test_a_change_is_told_with_who_made_it() -> None:
    client, changes, _ = await world({}, times=0)
    await put(client, scenes.rollout())
    for action in ACTIONS:
        await changes.act("default", "web", action, Seen())
        await asyncio.sleep(1)  # virtual: each has its own moment
    await changes.set_image("default", "web", "web", "web:3", Seen())
    events = (await client.list(EVENTS, "default")).items
    assert [event["reason"] for event in events] == [
        "Promote",
        "PromoteFull",
        "Abort",
        "Retry",
        "Restart",
        "Pause",
        "SetImage",
    ]
    assert {event["source"]["component"] for event in events} == {"serinus-dashboard"}
    assert all(event["message"] == f"{event['reason']} of revision none by {person()}" for event in events)
    assert {event["involvedObject"]["name"] for event in events} == {"web"}


async def test_whoever_may_not_write_events_can_change_all_the_same() -> None:
    client, changes, contested = await world({}, times=0)
    await put(client, scenes.rollout())
    contested.forbidden = "/events"
    await changes.act("default", "web", "abort", Seen())
    assert (await client.get(ROLLOUTS, "web", "default"))["status"]["abort"] is True


@pytest.mark.parametrize(
    ("made", "action", "said"),
    [
        (scenes.healthy(), "promote", "no update is under way"),
        (scenes.healthy(), "promote-full", "no update is under way"),
        (scenes.healthy(), "abort", "no update is under way"),
        (scenes.rollout(), "retry", "it is not aborted"),
        (scenes.aborted(), "promote", "it is aborted"),
        (scenes.rollout(spec={"paused": True}), "pause", "it is paused already"),
    ],
)
async def test_an_action_without_an_effect_says_so(made: Json, action: str, said: str) -> None:
    client, changes, _ = await world({}, times=0)
    before = await put(client, made)
    with pytest.raises(Refused, match=f"web was not changed: {said}"):
        await changes.act("default", "web", action, as_seen(before))
    assert await client.get(ROLLOUTS, "web", "default") == before
