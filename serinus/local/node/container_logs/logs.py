"""Container logs: `log_writer.py` writes the files in a separate process, so the node's end loses no output.

    DIR/<namespace>_<pod>_<uid>/<container>/<attempt>.log      and .log.1, the lines before the last rotation

A log that reaches its limit is renamed and a new one begins. Lines have no timestamp: `--timestamps` and `--since` use
the time at which the file was observed to grow, checked every second.
"""

from __future__ import annotations

import asyncio
import os
from bisect import bisect_right
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from serinus.kube.clock import Clock, rfc3339_micro

LIMIT = 10 * 1024 * 1024
"""Bytes of one log before its rotation, as a kubelet's containerLogMaxSize. At most twice this is kept."""

LOOK = 1.0
POLL = 0.1
_CHUNK = 64 * 1024
_MARKS = 4096


class NoLog(LookupError):
    """The log does not exist; the message is for the user."""


def _changed_at(path: Path) -> float:
    """The modification time; 0 if the file no longer exists."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


@dataclass(slots=True)
class _Marks:
    """Observed sizes of a file, identified by inode, and their times."""

    inode: int
    ends: deque[int]
    times: deque[float]

    def at(self, offset: int) -> float | None:
        """When the line at this offset was first observed."""
        if not self.ends:
            return None
        i = bisect_right(self.ends, offset)
        return self.times[min(i, len(self.times) - 1)]


class Logs:
    """Reads the logs below `directory`. `running(namespace, pod, container)`: whether more output may follow."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._directory, self._clock = directory, clock
        self._marks: dict[Path, _Marks] = {}
        self.running: Callable[[str, str, str], bool] = lambda namespace, pod, container: False

    def container(self, namespace: str, pod: str, container: str) -> Path:
        """The directory of the container's logs. Raises NoLog if there is none yet."""
        directories = sorted(self._find(f"{namespace}_{pod}_*/{container}"), key=_changed_at)
        if not directories:
            raise NoLog(f'container "{container}" in pod "{pod}" has not started yet: it has no log')
        return directories[-1]

    def _find(self, pattern: str) -> list[Path]:
        """The matching files. Repeats the scan if a directory disappears meanwhile: Python's glob then fails."""
        for _ in range(5):
            with suppress(FileNotFoundError):
                return list(self._directory.glob(pattern))
        return []

    async def watch(self) -> None:
        """Records when logs grow, until cancelled."""
        while True:
            await asyncio.sleep(LOOK)
            self.look()

    def look(self) -> None:
        now = self._clock.now()
        existing: set[Path] = set()
        for path in self._find("*/*/*.log"):
            try:
                status = path.stat()
            except OSError:
                continue
            size = status.st_size
            existing.add(path)
            marks = self._marks.get(path)
            if marks is None or marks.inode != status.st_ino:
                marks = _Marks(status.st_ino, deque(maxlen=_MARKS), deque(maxlen=_MARKS))
                self._marks[path] = marks
            if not marks.ends or size != marks.ends[-1]:
                marks.ends.append(size)
                marks.times.append(now)
        for path in self._marks.keys() - existing:
            del self._marks[path]

    def read(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        follow: bool = False,
        tail_lines: int | None = None,
        since_seconds: float | None = None,
        timestamps: bool = False,
        previous: bool = False,
        limit_bytes: int | None = None,
    ) -> AsyncIterator[bytes]:
        """The log in chunks. Raises NoLog at once if there is none."""
        directory = self.container(namespace, pod, container)
        attempts = sorted(int(p.stem) for p in directory.glob("*.log") if p.stem.isdigit())
        if previous:
            attempts = attempts[:-1]
        if not attempts:
            what = "previous terminated container" if previous else "container"
            when = "again" if previous else "yet"
            raise NoLog(f'{what} "{container}" in pod "{pod}" not found: it has not been started {when}')
        path = directory / f"{attempts[-1]}.log"
        running = partial(self.running, namespace, pod, container)
        return _limited(self._lines(path, tail_lines, since_seconds, timestamps, follow, running), limit_bytes)

    async def _lines(
        self,
        path: Path,
        tail: int | None,
        since: float | None,
        timestamps: bool,
        follow: bool,
        running: Callable[[], bool],
    ) -> AsyncIterator[bytes]:
        older = Path(f"{path}.1")
        offset, inode = 0, _inode(path)
        if tail is None and since is None and older.exists():  # noqa: ASYNC240 - files of this machine
            async for piece in _chunks(older, 0):
                yield self._stamped(older, 0, piece) if timestamps else piece
        elif tail is not None:
            offset = _tail_offset(path, tail)
        if since is not None:
            offset = max(offset, self._since_offset(path, since))
        async for piece in self._followed(path, offset, inode, timestamps, follow, running):
            yield piece

    async def _followed(
        self, path: Path, offset: int, inode: int, timestamps: bool, follow: bool, running: Callable[[], bool]
    ) -> AsyncIterator[bytes]:
        """The log from `offset` on. With `follow` until the container has ended."""
        older = Path(f"{path}.1")
        while True:
            alive = running()
            if (now := _inode(path)) != inode:
                # After a rotation: first the rest of the old file.
                if _inode(older) == inode:
                    async for piece in _chunks(older, offset):
                        yield self._stamped(older, 0, piece) if timestamps else piece
                offset, inode = 0, now
            size = _size(path)
            if size > offset:
                async for piece in _chunks(path, offset):
                    start, offset = offset, offset + len(piece)
                    yield self._stamped(path, start, piece) if timestamps else piece
            elif not follow or not alive:
                return
            else:
                await asyncio.sleep(POLL)

    def _since_offset(self, path: Path, since: float) -> int:
        marks, moment = self._marks.get(path), self._clock.now() - since
        if marks is None or not marks.ends:
            with suppress(OSError):
                return path.stat().st_size if path.stat().st_mtime < moment else 0
            return 0
        earlier = [end for end, time in zip(marks.ends, marks.times, strict=True) if time < moment]
        return earlier[-1] if earlier else 0

    def _stamped(self, path: Path, offset: int, piece: bytes) -> bytes:
        marks = self._marks.get(path)
        try:
            fallback = path.stat().st_mtime
        except OSError:
            fallback = self._clock.now()
        out: list[bytes] = []
        for line in piece.splitlines(keepends=True):
            when = marks.at(offset) if marks is not None else None
            out.append(rfc3339_micro(when if when is not None else fallback).encode() + b" " + line)
            offset += len(line)
        return b"".join(out)


async def _limited(pieces: AsyncIterator[bytes], limit: int | None) -> AsyncIterator[bytes]:
    left = limit
    async for piece in pieces:
        if left is not None:
            piece = piece[:left]
            left -= len(piece)
        yield piece
        if left == 0:
            return


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def last_line(path: Path) -> str:
    """The last non-empty line, shortened to fit a message; "" if there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 4096))
            lines = file.read().decode("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1].strip()[:200] if lines else ""


def _tail_offset(path: Path, lines: int) -> int:
    """The offset of the last `lines` lines."""
    try:
        size = path.stat().st_size
    except OSError:
        return 0
    if lines <= 0:
        return size
    position, block = size, b""
    with path.open("rb") as file:
        while position > 0:
            step = min(_CHUNK, position)
            position -= step
            file.seek(position)
            block = file.read(step) + block
            text = block[:-1] if block.endswith(b"\n") else block
            if text.count(b"\n") >= lines:
                index = len(text)
                for _ in range(lines):
                    index = text.rindex(b"\n", 0, index)
                return position + index + 1
    return 0


async def _chunks(path: Path, offset: int) -> AsyncIterator[bytes]:
    """Chunks from `offset` to the current end, cut at line ends where possible, so that lines can get timestamps."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        file.seek(offset)
        while piece := file.read(_CHUNK):
            piece += file.readline() if not piece.endswith(b"\n") else b""
            yield piece
            await asyncio.sleep(0)
