"""Names of hosts, looked up in threads of their own.

The system's lookup may take half a minute where a name server does not answer, and cannot be cancelled. In the threads that all
parts of the program share, some such names would keep every other name waiting. Here a measurement keeps its place in its lane
until its lookup has ended, so a namespace has no more lookups under way than it may have measurements.
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

from aiohttp.abc import AbstractResolver, ResolveResult

from serinus.analysis.providers.current import CURRENT

THREADS = 256
"""Lookups at once, of eight namespaces that have nothing else. Threads are only started when they are needed."""


class Lookups(AbstractResolver):
    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="lookup")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """OSError for a name that is not known."""
        looking = self._threads.submit(
            socket.getaddrinfo, host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
        current = CURRENT.get()
        if current is not None:
            current.keep(looking)
        found = await asyncio.wrap_future(looking)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, proto, _, address in found
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
