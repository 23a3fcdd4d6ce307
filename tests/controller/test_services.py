"""Services are given back by the running controller, whatever order its own writes and the user's edits are seen in."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.api.names import HASH, MANAGED_BY
from serinus.engine.core.plan import Plan, Snapshot

pytestmark = pytest.mark.looptime(start=0)


def only_sees(seen: Snapshot) -> Plan:
    """A pass whose only result is the generation that it saw."""
    generation = str(seen.rollout.metadata.generation)
    known = seen.rollout.status.observed_generation == generation
    return Plan((), None if known else {"observedGeneration": generation}, "seen")


async def test_a_service_is_given_back_once_the_edit_that_lets_go_of_it_was_seen(play: Any) -> None:
    """The edit arrives before the status that reports it: the controller must act on the second, and only on the second."""
    led = play.service()
    led["metadata"]["annotations"] = {MANAGED_BY: "web"}
    led["spec"]["selector"][HASH] = "blue"
    await play.store.put("services", led)
    await play.store.put("rollouts", play.rollout("blue"))
    play.controller(plan=only_sees)

    def observed() -> bool:
        found = play.store.get("rollouts", "web")
        return found.get("status", {}).get("observedGeneration") == str(found["metadata"]["generation"])

    await play.until(observed)
    edited = play.rollout("blue")
    edited["spec"]["strategy"] = {"canary": {}}
    await play.store.put("rollouts", edited)
    await play.until(lambda: play.store.get("services", "web-svc")["spec"]["selector"] == {"app": "web"}, 30)
    assert MANAGED_BY not in play.store.get("services", "web-svc")["metadata"]["annotations"]
