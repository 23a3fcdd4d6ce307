"""Sends real requests at a steady rate and records which version answered.

The rate is open-loop: a slow answer delays no later request, as with independent visitors. Every request counts. An
answer without status 200 and a colour is a failure.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field

import aiohttp

KEEP = 100_000
"""Answers stored individually (the oldest are dropped first): 8 minutes at 200 a second. The totals continue."""


@dataclass(frozen=True, slots=True)
class TimedAnswer:
    """One answer. `sent` in seconds of the loop's clock; `color` is empty if there was none."""

    sent: float
    color: str
    failure: str = ""
    """The failure's reason; empty for a good answer."""


@dataclass
class DemoTraffic:
    """Sends `GET url` with this Host header, `rate` times a second, until cancelled.

    `fresh`: each request has a connection of its own. A Service chooses a pod for each connection, a gateway for each request.
    """

    url: str
    host: str
    rate: float = 200.0
    fresh: bool = False
    total: int = 0
    failed: int = 0
    failures: Counter[str] = field(default_factory=Counter[str])
    answers: deque[TimedAnswer] = field(default_factory=lambda: deque[TimedAnswer](maxlen=KEEP))
    _open: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        connector = aiohttp.TCPConnector(limit=0, force_close=self.fresh)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=10)) as session:
            due = loop.time()
            try:
                while True:
                    task = loop.create_task(self._ask(session))
                    self._open.add(task)
                    task.add_done_callback(self._open.discard)
                    due += 1 / self.rate
                    await asyncio.sleep(max(0.0, due - loop.time()))
            finally:
                # Open requests are still answered and counted, so that the stop does not look like a failure.
                if self._open:
                    await asyncio.wait(self._open, timeout=10)

    async def _ask(self, session: aiohttp.ClientSession) -> None:
        sent = asyncio.get_running_loop().time()
        color, failure = "", ""
        try:
            async with session.get(self.url, headers={"Host": self.host}) as answer:
                body = await answer.text()
                if answer.status == 200:
                    color = body.strip().strip('"')
                else:
                    failure = f"status {answer.status}"
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            failure = f"{type(error).__name__}: {error}"
        self.note(TimedAnswer(sent, color, failure))

    def note(self, answer: TimedAnswer) -> None:
        self.total += 1
        if answer.failure:
            self.failed += 1
            # The number of kinds is bounded, because a message may contain a changing number.
            if len(self.failures) < 20 or answer.failure in self.failures:
                self.failures[answer.failure] += 1
        self.answers.append(answer)

    def between(self, start: float, end: float) -> Counter[str]:
        """Answers by colour for requests sent in [start, end); failures count as the colour ""."""
        return Counter(answer.color for answer in self.answers if start <= answer.sent < end)


def share(counts: Counter[str], color: str) -> float:
    """The percentage of this colour among the answers that have a colour; 0 if there are none."""
    answered = sum(n for name, n in counts.items() if name)
    return 100 * counts[color] / answered if answered else 0.0
