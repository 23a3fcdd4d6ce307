"""Sends messages in the background: one bounded, ordered queue for each destination, with retries.

A message that a receiver does not accept now is retried with growing pauses until it is `PATIENCE` old. The messages
behind it wait, so their order stays. A message that the receiver refuses is dropped at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

from serinus.notifications.services.registry import SERVICES
from serinus.notifications.services.service import SECONDS, Delayed, Refused, SendRequest, ServiceContext
from serinus.notifications.texts import Notification

log = logging.getLogger(__name__)

PATIENCE = 3600.0
"""Seconds after which an undelivered message is dropped."""

PAUSES = (10.0, 30.0, 60.0, 120.0, 300.0)
"""Seconds between attempts after the quick ones of the service; the last repeats."""

MOST_WAITING = 10_000
"""Most waiting messages of one destination. Beyond that the oldest is dropped."""

MOST_BYTES = 64 * 1024 * 1024
"""Most bytes of all waiting messages."""

AT_ONCE = 100
"""Most concurrent attempts, over all destinations."""

MARGIN = 0.5
"""Seconds by which a request ends before its attempt, so that the status of an endless response still counts."""

Line = tuple[str, str, str]
"""(namespace of the configuration, service, recipient)."""


@dataclass(slots=True, eq=False)
class Letter:
    """One queued message. `at`: when it became due, in seconds since the epoch. `about`: data of the sender."""

    line: Line
    notification: Notification
    names: tuple[str, ...]
    at: float
    about: Any
    attempts: int = 0
    problem: str = ""
    size: int = field(default=0)
    done: dict[str, str] = field(default_factory=dict[str, str])
    """`SendRequest.done`."""
    topic: str = ""
    """While the receiver accepts none, only the newest waiting message of a topic stays. "" for all of them."""

    def __post_init__(self) -> None:
        self.size = 500 + len(self.notification.message) * 2 + len(repr(self.notification.section))


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since the epoch."""
        ...


class Office(Protocol):
    """The owner of the services. It receives the result of each message."""

    def service(self, line: Line) -> tuple[str, Any, ServiceContext] | str:
        """The current (type, options, context), or why there is none."""
        ...

    def threads(self, letter: Letter) -> Mapping[str, str]: ...

    def delivered(self, letter: Letter, remembered: Mapping[str, str] | None) -> None: ...

    def delayed(self, letter: Letter, until: float) -> None:
        """The message was not accepted yet, after all quick attempts."""
        ...

    def failed(self, letter: Letter) -> None:
        """The message was dropped."""
        ...

    def replaced(self, letter: Letter) -> None:
        """A newer message of the same topic has taken the place of this one."""
        ...


class Delivery:
    """`submit` returns at once; `run` sends until cancelled. Waiting messages stay for the next `run`."""

    def __init__(self, office: Office, clock: Clock) -> None:
        self._office, self._clock = office, clock
        self._lines: dict[Line, deque[Letter]] = {}
        self._workers: dict[Line, asyncio.Task[None]] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._bytes = 0

    def submit(self, letter: Letter) -> None:
        line = self._lines.setdefault(letter.line, deque())
        self._replace(line, letter)
        line.append(letter)
        self._bytes += letter.size
        while len(line) > MOST_WAITING or (self._bytes > MOST_BYTES and len(line) > 1):
            # The first may be in transmission.
            oldest = line[1]
            del line[1]
            self._bytes -= oldest.size
            oldest.problem = oldest.problem or "too many messages wait for this receiver"
            self._office.failed(oldest)
        self._start(letter.line)

    def _replace(self, line: deque[Letter], newer: Letter) -> None:
        """Drops the waiting message of the same topic. The first may be in transmission."""
        if not newer.topic or not line or not line[0].problem:
            return
        old = next((one for one in islice(line, 1, None) if one.topic == newer.topic), None)
        if old is not None:
            line.remove(old)
            self._bytes -= old.size
            self._office.replaced(old)

    def waiting(self) -> list[Letter]:
        """The queued messages, in the order of each destination."""
        return [letter for line in self._lines.values() for letter in line]

    @property
    def waiting_bytes(self) -> int:
        return self._bytes

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                for line in list(self._lines):
                    self._start(line)
                await asyncio.Event().wait()
            finally:
                self._tasks = None
                self._workers.clear()

    def clear(self) -> None:
        """Drop all waiting messages: another controller sends them."""
        self._lines.clear()
        self._bytes = 0

    def _start(self, line: Line) -> None:
        if self._tasks is not None and line not in self._workers:
            self._workers[line] = self._tasks.create_task(self._work(line))

    async def _work(self, line: Line) -> None:
        queue = self._lines[line]
        try:
            while queue:
                letter = queue[0]
                await self._deliver(letter)
                if queue and queue[0] is letter:
                    queue.popleft()
                    self._bytes -= letter.size
        finally:
            self._workers.pop(line, None)
            if not queue and self._lines.get(line) is queue:
                del self._lines[line]

    async def _deliver(self, letter: Letter) -> None:
        """Send the letter until it is delivered or dropped."""
        while True:
            outcome = await self._attempt(letter)
            if outcome is None:
                return
            pause, is_quick = self._pause(letter, outcome)
            if self._clock.now() + pause > letter.at + PATIENCE:
                self._office.failed(letter)
                return
            if not is_quick:
                self._office.delayed(letter, letter.at + PATIENCE)
            await asyncio.sleep(pause)

    def _pause(self, letter: Letter, asked: float) -> tuple[float, bool]:
        service = self._office.service(letter.line)
        quick: tuple[float, ...] = () if isinstance(service, str) else SERVICES[service[0]].quick_retries(service[1])
        after = letter.attempts - 1
        if after < len(quick):
            return max(quick[after], asked), True
        return max(PAUSES[min(after - len(quick), len(PAUSES) - 1)], asked), False

    async def _attempt(self, letter: Letter) -> float | None:
        """None if the letter is finished; otherwise the seconds that the receiver requests."""
        service = self._office.service(letter.line)
        if isinstance(service, str):
            letter.problem = service
            self._office.failed(letter)
            return None
        kind, options, reach = service
        job = SendRequest(
            letter.line[1],
            letter.line[2],
            letter.notification.message,
            letter.notification.section,
            reach,
            letter.names,
            self._office.threads(letter),
            letter.done,
            asyncio.get_running_loop().time() + SECONDS - MARGIN,
        )
        letter.attempts += 1
        try:
            async with self._slots, asyncio.timeout(SECONDS):
                remembered = await SERVICES[kind].send(options, job)
        except TimeoutError:
            letter.problem = f"no answer within {SECONDS:g} s"
            return 0.0
        except Delayed as error:
            letter.problem = str(error)
            return error.after or 0.0
        except Refused as error:
            letter.problem = str(error)
        except Exception as error:
            # A bug here must end neither the queue nor the controller.
            log.exception("sending through the service %s failed", letter.line[1])
            letter.problem = f"{type(error).__name__} in Serinus"
        else:
            self._office.delivered(letter, remembered)
            return None
        self._office.failed(letter)
        return None
