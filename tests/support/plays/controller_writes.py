"""The writes of our controller in a play."""

from __future__ import annotations

from serinus.api.messages.event_reasons import never_dropped
from tests.support.plays.player import play
from tests.support.plays.recordings import scenario
from tests.support.plays.stage import Write


def without_kept_events(writes: list[Write]) -> list[Write]:
    found = {
        write.body["metadata"]["name"]: write.body for write in writes if write.is_event and write.method == "POST"
    }
    return [
        write
        for write in writes
        if not write.is_event
        or not (event := found.get(write.path.rpartition("/")[2], write.body))
        or not never_dropped(event["reason"], event["type"])
    ]


def abort_with_a_delay_of_30_seconds() -> list[Write]:
    """Our controller's writes from the abort until everything is over."""
    what = scenario("nginx-abort-delay")
    what["objects"] = what["objects"].replace("abortScaleDownDelaySeconds: 3", "abortScaleDownDelaySeconds: 30")
    done = play("an abort with a delay of 30 s", {**what, "settle": 35})
    told = next(line["t"] for line in done.trace if line.get("do") == "kubectl argo rollouts abort web")
    gone = [line for line in done.trace if line.get("replicas") == 0 and line["t"] > told + 30]
    assert gone, "the aborted version goes after its delay"
    return [write for write in done.writes if write.t >= told]
