"""Sends messages beside the work and never in its way: one queue for each destination, in order, bounded, with patience.

A message that a receiver does not take now is tried again with growing pauses until it is `PATIENCE` old; those behind it wait,
so that their order stays. One that the receiver refuses is given up at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from serinus.notifications.services.registry import SERVICES
from serinus.notifications.services.service import SECONDS, Delayed, Job, Reach, Refused
from serinus.notifications.texts import Notification

log = logging.getLogger(__name__)

PATIENCE = 3600.0
"""Seconds after which a message that could not be delivered is given up."""

PAUSES = (10.0, 30.0, 60.0, 120.0, 300.0)
"""Seconds between attempts after the quick ones of the service; the last repeats."""

MOST_WAITING = 10_000
"""Messages of one destination that wait; beyond, the oldest is given up."""

MOST_BYTES = 64 * 1024 * 1024
"""Of all messages that wait."""

AT_ONCE = 100
"""Attempts at one moment, over all destinations."""

Line = tuple[str, str, str]
"""(namespace of the configuration, service, recipient)."""


@dataclass(slots=True)
class Letter:
    """One message on its way. `at`: when it became due, in seconds since the epoch. `about`: what only the sender reads."""

    line: Line
    notification: Notification
    names: tuple[str, ...]
    at: float
    about: Any
    attempts: int = 0
    problem: str = ""
    size: int = field(default=0)

    def __post_init__(self) -> None:
        self.size = 500 + len(self.notification.message) * 2 + len(repr(self.notification.section))


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since the epoch."""
        ...


class Office(Protocol):
    """Who knows the services and wants to know what became of messages."""

    def service(self, line: Line) -> tuple[str, Any, Reach] | str:
        """(type, options, what it may use) as they are now, or why there is none."""
        ...

    def threads(self, letter: Letter) -> Mapping[str, str]: ...

    def delivered(self, letter: Letter, remembered: Mapping[str, str] | None) -> None: ...

    def delayed(self, letter: Letter, until: float) -> None:
        """Not taken yet, after all quick attempts."""
        ...

    def failed(self, letter: Letter) -> None:
        """Given up."""
        ...


class Delivery:
    """`submit` returns at once; `run` sends until cancelled. What waits then stays, for the next `run`."""

    def __init__(self, office: Office, clock: Clock) -> None:
        self._office, self._clock = office, clock
        self._lines: dict[Line, deque[Letter]] = {}
        self._workers: dict[Line, asyncio.Task[None]] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._bytes = 0

    def submit(self, letter: Letter) -> None:
        line = self._lines.setdefault(letter.line, deque())
        line.append(letter)
        self._bytes += letter.size
        while len(line) > MOST_WAITING or (self._bytes > MOST_BYTES and len(line) > 1):
            # The first may be under way.
            oldest = line[1]
            del line[1]
            self._bytes -= oldest.size
            oldest.problem = oldest.problem or "too many messages wait for this receiver"
            self._office.failed(oldest)
        self._start(letter.line)

    def waiting(self) -> list[Letter]:
        """Those on their way, the order of each destination kept."""
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
        """Forgets what waits: somebody else sends it."""
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
        """Returns when the letter is delivered or given up."""
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
        found = self._office.service(letter.line)
        quick: tuple[float, ...] = () if isinstance(found, str) else SERVICES[found[0]].quick_retries(found[1])
        after = letter.attempts - 1
        if after < len(quick):
            return max(quick[after], asked), True
        return max(PAUSES[min(after - len(quick), len(PAUSES) - 1)], asked), False

    async def _attempt(self, letter: Letter) -> float | None:
        """None when the letter is done with; otherwise seconds that the receiver asks to wait."""
        found = self._office.service(letter.line)
        if isinstance(found, str):
            letter.problem = found
            self._office.failed(letter)
            return None
        kind, options, reach = found
        job = Job(
            letter.line[1],
            letter.line[2],
            letter.notification.message,
            letter.notification.section,
            reach,
            letter.names,
            self._office.threads(letter),
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
            # A fault of ours must end neither the queue nor the controller.
            log.exception("sending through the service %s failed", letter.line[1])
            letter.problem = f"{type(error).__name__} in Serinus"
        else:
            self._office.delivered(letter, remembered)
            return None
        self._office.failed(letter)
        return None
