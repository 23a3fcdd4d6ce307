"""A monitoring system that answers at once and records the time of each query: `monitoring.py` prints its URL.

GET /asked?run=R&metric=M   {"successRate": 0.99, "requests": 1000}
GET /counts?run=R&metric=M  {"canary": {"requests": 15 to 25, "errors": 0 or 1},
                             "stable": {"requests": 160 to 200, "errors": 0 to 4}}
GET /late?interval=S        how much longer than S the intervals between two queries of a metric were, since the last /late
"""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections import defaultdict
from itertools import pairwise
from random import Random
from urllib.parse import parse_qs

from serinus.demo.http11 import DemoResponse, DemoServer

ANSWER = json.dumps({"successRate": 0.99, "requests": 1000}).encode()


class Asked:
    def __init__(self) -> None:
        self.times: dict[str, list[float]] = defaultdict(list)
        self.chance = Random(1)

    def respond(self, method: str, path: str, body: bytes) -> DemoResponse:
        where, _, query = path.partition("?")
        if where == "/asked":
            self.times[query].append(time.monotonic())
            return DemoResponse(200, ANSWER)
        if where == "/counts":
            self.times[query].append(time.monotonic())
            bad, other = self.chance.random() < 0.2, self.chance.randrange(5)
            traffic = 15 + self.chance.randrange(11), 160 + self.chance.randrange(41)
            look = {
                "canary": {"requests": traffic[0], "errors": int(bad)},
                "stable": {"requests": traffic[1], "errors": other},
            }
            return DemoResponse(200, json.dumps(look).encode())
        late = self._late(float(parse_qs(query)["interval"][0]))
        return DemoResponse(200, json.dumps(late).encode())

    def _late(self, interval: float) -> dict[str, float]:
        found: list[float] = []
        count = 0
        for series in self.times.values():
            count += len(series)
            found += [later - earlier - interval for earlier, later in pairwise(series)]
            del series[:-1]
        found.sort()
        if not found:
            return {"asked": count}
        at = {f"p{p}_ms": round(1000 * found[min(len(found) - 1, len(found) * p // 100)], 1) for p in (50, 95, 99)}
        return {"asked": count, "series": len(self.times), **at, "most_ms": round(1000 * found[-1], 1)}


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    asked = Asked()
    await DemoServer(host="127.0.0.1", port=0, respond=asked.respond, name="monitoring").run(stop)


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
