"""One answer to "why does it wait" everywhere: the command line, both views of the dashboard, the metric, the docs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from serinus.api.meta import Json
from serinus.controller.monitoring.metrics import Metrics
from serinus.dashboard.detail import detail
from serinus.dashboard.rows import row
from serinus.dashboard.trimmed import Sent, keep_rollout
from serinus.engine.core import wait_reasons
from serinus.engine.explain.snapshot_reader import Read, answered, gather
from serinus.engine.explain.why import explain
from serinus.routing.router import GatewayState
from serinus.view.rollout_info import Surroundings, rollout_info
from tests.support.engine.blue_green import blue_green
from tests.support.engine.judged import RUN, judged, say
from tests.support.engine.world import World, release, routed

ROOT = Path(__file__).parents[2]


def gate() -> World:
    world = routed()
    release(world, "green")
    world.settle()
    return world


def without_pods() -> World:
    world = routed(replicas=5)
    release(world, "green")
    world.settle(ready=False)
    return world


def timed() -> World:
    world = routed(steps=[{"setWeight": 50}, {"pause": {"duration": "5m"}}])
    release(world, "green")
    world.settle()
    return world


def at_step(step: Json) -> World:
    world = routed(steps=[{"setWeight": 50}, step, {"pause": {}}])
    release(world, "green")
    world.settle()
    return world


def patched(world: World, patch: Json) -> World:
    world.patch("Rollout", "web", patch)
    world.settle()
    return world


def gateway_behind() -> World:
    world = routed()
    world.gateway = GatewayState(({"web": 100, "web-canary": 0},))
    release(world, "green")
    world.settle()
    return world


def inconclusive() -> World:
    world = judged()
    say(world, RUN, "Inconclusive")
    return world


def invalid() -> World:
    world = routed()
    del world.objects["Service", "web"]
    world.settle()
    return world


def preview() -> World:
    world = blue_green(autoPromotionEnabled=False)
    release(world, "green")
    world.settle()
    return world


EXPERIMENT: Json = {"experiment": {"templates": [{"name": "new", "specRef": "canary"}]}}

SCENES: dict[str, tuple[Callable[[], World], wait_reasons.WaitReason]] = {
    "a pause step": (gate, wait_reasons.PAUSE_STEP),
    "a pause with an end": (timed, wait_reasons.TIMED_PAUSE),
    "pods that are not ready": (without_pods, wait_reasons.PODS),
    "a gateway without the weight yet": (gateway_behind, wait_reasons.UNCONFIRMED),
    "an analysis that runs": (judged, wait_reasons.ANALYSIS),
    "an analysis that could not decide": (inconclusive, wait_reasons.INCONCLUSIVE),
    "an experiment": (lambda: at_step(EXPERIMENT), wait_reasons.EXPERIMENT),
    "a plugin": (lambda: at_step({"plugin": {"name": "org/check"}}), wait_reasons.PLUGIN),
    "paused by hand": (lambda: patched(gate(), {"spec": {"paused": True}}), wait_reasons.PAUSED),
    "aborted": (lambda: patched(gate(), {"status": {"abort": True}}), wait_reasons.ABORTED),
    "a Service that is missing": (invalid, wait_reasons.INVALID),
    "a preview": (preview, wait_reasons.PAUSE_STEP),
    "a restart to come": (
        lambda: patched(gate(), {"spec": {"restartAt": "2030-01-01T00:00:00Z"}}),
        wait_reasons.RESTARTING,
    ),
}


def shown(world: World) -> dict[str, str]:
    """The code that each place has for the Rollout."""
    stored = world.objects["Rollout", "web"]

    def answer(ask: Read) -> list[Any]:
        return [o for (kind, name), o in world.objects.items() if kind == ask.kind and ask.name in ("", name)]

    why = explain(answered(gather(stored, world.now), answer))
    seen = keep_rollout(msgspec.json.decode(msgspec.json.encode(stored), type=Sent)).json()
    line = row(rollout_info(seen, Surroundings()), seen)
    page = detail(seen, Surroundings(), {}, [], why)
    alone = detail(seen, Surroundings(), {}, [])
    metrics = Metrics()
    metrics.waits(("default", "web"), tuple((wait.reason, wait.cause) for wait in world.plan().waits))
    labels = re.findall(r'rollout_waiting\{.*reason="(\w+)".*\} 1', metrics.text().decode())
    return {
        "serinus why": why.reasons[0].code,
        "the list": line["code"],
        "the page": page["why"]["reasons"][0]["code"],
        "the page without rights": alone["why"]["reasons"][0]["code"],
        "the metric": why.reasons[0].code if why.reasons[0].code in labels else f"only {labels}",
    }


@pytest.mark.parametrize(("scene", "reason"), SCENES.values(), ids=list(SCENES))
def test_everybody_who_is_asked_has_the_same_code(scene: Callable[[], World], reason: wait_reasons.WaitReason) -> None:
    codes = shown(scene())
    assert codes == dict.fromkeys(codes, reason.code)


@pytest.mark.parametrize("reason", wait_reasons.ALL, ids=lambda reason: reason.code)
def test_every_code_is_in_the_documentation_with_what_it_means(reason: wait_reasons.WaitReason) -> None:
    page = (ROOT / "docs" / "waiting.md").read_text()
    (line,) = [line for line in page.splitlines() if line.startswith(f"| `{reason.code}` |")]
    by_time = {"none": "no", "duration": "its `duration`"}.get(reason.deadline, f"`{reason.deadline}`")
    cells = [cell.strip() for cell in line.strip("| ").split("|")]
    assert cells[1:] == [reason.meaning, reason.ends, by_time]


def test_the_documentation_has_no_other_codes() -> None:
    page = (ROOT / "docs" / "waiting.md").read_text()
    assert re.findall(r"^\| `(\w+)` \|", page, re.M) == [reason.code for reason in wait_reasons.ALL]


def test_every_reason_that_the_code_gives_is_one_of_these() -> None:
    texts = [file.read_text() for file in (ROOT / "serinus").rglob("*.py")]
    literal = {code for text in texts for code in re.findall(r'\bWait\(\s*"(\w+)"', text)}
    assert literal <= {reason.code for reason in wait_reasons.ALL}
