"""A listening socket on a shared machine, with limits on the number of connections and on their silence.

Any client that can reach the port may connect, even without a token. A connection counts as a stranger until a request
on it is admitted:

- Strangers share a small number of places. A further stranger replaces the one that has been silent for longest, so
  that neither silent nor slow connections exclude a newcomer.
- A stranger has HEAD_SECONDS to finish the TLS handshake and a request. Signed-in clients have separate places.
- A connection is closed if its request is not answered after BUSY_SECONDS because the client does not read.

This module has no HTTP. The server above reports when a request begins, whether it is admitted, and when it ends.
"""

from __future__ import annotations

import asyncio
import errno
import resource
import socket
import ssl
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

HEAD_SECONDS = 10.0
IDLE_SECONDS = 300.0
"""Maximum silence of a signed-in connection between requests."""

BUSY_SECONDS = 120.0
"""Time limit of one answer that is not a stream. The slowest request takes seconds; the rest depends on the client."""

STRANGERS = 256
"""Also the maximum number of clients that sign in at the same time."""

SIGNED_IN = 512
_SPARE_FILES = 256
"""File descriptors that the rest of the process needs: child processes, logs, the store."""

_LOOK_SECONDS = 1.0
_YOUNG_SECONDS = 0.5
"""A connection keeps its place for at least this time. Newcomers wait in the socket's backlog, in order."""

_AGAIN_SECONDS = 0.02
_FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class _Guest:
    """One connection. `since`: when it became silent or busy, in the loop's time; `lasting`: it carries a stream."""

    __slots__ = ("busy", "lasting", "protocol", "signed_in", "since", "sock", "task", "transport")

    def __init__(self, sock: socket.socket, now: float) -> None:
        self.sock, self.since = sock, now
        self.protocol: asyncio.Protocol | None = None
        self.transport: asyncio.Transport | None = None
        self.task: asyncio.Task[None] | None = None
        self.busy = self.signed_in = self.lasting = False

    @property
    def gone(self) -> bool:
        return self.transport is not None and self.transport.is_closing()

    def end(self) -> None:
        if self.transport is not None:
            self.transport.abort()
        elif self.task is not None:
            self.task.cancel()


@dataclass(frozen=True, slots=True)
class Places:
    strangers: int = STRANGERS
    signed_in: int = SIGNED_IN
    head_seconds: float = HEAD_SECONDS
    idle_seconds: float = IDLE_SECONDS
    busy_seconds: float = BUSY_SECONDS

    def fitting(self) -> Places:
        """Reduces the places to the process's limit of open files. Strangers get at most a third of it."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = self.strangers + self.signed_in if soft == resource.RLIM_INFINITY else max(32, soft - _SPARE_FILES)
        strangers = min(self.strangers, most // 3)
        return Places(
            strangers, min(self.signed_in, most - strangers), self.head_seconds, self.idle_seconds, self.busy_seconds
        )


class Listener:
    """Accepts connections on `listening`, each with a protocol from `make`. Use it in one event loop."""

    def __init__(
        self,
        make: Callable[[], asyncio.Protocol],
        listening: socket.socket,
        tls: ssl.SSLContext | None = None,
        places: Places | None = None,
    ) -> None:
        self._make, self._listening, self._tls = make, listening, tls
        self.places = (places or Places()).fitting()
        self._guests: set[_Guest] = set()
        self._by_protocol: dict[int, _Guest] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._listening.setblocking(False)
        self._tasks = [asyncio.create_task(self._accept()), asyncio.create_task(self._look())]

    async def close(self) -> None:
        """Stops listening. It closes connections without a protocol; the protocols close the others."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._listening.close()
        for guest in list(self._guests):
            if guest.transport is None:
                guest.end()

    @contextmanager
    def serving(self, protocol: object, *, signed_in: bool) -> Generator[bool]:
        """Marks a request on this protocol's connection. Yields False if all places for signed-in clients are taken."""
        guest = self._by_protocol.get(id(protocol))
        if guest is None:
            yield True
            return
        loop = asyncio.get_running_loop()
        guest.busy, guest.since = True, loop.time()
        if signed_in and not guest.signed_in:
            guest.signed_in = self._count(signed_in=True) < self.places.signed_in
        try:
            yield guest.signed_in or not signed_in
        finally:
            guest.busy = guest.lasting = False
            guest.since = loop.time()

    def lasts(self, protocol: object) -> None:
        """Marks the current request as answered by a stream, which has no time limit."""
        if (guest := self._by_protocol.get(id(protocol))) is not None:
            guest.lasting = True

    def _count(self, *, signed_in: bool) -> int:
        self._forget()
        return sum(guest.signed_in is signed_in for guest in self._guests)

    def _forget(self) -> None:
        for guest in [guest for guest in self._guests if guest.gone]:
            self._leave(guest)

    def _leave(self, guest: _Guest) -> None:
        self._guests.discard(guest)
        self._by_protocol.pop(id(guest.protocol), None)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, _ = await loop.sock_accept(self._listening)
            except OSError as error:
                if error.errno not in _FULL:
                    await asyncio.sleep(_AGAIN_SECONDS)
                    continue
                # No file descriptor is left: close a stranger. The backlog waits meanwhile.
                self._end(self._most_silent())
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            while self._count(signed_in=False) >= self.places.strangers:
                most_silent = self._most_silent()
                if most_silent is not None and loop.time() - most_silent.since < _YOUNG_SECONDS:
                    await asyncio.sleep(_AGAIN_SECONDS)
                elif not self._end(most_silent):
                    break
            if self._count(signed_in=False) >= self.places.strangers:
                sock.close()
                continue
            sock.setblocking(False)
            guest = _Guest(sock, loop.time())
            self._guests.add(guest)
            guest.task = asyncio.create_task(self._welcome(guest))

    def _most_silent(self) -> _Guest | None:
        """The stranger to close next: silent ones first, then those that do not read. Streams are exempt."""
        strangers = (guest for guest in self._guests if not guest.signed_in and not guest.lasting)
        return min(strangers, key=lambda guest: (guest.busy, guest.since), default=None)

    def _end(self, guest: _Guest | None) -> bool:
        if guest is not None:
            guest.end()
            self._leave(guest)
        return guest is not None

    async def _welcome(self, guest: _Guest) -> None:
        def make() -> asyncio.Protocol:
            guest.protocol = self._make()
            self._by_protocol[id(guest.protocol)] = guest
            return guest.protocol

        try:
            guest.transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
                make,
                guest.sock,
                ssl=self._tls,
                ssl_handshake_timeout=self.places.head_seconds if self._tls else None,
            )
        except (OSError, asyncio.CancelledError):
            with suppress(OSError):
                guest.sock.close()
            self._leave(guest)
            return
        if guest not in self._guests:
            guest.transport.abort()

    async def _look(self) -> None:
        """Closes connections that are silent, or busy with one answer, for too long."""
        loop, places = asyncio.get_running_loop(), self.places
        while True:
            await asyncio.sleep(min(_LOOK_SECONDS, places.head_seconds / 2))
            self._forget()
            now = loop.time()
            for guest in list(self._guests):
                idle = places.idle_seconds if guest.signed_in else places.head_seconds
                if not guest.lasting and now - guest.since > (places.busy_seconds if guest.busy else idle):
                    self._end(guest)
