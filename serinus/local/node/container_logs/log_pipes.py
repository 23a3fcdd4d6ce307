"""The pipes that containers write to, and the program that turns them into logs (`log_writer.py`)."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from serinus.local import processes
from serinus.local.node.container_logs import log_writer
from serinus.local.node.container_logs.logs import LIMIT

log = logging.getLogger(__name__)

PIPE = "output"
SOCKET = "logs.sock"
ANSWER_SECONDS = 10.0
STOP_SECONDS = 2.0
AGAIN = 1.0


class LogPipes:
    """`directory`: the pods' directory. The writer starts on first use and outlives this process."""

    def __init__(self, directory: Path, *, limit: int = LIMIT) -> None:
        self._directory, self._limit = directory, limit
        self._mark = processes.Mark(directory / "logs.json")
        self._child: subprocess.Popen[bytes] | None = None
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._one_at_a_time = asyncio.Lock()

    async def open(self, place: Path, attempt: int) -> int:
        """A descriptor for the container's output; the caller closes it. Raises OSError."""
        pipe = place / PIPE
        with suppress(FileNotFoundError):
            if not stat.S_ISFIFO(pipe.lstat().st_mode):
                pipe.unlink()
        with suppress(FileExistsError):
            os.mkfifo(pipe, 0o600)
        # Open for reading too: the pipe always has a reader, and a restarted writer finds it intact.
        descriptor = os.open(pipe, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            os.set_blocking(descriptor, True)
            await self._ask({"place": str(place.relative_to(self._directory)), "attempt": attempt})
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    async def drained(self, place: Path) -> None:
        """Returns when the log contains all output up to now."""
        if self._is_there():
            with suppress(OSError):
                await self._ask({"place": str(place.relative_to(self._directory))})

    async def keep(self, running: Callable[[], Iterable[tuple[Path, int]]]) -> None:
        """Restarts the writer whenever it ends. `running()`: directories and attempts of running containers."""
        while True:
            if not self._is_there():
                for place, attempt in running():
                    with suppress(OSError):
                        os.close(await self.open(place, attempt))
            pid, started = self._mark.read()
            if not processes.is_running(pid, started):
                await asyncio.sleep(AGAIN)  # no running container has a log
                continue
            await processes.ended(pid, started)
            if self._child is not None:
                self._child.wait()
                self._child = None
            log.warning("The writer of logs ended by itself; it is started again when something is to be written.")

    async def stop(self) -> None:
        """Stops the writer once it has written everything."""
        self._hang_up()
        pid, started = self._mark.read()
        if processes.is_running(pid, started):
            await processes.stop(pid, started, STOP_SECONDS)
        if self._child is not None:
            self._child.wait()
            self._child = None
        self._mark.clear()
        (self._directory / SOCKET).unlink(missing_ok=True)

    def _is_there(self) -> bool:
        return processes.is_running(*self._mark.read())

    async def _ask(self, request: dict[str, str | int]) -> None:
        async with self._one_at_a_time:
            if not self._is_there():
                self._hang_up()
                self._start()
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    reader, writer = self._streams or await self._connected()
                    self._streams = reader, writer
                    writer.write(json.dumps(request).encode() + b"\n")
                    await writer.drain()
                    answer = await reader.readline()
            except TimeoutError:
                self._hang_up()
                raise OSError(f"the writer of logs does not answer within {ANSWER_SECONDS:g} s") from None
            except BaseException:
                self._hang_up()  # else the next request would receive this one's response
                raise
            if answer != b"\n":
                if not answer:
                    self._hang_up()
                raise OSError(f"the writer of logs failed: {answer.decode(errors='replace').strip() or 'it ended'}")

    def _hang_up(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    def _start(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        (self._directory / SOCKET).unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as door:
            with _Short(self._directory / SOCKET) as address:
                door.bind(address)
            os.chmod(self._directory / SOCKET, 0o600)
            door.listen()
            self._child = subprocess.Popen(
                [sys.executable, "-S", "-E", log_writer.__file__, str(door.fileno()), str(self._limit)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=self._directory,
                pass_fds=[door.fileno()],
                start_new_session=True,
            )
        self._mark.write(self._child.pid, processes.started_at(self._child.pid))

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        connection = socket.socket(socket.AF_UNIX)
        try:
            with _Short(self._directory / SOCKET) as address:
                connection.connect(address)
            connection.setblocking(False)
            return await asyncio.open_unix_connection(sock=connection)
        except BaseException:
            connection.close()
            raise


class _Short:
    """Within the block, a socket name that fits the 108 bytes of an address."""

    def __init__(self, path: Path) -> None:
        self._path, self._directory = path, -1

    def __enter__(self) -> str:
        if len(str(self._path)) < 100:
            return str(self._path)
        self._directory = os.open(self._path.parent, os.O_RDONLY | os.O_CLOEXEC)
        return f"/proc/self/fd/{self._directory}/{self._path.name}"

    def __exit__(self, *_: object) -> None:
        if self._directory >= 0:
            os.close(self._directory)
