"""The API server's listening socket. The keeper process holds it, so it outlives `serinus up`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from serinus.local import keeper, processes
from serinus.local.instance import Instance
from serinus.local.traefik.gateway import free_port

STOP_SECONDS = 2.0
_BACKLOG = 512


def mark(instance: Instance) -> processes.Mark:
    return processes.Mark(instance.directory / "keeper.json")


async def listen(instance: Instance, host: str, desired: int, remembered: int) -> socket.socket:
    """The previous `up`'s socket if its port matches (0: any), else a new one. Raises CannotRun."""
    remembered_socket = _fetch(instance)
    if remembered_socket is not None:
        if desired in (0, remembered_socket.getsockname()[1]):
            return remembered_socket
        remembered_socket.close()
    await stop_keeper(instance)
    port = free_port(host, desired, remembered)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    sock.listen(_BACKLOG)
    _keep(instance, sock)
    return sock


async def stop_keeper(instance: Instance) -> None:
    pid, started = mark(instance).read()
    if processes.is_running(pid, started):
        await processes.stop(pid, started, STOP_SECONDS)
    mark(instance).clear()
    (instance.directory / keeper.SOCKET).unlink(missing_ok=True)


def _keep(instance: Instance, sock: socket.socket) -> None:
    # -S -E need half the memory and a third of the start-up time. The keeper uses no installed package.
    process = subprocess.Popen(
        [sys.executable, "-S", "-E", str(Path(keeper.__file__)), str(sock.fileno())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=instance.directory,
        pass_fds=[sock.fileno()],
        start_new_session=True,
    )
    mark(instance).write(process.pid, processes.started_at(process.pid))


def _fetch(instance: Instance) -> socket.socket | None:
    pid, started = mark(instance).read()
    if not processes.is_running(pid, started):
        return None
    directory = os.open(instance.directory, os.O_RDONLY)
    try:
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(2)
            path = str(instance.directory / keeper.SOCKET)
            # A socket address holds at most 108 bytes; this is a short name of the same path.
            door.connect(path if len(path) < 100 else f"/proc/self/fd/{directory}/{keeper.SOCKET}")
            _, fds, _, _ = socket.recv_fds(door, 1, 1)
        return socket.socket(fileno=fds[0]) if fds else None
    except OSError:
        return None
    finally:
        with suppress(OSError):
            os.close(directory)
