"""The delivery, in virtual time: order, patience, bounds."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import looptime
import pytest

from serinus.analysis.providers.errors import ProviderError
from serinus.analysis.providers.http.client import HttpResponse
from serinus.notifications.delivery import MOST_WAITING, Delivery, Letter
from serinus.notifications.services.service import ServiceContext
from serinus.notifications.services.slack import SlackOptions
from serinus.notifications.services.webhook import WebhookOptions
from serinus.notifications.texts import Notification


class Clock:
    def now(self) -> float:
        return asyncio.get_running_loop().time()


class Receiver:
    """Answers with `answer`; `seen`: (time, body)."""

    def __init__(self, answer: Callable[[int], int], seconds: float = 0.0) -> None:
        self.seen: list[tuple[float, str]] = []
        self._answer, self._seconds = answer, seconds

    async def request(self, method: str, url: str, *, body: bytes | None = None, **_: Any) -> HttpResponse:
        self.seen.append((Clock().now(), (body or b"").decode()))
        await asyncio.sleep(self._seconds)
        status = self._answer(len(self.seen))
        if not status:
            raise ProviderError(f"{method} x: connection refused")
        return HttpResponse(status, {"retry-after": "7"} if status == 429 else {}, b"said")


class Office:
    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.done: list[str] = []
        self.lost: list[tuple[str, str]] = []
        self.late: list[str] = []
        self.obsolete: list[str] = []

    def service(self, line: tuple[str, str, str]) -> tuple[str, Any, ServiceContext] | str:
        if line[1] == "gone":
            return "notification service 'gone' is not supported"
        if line[1] == "chat":
            return "slack", SlackOptions(api_url="http://host/", token="t"), ServiceContext(self.receiver, Clock().now)
        return "webhook", WebhookOptions(url=f"http://{line[2] or 'host'}/"), ServiceContext(self.receiver, Clock().now)

    def threads(self, letter: Letter) -> Mapping[str, str]:
        return {}

    def delivered(self, letter: Letter, remembered: Mapping[str, str] | None) -> None:
        self.done.append(letter.notification.message)

    def delayed(self, letter: Letter, until: float) -> None:
        self.late.append(letter.notification.message)

    def failed(self, letter: Letter) -> None:
        self.lost.append((letter.notification.message, letter.problem))

    def replaced(self, letter: Letter) -> None:
        self.obsolete.append(letter.notification.message)


def letter(text: str, recipient: str = "", service: str = "hook", topic: str = "") -> Letter:
    return Letter(("ns", service, recipient), Notification(text), ("t",), Clock().now(), None, topic=topic)


def run(work: Coroutine[Any, Any, None]) -> None:
    loop = looptime.new_event_loop(start=0)
    try:
        loop.run_until_complete(work)
    finally:
        loop.close()


def deliver(receiver: Receiver, letters: Callable[[], list[Letter]], seconds: float) -> Office:
    office = Office(receiver)

    async def main() -> None:
        delivery = Delivery(office, Clock())
        task = asyncio.create_task(delivery.run())
        await asyncio.sleep(0)
        for one in letters():
            delivery.submit(one)
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(main())
    return office


def test_quick_repetitions_and_the_order_of_a_destination() -> None:
    receiver = Receiver(lambda n: {1: 500, 2: 503}.get(n, 200))
    office = deliver(receiver, lambda: [letter("a"), letter("b")], 10)
    assert [(round(t, 1), body) for t, body in receiver.seen] == [(0.0, "a"), (1.0, "a"), (3.0, "a"), (3.0, "b")]
    assert (office.done, office.lost, office.late) == (["a", "b"], [], [])


@pytest.mark.parametrize("status", [400, 401, 404, 501])
def test_what_is_refused_is_given_up_at_once(status: int) -> None:
    receiver = Receiver(lambda n: status if n == 1 else 200)
    office = deliver(receiver, lambda: [letter("a"), letter("b")], 10)
    assert office.lost == [("a", f"host answered {status}: said")]
    assert office.done == ["b"]


def test_a_receiver_that_is_down_for_an_hour_loses_nothing() -> None:
    receiver = Receiver(lambda _: 200 if Clock().now() >= 3500 else 0)
    office = deliver(receiver, lambda: [letter("a"), letter("b")], 4000)
    assert (office.done, office.lost) == (["a", "b"], [])
    assert office.late[0] == "a"
    assert len(receiver.seen) < 40


def test_what_cannot_be_delivered_within_an_hour_is_given_up() -> None:
    office = deliver(Receiver(lambda _: 0), lambda: [letter("a")], 5000)
    assert [text for text, _ in office.lost] == ["a"]
    assert "connection refused" in office.lost[0][1]


def test_a_silent_receiver_holds_nobody_else() -> None:
    class Silent(Receiver):
        async def request(self, method: str, url: str, *, body: bytes | None = None, **_: Any) -> HttpResponse:
            if "silent" in url:
                await asyncio.Event().wait()
            return await super().request(method, url, body=body)

    receiver = Silent(lambda _: 200)
    office = deliver(receiver, lambda: [letter(f"s{n}", "silent") for n in range(10)] + [letter("a", "other")], 9)
    assert office.done == ["a"]
    assert receiver.seen[0][0] == 0.0


def test_the_receiver_says_when_to_come_again() -> None:
    receiver = Receiver(lambda n: 429 if n == 1 else 200)
    deliver(receiver, lambda: [letter("a")], 20)
    assert [round(t) for t, _ in receiver.seen] == [0, 7]


def test_retries_of_a_page_of_html_are_bounded() -> None:
    """Slack's 200 without JSON: the delivery tries it for its hour only, and each pause is at least the one before."""

    class Page(Receiver):
        async def request(self, method: str, url: str, *, body: bytes | None = None, **_: Any) -> HttpResponse:
            await super().request(method, url, body=body)
            return HttpResponse(200, {}, b"<html>")

    receiver = Page(lambda _: 200)
    office = deliver(receiver, lambda: [letter("a", service="chat")], 2 * 3600)
    times = [at for at, _ in receiver.seen]
    pauses = [round(after - before, 3) for before, after in itertools.pairwise(times)]
    assert pauses[:4] == [1, 2, 4, 10]
    assert pauses == sorted(pauses)
    assert (len(times) <= 20, times[-1] <= 3600) == (True, True)
    assert office.lost == [("a", "Slack did not answer: a page of HTML came with status 200")]


def test_only_the_newest_message_of_a_topic_waits_for_a_receiver_that_accepts_none() -> None:
    receiver = Receiver(lambda n: 500 if n == 1 else 200)
    office = Office(receiver)

    async def main() -> None:
        delivery = Delivery(office, Clock())
        task = asyncio.create_task(delivery.run())
        await asyncio.sleep(0)
        delivery.submit(letter("a"))
        await asyncio.sleep(0.5)
        for text, topic in (("s1", "s"), ("t1", "t"), ("b", ""), ("s2", "s"), ("s3", "s"), ("b", "")):
            delivery.submit(letter(text, topic=topic))
        await asyncio.sleep(10)
        for text in ("s4", "s5"):  # it accepts messages again
            delivery.submit(letter(text, topic="s"))
        await asyncio.sleep(10)
        assert delivery.waiting_bytes == 0
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(main())
    assert (office.obsolete, office.lost) == (["s1", "s2"], [])
    assert office.done == ["a", "t1", "b", "s3", "b", "s4", "s5"]


def test_a_date_of_retry_after_is_obeyed() -> None:
    class Dated(Receiver):
        async def request(self, method: str, url: str, *, body: bytes | None = None, **_: Any) -> HttpResponse:
            await super().request(method, url, body=body)
            date = {"retry-after": "Thu, 01 Jan 1970 00:00:50 GMT"}
            return HttpResponse(503 if len(self.seen) == 1 else 200, date, b"")

    receiver = Dated(lambda _: 200)
    deliver(receiver, lambda: [letter("a")], 100)
    assert [round(at) for at, _ in receiver.seen] == [0, 50]


def test_a_service_that_is_gone_is_told() -> None:
    office = deliver(Receiver(lambda _: 200), lambda: [letter("a", service="gone")], 1)
    assert office.lost == [("a", "notification service 'gone' is not supported")]


def test_ten_thousand_messages_through_a_slow_receiver() -> None:
    receiver = Receiver(lambda _: 200, seconds=0.05)
    office = deliver(receiver, lambda: [letter(str(n)) for n in range(MOST_WAITING)], 600)
    assert office.done == [str(n) for n in range(MOST_WAITING)]


def test_more_than_may_wait_gives_up_the_oldest() -> None:
    office = deliver(Receiver(lambda _: 200, seconds=1.0), lambda: [letter(str(n)) for n in range(MOST_WAITING + 5)], 3)
    assert [text for text, _ in office.lost] == ["1", "2", "3", "4", "5"]
    assert office.done[:2] == ["0", "6"]
