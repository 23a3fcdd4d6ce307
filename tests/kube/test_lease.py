"""Never two leaders; never long without one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any

import pytest

from serinus.api.meta import ObjectMeta
from serinus.kube.client import Client
from serinus.kube.errors import Unavailable
from serinus.kube.lease import Election, Lease, LeaseSettings, LeaseSpec, decide
from serinus.kube.transport import Request, Response
from tests.support.kube.loop_clock import LoopClock

pytestmark = pytest.mark.looptime(start=0)


@pytest.mark.parametrize(
    ("holder", "unchanged", "move"),
    [
        ("me", 0, "renew"),
        ("me", 99, "renew"),
        ("", 0, "take"),
        ("other", 3.9, "wait"),
        ("other", 4, "take"),
        (None, 0, "take"),
    ],
)
def test_a_lease_is_taken_only_when_nobody_renews_it(holder: str | None, unchanged: float, move: str) -> None:
    lease = Lease(ObjectMeta(name="lock"), LeaseSpec(holder_identity=holder, lease_duration_seconds=4))
    assert decide(lease, "me", unchanged) == move
    assert decide(None, "me", unchanged) == "create"


def test_times_that_would_allow_two_leaders_are_refused() -> None:
    with pytest.raises(ValueError, match="must be longer than renew deadline"):
        LeaseSettings("lock", "a", "me", duration=3, renew_deadline=3)


class Api:
    """One Lease. `slow` seconds pass before each answer, after the request is carried out."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.slow: Callable[[], float] = lambda: 0.0
        self.down = False
        self.writes = 0

    async def __call__(self, request: Request) -> Response:
        if self.down:
            raise Unavailable(0, "", "no route")
        answer = self._answer(request)
        await asyncio.sleep(self.slow())
        return answer

    def _answer(self, request: Request) -> Response:
        if request.method == "GET":
            return self._say(200) if self.lease else Response(404, b'{"reason": "NotFound"}')
        body = json.loads(request.body)
        if request.method == "POST" and self.lease:
            return Response(409, b'{"reason": "AlreadyExists"}')
        if self.lease and body["metadata"].get("resourceVersion") != str(self.version):
            return Response(409, b'{"reason": "Conflict"}')
        self.version += 1
        self.writes += 1
        self.lease = {**body, "metadata": {**body["metadata"], "resourceVersion": str(self.version)}}
        return self._say(201)

    def _say(self, status: int) -> Response:
        return Response(status, json.dumps(self.lease).encode())


class Candidates:
    """Several candidates. Fails the test at once when two lead."""

    def __init__(self) -> None:
        self.api = Api()
        self.leading: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.cut: set[str] = set()

    def start(self, name: str) -> None:
        async def lead() -> None:
            self.leading.append(name)
            assert len(self.leading) == 1, self.leading
            try:
                await asyncio.Event().wait()
            finally:
                self.leading.remove(name)

        async def api(request: Request) -> Response:
            if name in self.cut:
                raise Unavailable(0, "", "cut off")
            return await self.api(request)

        election = Election(Client(api), LoopClock(), Random(name), LeaseSettings("lock", "a", name))
        self.tasks[name] = asyncio.create_task(election.run(lead))

    async def until_led_by(self, name: str, seconds: float) -> float:
        start = asyncio.get_running_loop().time()
        async with asyncio.timeout(seconds):
            while self.leading != [name]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return asyncio.get_running_loop().time() - start


@pytest.fixture
async def many() -> AsyncIterator[Candidates]:
    made = Candidates()
    yield made
    for task in made.tasks.values():
        task.cancel()
    await asyncio.gather(*made.tasks.values(), return_exceptions=True)


async def test_one_that_stops_hands_over_at_once(many: Candidates) -> None:
    many.start("one")
    await many.until_led_by("one", 1)
    many.start("two")
    await asyncio.sleep(60)
    assert many.leading == ["one"]
    many.tasks["one"].cancel()
    await many.until_led_by("two", 1)


async def test_one_that_is_killed_is_replaced_within_five_seconds(many: Candidates) -> None:
    many.start("one")
    await many.until_led_by("one", 1)
    many.start("two")
    await asyncio.sleep(7.3)
    many.cut.add("one")  # a kill releases nothing
    many.tasks["one"].cancel()
    assert await many.until_led_by("two", 10) <= 5


async def test_one_that_is_cut_off_stops_before_the_next_one_starts(many: Candidates) -> None:
    """`Candidates` fails when two lead at once."""
    many.start("one")
    await many.until_led_by("one", 1)
    many.start("two")
    await asyncio.sleep(3.3)
    many.cut.add("one")
    await many.until_led_by("two", 10)
    many.cut.clear()
    await asyncio.sleep(60)
    assert many.leading == ["two"]


async def test_a_slow_api_changes_no_leader(many: Candidates) -> None:
    many.start("one")
    await many.until_led_by("one", 1)
    many.start("two")
    many.api.slow = lambda: 1.2
    await asyncio.sleep(120)
    assert many.leading == ["one"]


async def test_an_api_that_was_away_ends_nothing(many: Candidates) -> None:
    many.start("one")
    await many.until_led_by("one", 1)
    many.api.down = True
    await asyncio.sleep(60)
    assert many.leading == [], "it cannot know that nobody else leads"
    many.api.down = False
    await many.until_led_by("one", 10)
    assert not many.tasks["one"].done()


@pytest.mark.parametrize("seed", range(10))
async def test_answers_that_come_too_late_never_make_two_leaders(many: Candidates, seed: int) -> None:
    rng = Random(seed)
    many.api.slow = lambda: rng.choice((0.0, 0.0, 1.0, 2.9, 6.0))
    for name in ("one", "two", "three"):
        many.start(name)
    await asyncio.sleep(600)
    many.api.slow = lambda: 0.0
    await asyncio.sleep(20)
    assert len(many.leading) == 1
    assert not any(task.done() for task in many.tasks.values())


async def test_leading_costs_one_write_a_second(many: Candidates) -> None:
    many.start("one")
    await many.until_led_by("one", 1)
    many.api.writes = 0
    await asyncio.sleep(100)
    assert many.api.writes <= 101
