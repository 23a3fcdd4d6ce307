"""Runs a dashboard as a separate process, or as part of another one."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import secrets
import signal
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random

from serinus.dashboard.commands import AGENT
from serinus.dashboard.identity.gate import Gate
from serinus.dashboard.server import HOST, Server
from serinus.dashboard.service import Service
from serinus.dashboard.settings import Settings
from serinus.kube.client import Client
from serinus.kube.clock import SystemClock
from serinus.kube.configuration.config import Connection
from serinus.kube.http.https import HttpsHandler

log = logging.getLogger(__name__)


AT_ONCE = 8
"""Concurrent requests to the API server, without watches. Each TLS connection holds a third of a megabyte."""

SHORTEST_TOKEN = 16
"""Characters. A shorter token comes from an interrupted write."""


class PortTaken(Exception):
    """The requested port cannot be bound; a sentence for the user."""


class BadToken(Exception):
    """The token file has other content; a sentence for the user."""


def bound(port: int, host: str = HOST) -> socket.socket:
    """A listening socket, on 127.0.0.1 if no `host` is given; port 0 is any free one. Raises PortTaken."""
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)
    except (OSError, OverflowError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise PortTaken(
            f"the dashboard cannot listen on {host}:{port}: {reason}. Choose another port with --port, or 0 for any."
        ) from None
    listening.setblocking(False)
    return listening


def bound_near(port: int, remembered: int = 0) -> socket.socket:
    """As `bound`, but with a fallback: the remembered port, then `port`, then any free one."""
    for candidate in (remembered, port):
        with suppress(PortTaken):
            if candidate:
                return bound(candidate)
    return bound(0)


def new_token() -> str:
    return secrets.token_urlsafe(24)


def kept_token(file: Path) -> str:
    """The token in the file. A missing file is created with mode 0600, so sessions survive a restart. Raises OSError.

    Raises BadToken if the file has other content.
    """
    with suppress(FileNotFoundError):
        content = file.read_bytes()
        token = content.decode("ascii", "replace").strip()
        if not re.fullmatch(r"[A-Za-z0-9_-]*", token):
            raise BadToken(
                f"{file} holds no token ({len(content)} bytes, not only letters, digits, '-' and '_'): remove it, and "
                "the next start makes a new one; pages that are open must then be opened anew."
            )
        if len(token) >= SHORTEST_TOKEN:
            return token
    token = new_token()
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(token + "\n")
    return token


@asynccontextmanager
async def served(
    service: Service, settings: Settings, listening: socket.socket, gate: Gate | None = None
) -> AsyncGenerator[Server]:
    """Serves a dashboard within the block. `gate`: for a team."""
    server = Server(service, settings, gate)
    await server.start(listening)
    watching = asyncio.ensure_future(_kept(server))
    try:
        yield server
    finally:
        watching.cancel()
        await asyncio.wait([watching])
        await server.close()


def stop_signal() -> asyncio.Event:
    """Set by SIGINT and SIGTERM."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


async def run_dashboard(
    connection: Connection, settings: Settings, listening: socket.socket, ready: Callable[[Server], None]
) -> None:
    """Runs until SIGINT or SIGTERM. `ready` is called once it answers."""
    stop = stop_signal()
    handler = HttpsHandler(connection, at_once=AT_ONCE)
    service = Service(Client(handler, user_agent=AGENT), SystemClock(), Random(), home=connection.namespace)
    try:
        async with served(service, settings, listening) as server:
            ready(server)
            await stop.wait()
    finally:
        await handler.close()


async def _kept(server: Server) -> None:
    """Runs the watches. A failure is a bug in Serinus: it is logged, and the watches restart."""
    while True:
        try:
            await server.run()
        except Exception:
            log.exception("the dashboard's watches failed and start again")
        await asyncio.sleep(1.0)
