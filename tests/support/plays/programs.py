"""The containers of a play, in virtual time: those of a Rollout listen, those of a Job end as their command says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from serinus.api.meta import Json
from serinus.kube.clock import Clock
from serinus.local.node.containers.runtime import Launch
from serinus.local.node.images import ImageProgram, ImageRule
from tests.support.local.fake_node import FakeProgram, FakeRuntime

READY_AFTER = (1.47, 1.53)
"""Seconds from the start of a container until it listens, between these: pods are ready 1.5 s after they appear, as in
the recordings, and never two at the very same moment."""
KNOWN_TAGS = ("blue", "green", "yellow", "red", "orange", "purple")
"""Of the demo image; all other tags do not exist."""
DEMO_IMAGE = "argoproj/rollouts-demo:"
SCRIPT = re.compile(r"sleep (?P<seconds>\d+)(; exit (?P<code>\d+))?")
"""The scripts of the plays' Jobs."""


class Programs(FakeRuntime):
    def __init__(self, clock: Clock, rng: Random) -> None:
        super().__init__(clock, self._listens)
        self._rng = rng

    def _listens(self, image: str, attempt: int) -> FakeProgram:
        listens_after = self._rng.uniform(*READY_AFTER)
        return FakeProgram(listens_after=listens_after, missing=_missing(image))

    async def program(self, container: Json, rules: Sequence[ImageRule], namespace: str) -> ImageProgram:
        found = await super().program(container, rules, namespace)
        return replace(found, command=tuple(container.get("command") or found.command))

    def does(self, launch: Launch) -> FakeProgram:
        if launch.argv[-1] == "true":
            return FakeProgram(runs_for=0.1)
        script = SCRIPT.fullmatch(launch.argv[-1])
        if script is None:
            return super().does(launch)
        return FakeProgram(runs_for=float(script["seconds"]), exit_code=int(script["code"] or 0))


def _missing(image: str) -> bool:
    return image.startswith(DEMO_IMAGE) and image.removeprefix(DEMO_IMAGE) not in KNOWN_TAGS
