"""The node as a separate process, for any API server: it registers, accepts pods and runs them on this machine.

`serinus up` runs the same node in its own process. The node is an ordinary client and works with any API server.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from serinus.api.resources import NODES
from serinus.kube.client import Client
from serinus.kube.clock import SystemClock
from serinus.kube.configuration.config import Connection
from serinus.kube.errors import ApiError
from serinus.kube.http.https import HttpsHandler
from serinus.local.bounded_log import BoundedLog
from serinus.local.cannot_run import CannotRun
from serinus.local.instance import Instance, explain, hold, prepare
from serinus.local.node.containers.runtimes import runtime_of
from serinus.local.node.image_map import read_image_map
from serinus.local.node.node import Node
from serinus.local.umask import keep_private

POOL = "10.200.0.0/16"
"""API servers of real clusters refuse loopback addresses as endpoints, so `serinus up`'s pool does not work there."""

DRAIN = 2.0
"""Seconds. Gateways receive changes from another process than this node, which may lag as much as they do."""


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """`name`: of the Node object. `instance`: directory of the pods' files; one node uses it at a time."""

    name: str
    instance: Instance
    pool: str = POOL
    host_ip: str = "127.0.0.1"
    runtime: str = "process"
    image_map: Path | None = None


def run(connection: Connection, settings: AgentSettings, ready: Callable[[], None]) -> None:
    """Runs until SIGINT or SIGTERM, then ends its pods. Calls `ready` once the API server answers. Raises CannotRun."""
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s", handlers=[BoundedLog()]
    )
    check_pool(settings.pool)
    keep_private()
    instance = settings.instance
    prepare(instance)
    lock = hold(instance)
    try:
        asyncio.run(_run(connection, settings, ready))
    except OSError as error:
        raise CannotRun(explain(error, instance.directory)) from error
    finally:
        os.close(lock)


async def _run(connection: Connection, settings: AgentSettings, ready: Callable[[], None]) -> None:
    clock, stop = SystemClock(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    directory = settings.instance.pods_dir
    image_rules = read_image_map(settings.image_map) if settings.image_map else []
    runtime = await runtime_of(settings.runtime, directory, clock)
    handler = HttpsHandler(connection)
    client = Client(handler, user_agent="serinus-node")
    node = Node(
        client,
        runtime,
        clock,
        Random(),
        name=settings.name,
        data_dir=settings.instance.directory,
        pool=settings.pool,
        host_ip=settings.host_ip,
        drain=DRAIN,
        image_rules=image_rules,
    )
    try:
        await _may_register(client)
        running, stopping = asyncio.ensure_future(node.run()), asyncio.ensure_future(stop.wait())
        ready()
        await asyncio.wait((running, stopping), return_when=asyncio.FIRST_COMPLETED)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await node.stop_all()
    finally:
        await handler.close()


async def _may_register(client: Client) -> None:
    """Raises CannotRun if the API server is unreachable or refuses this client. Later failures are retried."""
    try:
        await client.list(NODES, limit=1)
    except ApiError as error:
        raise CannotRun(f"This node cannot join: {error.message}") from error


def check_pool(pool: str) -> None:
    """Raises CannotRun unless its addresses belong to this machine."""
    try:
        network = ipaddress.IPv4Network(pool)
    except ValueError as error:
        raise CannotRun(f"--pool {pool} is no range of addresses ({error}): write one such as {POOL}.") from None
    if network.num_addresses < 4:
        raise CannotRun(f"--pool {pool} has no room for pods: write a range such as {POOL}.")
    with socket.socket() as probe:
        try:
            probe.bind((str(network[1]), 0))
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:
                raise CannotRun(f"--pool {pool}: {network[1]} cannot be used: {error.strerror}.") from None
            raise CannotRun(
                f"The addresses of {pool} are not this machine's. Make them so, as root: "
                f"ip route add local {pool} dev lo; or give a range that is, with --pool."
            ) from None
