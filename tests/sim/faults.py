"""Faults between a controller and the API: a list of episodes, each with a beginning, a length and a rate.

An episode is data, with a seed of its own: leaving one out does not change what the others do, so that a history can be
shrunk. Kinds of episodes:

    slow            the answer comes late                          refused   429, Retry-After 1; nothing was done
    failed          500; nothing was done                          conflict  409 for a write with a version; nothing was done
    lost            no answer; nothing was done                    unheard   carried out, but no answer
    late            events of one kind arrive late                 deaf      no event of one kind for the whole episode
    broken          a watch ends in the middle                     expired   410 in place of a watch, and in a running one
    repeated        an event arrives twice                         away      nothing gets through in either direction
    denied          a write is refused for good (422 or 403), as by a policy or a quota; nothing was done
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from random import Random

import msgspec

from serinus.kube.errors import Unavailable
from serinus.kube.transport import Request, Response
from tests.sim.loop import Loop
from tests.sim.store import Store, Watch, parsed, refused

KINDS = ("slow", "refused", "failed", "conflict", "lost", "unheard", "late", "deaf", "broken", "expired", "repeated", "away")  # fmt: skip
WATCHED = ("rollouts", "replicasets", "pods", "services", "ingresses")
WAY = (0.001, 0.02)
"""Seconds that a request is under way to the API, and the answer to a write back."""

GONE_LINE = b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}\n'


class Episode(msgspec.Struct, frozen=True, omit_defaults=True):
    """`at`, `length`, `delay` in seconds; `rate` 0 to 1 of requests or events; `plural`: the one kind it strikes, "" for all.

    `only`: the controller it strikes (0, 1); None for all.
    """

    kind: str
    at: float
    length: float
    rate: float
    delay: float = 0.0
    plural: str = ""
    only: int | None = None


class Weather:
    """All episodes of a history, and how often each kind struck."""

    def __init__(self, loop: Loop, episodes: tuple[Episode, ...], seed: int) -> None:
        self.loop = loop
        self.struck: Counter[str] = Counter()
        self._by_kind: dict[str, list[tuple[Episode, Random]]] = {}
        for episode in episodes:
            # Not by its place in the list, which changes when others are left out.
            rng = Random(f"{seed} {episode}")
            self._by_kind.setdefault(episode.kind, []).append((episode, rng))
        self.over = max((e.at + e.length for e in episodes), default=0.0)

    def strikes(self, kind: str, plural: str, who: int) -> Episode | None:
        found = self._by_kind.get(kind)
        if found is None:
            return None
        now = self.loop.at
        for episode, rng in found:
            if (
                episode.at <= now < episode.at + episode.length
                and episode.plural in ("", plural)
                and episode.only in (None, who)
                and rng.random() < episode.rate
            ):
                self.struck[kind] += 1
                return episode
        return None

    def lasts(self, kind: str, plural: str, who: int) -> float:
        """Seconds until an active episode without chance ends; 0 when there is none."""
        found, left = self._by_kind.get(kind), 0.0
        if found is None:
            return left
        now = self.loop.at
        for e, _ in found:
            if e.at <= now < e.at + e.length and e.plural in ("", plural) and e.only in (None, who):
                left = max(left, e.at + e.length - now)
        return left


@dataclass(slots=True)
class Limit:
    """Kills a controller at its nth write: before it is carried out, or after (and before its answer arrives)."""

    write: int
    after: bool


class Wire:
    """The handler of one controller: the store behind the weather. Once `dead`, no request gets through."""

    def __init__(self, store: Store, weather: Weather, who: int, kill: Limit | None = None) -> None:
        self.store, self.weather, self.who, self.kill = store, weather, who, kill
        self.dead = False
        self._rng = Random(f"{store.loop.at} {who}")
        self.writes = 0
        self.requests: Counter[str] = Counter()
        self.last_work = 0.0
        """When the last request was sent that was neither a watch nor a lease."""
        self.on_kill = lambda: None
        self.no_work = {"leases"}
        """Kinds whose requests do not count as work."""
        self._streams: list[_Stream] = []

    async def __call__(self, request: Request) -> Response:
        if self.dead:
            raise asyncio.CancelledError
        plural = parsed(request.path)[0]
        watching = request.query.get("watch") == "true"
        if not watching and plural not in self.no_work:
            self.last_work = self.store.loop.at
            self.requests[f"{request.method} {plural}"] += 1
        await asyncio.sleep(self._rng.uniform(*WAY))
        if self.dead:
            raise asyncio.CancelledError
        fault = await self._before(request, plural, watching)
        if fault is not None:
            return fault
        if watching:
            return await self._watched(request, plural)
        if request.method == "GET":
            return await self.store.handle(request, self.name)
        return await self._write(request, plural)

    @property
    def name(self) -> str:
        return f"controller-{self.who}"

    async def _before(self, request: Request, plural: str, watching: bool) -> Response | None:
        weather, who = self.weather, self.who
        if slow := weather.strikes("slow", plural, who):
            await asyncio.sleep(slow.delay)
        if weather.lasts("away", plural, who):
            weather.struck["away"] += 1
            await asyncio.sleep(0.5)
            raise Unavailable(0, "", "no connection")
        if weather.strikes("lost", plural, who):
            raise Unavailable(0, "", "connection reset before the request arrived")
        if weather.strikes("refused", plural, who):
            return refused(429, "TooManyRequests", "too many requests", {"retry-after": "1"})
        if weather.strikes("failed", plural, who):
            return refused(500, "InternalError", "internal error")
        if request.method in ("POST", "PATCH") and weather.strikes("denied", plural, who):
            if self._rng.random() < 0.5:
                return refused(403, "Forbidden", f"admission webhook denied the request: {plural} are frozen")
            return refused(422, "Invalid", f"{plural} is invalid: spec: Invalid value: not as a policy wants it")
        if not watching and b'"resourceVersion"' in request.body and weather.strikes("conflict", plural, who):
            return refused(409, "Conflict", "the object has been modified")
        return None

    async def _write(self, request: Request, plural: str) -> Response:
        counted = plural not in ("events", "leases")
        self.writes += counted
        here = self.kill is not None and counted and self.writes == self.kill.write
        if here and self.kill and not self.kill.after:
            self.on_kill()
            raise asyncio.CancelledError
        answer = await self.store.handle(request, self.name)
        if here:
            self.on_kill()
            raise asyncio.CancelledError
        if answer.status < 300 and self.weather.strikes("unheard", plural, self.who):
            raise Unavailable(0, "", "connection reset before the answer arrived")
        await asyncio.sleep(self._rng.uniform(*WAY))
        return answer

    async def _watched(self, request: Request, plural: str) -> Response:
        if self.weather.strikes("expired", plural, self.who):
            return refused(410, "Expired", "too old resource version")
        answer = await self.store.handle(request, self.name)
        if isinstance(answer.stream, Watch):
            self._streams[:] = [s for s in self._streams if not s.watch.ended]
            answer.stream = stream = _Stream(self, plural, answer.stream)
            self._streams.append(stream)
        return answer

    def die(self) -> None:
        """No request gets through any more, and the API drops its watches."""
        self.dead = True
        for stream in self._streams:
            stream.watch.end()


class _Stream:
    """A watch as the client gets it."""

    def __init__(self, wire: Wire, plural: str, watch: Watch) -> None:
        self.wire, self.plural, self.watch = wire, plural, watch
        self._again: bytes | None = None

    def __aiter__(self) -> _Stream:
        return self

    async def __anext__(self) -> bytes:
        if self._again is not None:
            line, self._again = self._again, None
            return line
        weather, plural, who = self.wire.weather, self.plural, self.wire.who
        try:
            line = await self.watch.__anext__()
        except asyncio.CancelledError:
            self.watch.end()
            raise
        while wait := max(weather.lasts("deaf", plural, who), weather.lasts("away", plural, who)):
            weather.struck["deaf"] += 1
            await asyncio.sleep(wait)
        if late := weather.strikes("late", plural, who):
            await asyncio.sleep(late.delay)
        if weather.strikes("broken", plural, who):
            self.watch.end()
            raise Unavailable(0, "", "connection reset in the middle of a watch")
        if weather.strikes("expired", plural, who):
            self.watch.end()
            return GONE_LINE
        if weather.strikes("repeated", plural, who):
            self._again = line
        return line
