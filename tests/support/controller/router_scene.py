"""A recorded play's objects on a stage, for tests of the controller with a router."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import yaml

from serinus.api.resources import NAMESPACES, ROLLOUTS
from tests.support.plays.kubectl import Kubectl
from tests.support.plays.recordings import scenario
from tests.support.plays.stage import Stage

Json = dict[str, Any]
SPACE = "the-play"


class Scene:
    """A recorded play's objects, applied by a user, and the Rollout as it is."""

    def __init__(self, stage: Stage, play: str) -> None:
        self.stage, self.kubectl = stage, Kubectl(stage.client, SPACE, stage.kinds)
        self.objects: list[Json] = [each for each in yaml.safe_load_all(scenario(play)["objects"]) if each]

    async def apply(self, *without: str) -> None:
        await self.stage.client.create(NAMESPACES, {"metadata": {"name": SPACE}})
        await self.kubectl.apply([each for each in self.objects if each["kind"] not in without])

    async def until(self, holds: Callable[[Json], bool], seconds: float = 90) -> Json:
        """The Rollout's status as soon as it holds."""
        loop = asyncio.get_running_loop()
        end, status = loop.time() + seconds, {}
        while loop.time() < end:
            status = (await self.stage.client.get(ROLLOUTS, "web", SPACE)).get("status") or {}
            if holds(status):
                return status
            await asyncio.sleep(0.5)
        raise AssertionError(f"not within {seconds} s: {status}")


def healthy(status: Json) -> bool:
    return status.get("phase") == "Healthy" and not says("", "InvalidSpec")(status)


def says(text: str, type_: str = "InvalidSpec") -> Callable[[Json], bool]:
    return lambda status: any(c["type"] == type_ and text in c["message"] for c in status.get("conditions") or [])


def weight(status: Json) -> Any:
    return ((status.get("canary") or {}).get("weights") or {}).get("canary", {}).get("weight")
