"""Writes size-bounded container logs while `serinus up` runs and after it has ended.

Runs as a separate program (`python log_writer.py FD LIMIT`, in the pods' directory). Each container writes to a named
pipe, `<pod>/<container>/output`; this program reads the pipes and writes `<pod>/<container>/<attempt>.log`. A log that
reaches LIMIT bytes is renamed to `<attempt>.log.1` and a new one begins, so at most twice LIMIT is kept. A container
that writes faster than the disk must wait.

Containers also open their pipe for reading, so the end of this program breaks no pipe: they wait until it restarts.
Requests arrive on the listening socket FD, one JSON object per line. Each gets a one-line response:

    {"place": "<pod>/<container>", "attempt": N}     read this pipe from now on; its output belongs to that attempt
    {"place": "<pod>/<container>"}                   answered when the pipe's current content is in the file
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import sys
from contextlib import suppress

CHUNK = 64 * 1024
LONGEST_LINE = 64 * 1024
"""A log is cut at a line end, unless that is farther away than this."""
NICE = 5
"""Processes that serve requests take precedence over the log writer."""


class ContainerLog:
    """One pipe and its log file."""

    def __init__(self, place: str, attempt: int, limit: int) -> None:
        self.place, self.limit = place, limit
        self.pipe = os.open(f"{place}/output", os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._file = -1
        self.begin(attempt)

    def begin(self, attempt: int) -> None:
        self.path = f"{self.place}/{attempt}.log"
        self._open()

    def _open(self) -> None:
        self._close_file()
        self._size = 0
        with suppress(OSError):
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
            self._file = os.open(self.path, flags, 0o600)
            self._size = os.fstat(self._file).st_size

    def _close_file(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file = -1

    def read(self) -> int:
        """Bytes that were copied; 0 at the end of the pipe, -1 if it is empty now."""
        try:
            piece = os.read(self.pipe, CHUNK)
        except BlockingIOError:
            return -1
        except OSError:
            return 0
        self._write(piece)
        return len(piece)

    def drain(self) -> None:
        """Copies the pipe's current content. A container that never stops writing cannot block this."""
        for _ in range(64):
            if self.read() <= 0:
                return

    def _write(self, piece: bytes) -> None:
        room = self.limit - self._size
        if len(piece) > room:
            cut = piece.rfind(b"\n", 0, max(room, 0)) + 1
            if not cut and (self._size <= self.limit + LONGEST_LINE):
                cut = piece.find(b"\n") + 1 or len(piece)
            self._append(piece[:cut])
            piece = piece[cut:]
            if piece or self._size > self.limit + LONGEST_LINE:
                self._rotate()
        self._append(piece)

    def _append(self, piece: bytes) -> None:
        # A full disk loses lines; the container must not wait for free space.
        with suppress(OSError):
            while piece and self._file >= 0:
                written = os.write(self._file, piece)
                self._size += written
                piece = piece[written:]

    def _rotate(self) -> None:
        # A log always exists: the full one is linked under its new name before the new one replaces it.
        old, new = f"{self.path}.old", f"{self.path}.new"
        with suppress(OSError):
            with suppress(FileNotFoundError):
                os.unlink(old)
            os.link(self.path, old)
            os.replace(old, f"{self.path}.1")
            os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600))
            os.replace(new, self.path)
        self._open()

    def close(self) -> None:
        os.close(self.pipe)
        self._close_file()


class Writer:
    def __init__(self, door: socket.socket, limit: int) -> None:
        self._door, self._limit = door, limit
        self._logs: dict[str, ContainerLog] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(door, selectors.EVENT_READ, None)

    def run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if isinstance(key.data, ContainerLog):
                    if self._logs.get(key.data.place) is key.data and key.data.read() == 0:
                        self._forget(key.data)
                elif isinstance(key.data, Visitor):
                    self._serve(key.data)
                else:
                    visitor, _ = self._door.accept()
                    visitor.settimeout(5)
                    self._selector.register(visitor, selectors.EVENT_READ, Visitor(visitor))

    def _forget(self, log: ContainerLog) -> None:
        self._selector.unregister(log.pipe)
        log.close()
        del self._logs[log.place]

    def _serve(self, visitor: Visitor) -> None:
        try:
            for line in visitor.lines():
                try:
                    self._do(json.loads(line))
                    answer = b"\n"
                except (OSError, ValueError, KeyError, TypeError) as error:
                    answer = f"{type(error).__name__}: {error}\n".encode()
                visitor.socket.sendall(answer)
        except OSError:
            self._selector.unregister(visitor.socket)
            visitor.socket.close()

    def _do(self, request: dict[str, str | int]) -> None:
        place, log = str(request["place"]), self._logs.get(str(request["place"]))
        if log is not None:
            log.drain()
        if "attempt" not in request:
            return
        if log is None:
            log = self._logs[place] = ContainerLog(place, int(request["attempt"]), self._limit)
            self._selector.register(log.pipe, selectors.EVENT_READ, log)
        else:
            log.begin(int(request["attempt"]))


class Visitor:
    def __init__(self, connection: socket.socket) -> None:
        self.socket, self._rest = connection, b""

    def lines(self) -> list[bytes]:
        """The received request lines. Raises OSError when the connection ends."""
        piece = self.socket.recv(CHUNK)
        if not piece:
            raise ConnectionResetError
        *lines, self._rest = (self._rest + piece).split(b"\n")
        return lines


def main() -> None:
    os.umask(0o077)
    with suppress(OSError):
        os.nice(NICE)
    Writer(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2])).run()


if __name__ == "__main__":
    main()
