"""DNS lookups in separate threads.

If a name server does not answer, the system's lookup may take half a minute, and it cannot be cancelled. In the shared
threads of the program a few such names would block all others. Here a measurement keeps its place in its lane until its
lookup has ended. So the limit of measurements of a namespace is also that of its lookups.
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

from aiohttp.abc import AbstractResolver, ResolveResult

from serinus.analysis.providers.current import CURRENT

THREADS = 256
"""Concurrent lookups: enough for eight namespaces with lookups only. Threads start when they are needed."""


class Lookups(AbstractResolver):
    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="lookup")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a host. OSError for an unknown name."""
        looking = self._threads.submit(
            socket.getaddrinfo, host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
        current = CURRENT.get()
        if current is not None:
            current.keep(looking)
        infos = await asyncio.wrap_future(looking)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, proto, _, address in infos
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
