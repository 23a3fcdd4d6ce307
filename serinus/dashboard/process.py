"""A dashboard as a process of its own, and as a part of a larger one."""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from random import Random

from serinus.dashboard.server import HOST, Server
from serinus.dashboard.service import Service
from serinus.dashboard.settings import Settings
from serinus.kube.client import Client
from serinus.kube.clock import SystemClock
from serinus.kube.config import Connection
from serinus.kube.https import HttpsHandler

log = logging.getLogger(__name__)

AGENT = "serinus-dashboard"
"""How its changes appear in managedFields."""


class PortTaken(Exception):
    """No listener on the port asked for; a sentence for the user."""


def bound(port: int) -> socket.socket:
    """A listening socket on 127.0.0.1; port 0 is any free one. PortTaken."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen(128)
    except (OSError, OverflowError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise PortTaken(
            f"the dashboard cannot listen on {HOST}:{port}: {reason}. Choose another port with --port, or 0 for any."
        ) from None
    listening.setblocking(False)
    return listening


def new_token() -> str:
    return secrets.token_urlsafe(24)


@asynccontextmanager
async def served(service: Service, settings: Settings, listening: socket.socket) -> AsyncGenerator[Server]:
    """A dashboard that answers within the block."""
    server = Server(service, settings)
    await server.start(listening)
    watching = asyncio.ensure_future(_kept(server))
    try:
        yield server
    finally:
        watching.cancel()
        await asyncio.wait([watching])
        await server.close()


async def run_dashboard(
    connection: Connection, settings: Settings, listening: socket.socket, ready: Callable[[Server], None]
) -> None:
    """Until SIGINT or SIGTERM. `ready` is called once it answers."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    handler = HttpsHandler(connection)
    service = Service(Client(handler, user_agent=AGENT), SystemClock(), Random(), home=connection.namespace)
    try:
        async with served(service, settings, listening) as server:
            ready(server)
            await stop.wait()
    finally:
        await handler.close()


async def _kept(server: Server) -> None:
    """What fails here is a flaw of ours: it is logged, and the watches begin again."""
    while True:
        try:
            await server.run()
        except Exception:
            log.exception("the dashboard's watches failed and start again")
        await asyncio.sleep(1.0)
