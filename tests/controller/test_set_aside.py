"""One object that cannot be handled is set aside; all others continue, and it is retried automatically."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from serinus.controller.bounded import TooMuch, bounded
from serinus.controller.set_aside import LONGEST, SHARE, SLOW, SetAside
from serinus.engine.core.plan import Plan, Snapshot
from serinus.kube.transport import Request, Response

Json = dict[str, Any]
KEY = ("a", "web")


def forever() -> None:
    while True:
        pass


def greedy() -> None:
    bytearray(1 << 30)


def deep() -> None:
    deep()


@pytest.mark.parametrize(("work", "said"), [(forever, "0.1 s of CPU time"), (greedy, "64 MiB of memory")])
def test_work_that_takes_too_much_is_ended(work: Callable[[], None], said: str):
    with pytest.raises(TooMuch, match=said):
        bounded(work, seconds=0.1, memory=64 << 20)
    assert bounded(lambda: len(bytearray(80 << 20)))[0] == 80 << 20, "no limit is left over"


def test_work_may_not_catch_its_end():
    def stubborn() -> None:
        while True:
            try:
                forever()
            except Exception:
                continue

    with pytest.raises(TooMuch):
        bounded(stubborn, seconds=0.1)


def test_a_forked_process_gets_limits_from_its_own_memory():
    """It has grown since: its parent's memory limits would end its work at once."""
    program = """
import os, sys
from serinus.controller.bounded import bounded
bounded(int, memory=64 << 20)
if child := os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
grown = bytearray(200 << 20)
bounded(lambda: bytearray(10 << 20), memory=64 << 20)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_what_fails_is_tried_ever_more_rarely_and_a_change_sooner():
    aside, now, waits = SetAside(), 100.0, list[float]()
    for _ in range(14):
        entry = aside.failed(KEY, 1, ValueError("x"), 0.001, now)
        assert aside.until(KEY, 1, now) == entry.until
        waits.append(entry.until - now)
        assert (aside.until(KEY, 2, now) or now) <= now + 1
        now = entry.until
        assert aside.until(KEY, 1, now) is None
    assert waits[:4] == [1, 2, 4, 8]
    assert waits[-1] == LONGEST
    aside.worked(KEY, 1, 0.001, now)
    assert (aside.until(KEY, 1, now), len(aside)) == (None, 0)


def test_what_takes_long_gets_its_share_whoever_changes_it():
    aside = SetAside()
    aside.worked(KEY, 1, SLOW, 100.0)
    assert aside.until(KEY, 1, 101.0) == aside.until(KEY, 2, 101.0) == 100 + SHARE * SLOW
    assert len(aside) == 0, "it is worked on"
    aside.failed(KEY, 2, TooMuch("x"), 2.0, 200.0)
    assert aside.until(KEY, 3, 201.0) == 200 + 2 * SHARE


def test_a_clock_that_is_set_back_does_not_hold_it():
    aside = SetAside()
    aside.failed(KEY, 1, ValueError("x"), 0.0, 10_000.0)
    assert aside.until(KEY, 1, 100.0) is None


def condition(obj: Json) -> Json | None:
    found = [c for c in obj.get("status", {}).get("conditions", []) if c["type"] == "SetAside"]
    return found[0] if found else None


def events(play: Any, name: str = "bad") -> list[Json]:
    return [o for (p, _, _), o in play.store.objects.items() if p == "events" and o["involvedObject"]["name"] == name]


@pytest.mark.looptime(start=0)
@pytest.mark.parametrize("work", [forever, greedy, deep, lambda: [][1]], ids=["time", "memory", "recursion", "error"])
async def test_one_object_does_not_take_the_controller_away_from_the_others(play: Any, work: Callable[[], object]):
    tries = list[float]()

    def plan(seen: Snapshot) -> Plan:
        if seen.rollout.metadata.name == "bad" and seen.rollout.spec.template["image"] == "bad":
            tries.append(seen.now)
            work()
        return play.plan(seen)

    for name in ("bad", "web"):
        await play.store.put("services", play.service(name))
        await play.store.put("rollouts", play.rollout("bad" if name == "bad" else "blue", name))
    controller, task = play.controller(plan=plan)
    await play.until(lambda: play.healthy("web") and condition(play.store.get("rollouts", "bad")), seconds=30)
    status = play.store.get("rollouts", "bad")["status"]
    assert (status["phase"], status["message"].partition(":")[0]) == ("Degraded", "SetAside")
    assert 'rollout_set_aside_objects{kind="Rollout"} 1.0' in controller.metrics.text().decode()
    await play.store.put("rollouts", play.rollout("green", "web"))
    await play.until(lambda: play.healthy("web"), seconds=30)
    at = len(tries)
    await play.until(lambda: len(tries) > at, seconds=60)
    assert len(tries) <= 7, "tried ever more rarely"
    assert [e["reason"] for e in events(play)].count("SetAside") == 1
    await play.store.put("rollouts", play.rollout("mended", "bad"))
    await play.until(lambda: play.healthy("bad"), seconds=60)
    assert 'rollout_set_aside_objects{kind="Rollout"} 0.0' in controller.metrics.text().decode()
    assert not task.done()


KINDS = {"rollouts": "Rollout", "analysisruns": "AnalysisRun", "experiments": "Experiment"}
DEEP = b'{"a":' * 3_000 + b"1" + b"}" * 3_000


@pytest.mark.looptime(start=0)
@pytest.mark.parametrize("plural", KINDS)
async def test_an_object_that_cannot_be_read_is_told_and_hides_no_other(play: Any, plural: str):
    """From the list at the start, and from a watch."""

    async def handler(request: Request) -> Response:
        answer = await play.store(request)
        answer.body = answer.body.replace(b'"DEEP"', DEEP)
        if (inner := answer.stream) is not None:

            async def stream():
                async for piece in inner:
                    yield piece.replace(b'"DEEP"', DEEP)

            answer.stream = stream()
        return answer

    def bad(name: str) -> Json:
        return {
            "metadata": {"name": name, "namespace": "a", "labels": {}},
            "spec": {"template": {"x": "DEEP"}, "metrics": "DEEP"},
        }

    await play.store.put(plural, bad("bad"))
    await play.store.put("services", play.service())
    await play.store.put("rollouts", play.rollout("blue"))
    controller, task = play.controller(handler)
    await play.until(lambda: play.healthy() and events(play), seconds=30)
    await play.store.put(plural, bad("later"))
    await play.store.put("rollouts", play.rollout("green"))
    await play.until(lambda: play.healthy() and events(play, "later"), seconds=30)
    assert "nested more than 128 levels" in events(play)[0]["message"]
    assert f'kind="{KINDS[plural]}"}} 2.0' in controller.metrics.text().decode()
    assert not task.done()
