"""HTTP endpoints of a running controller: `/metrics`, `/healthz` (it runs) and `/readyz` (its caches are synced)."""

from __future__ import annotations

import errno
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from aiohttp import web


class ProbePortTaken(Exception):
    """A port could not be opened. The message has the remedy, as a sentence for the user."""


@asynccontextmanager
async def serving(
    address: str, *, metrics: tuple[int, Callable[[], bytes]] | None, health: tuple[int, Callable[[], str]] | None
) -> AsyncGenerator[dict[str, int]]:
    """Serves until the block ends and yields the ports. The system chooses a port for 0. ProbePortTaken on failure.

    `metrics`: port and the text to serve. `health`: port and why the process is not ready, "" if it is.
    """
    runners: list[web.AppRunner] = []
    ports: dict[str, int] = {}
    try:
        if metrics is not None:
            text = metrics[1]
            app = web.Application()
            app.router.add_get("/metrics", lambda _: _give(text()))
            runners.append(runner := await _runner(app))
            ports["metrics"] = await _listen(runner, address, metrics[0], "--metricsPort")
        if health is not None:
            why = health[1]
            app = web.Application()
            app.router.add_get("/healthz", lambda _: _give(b"ok"))
            app.router.add_get("/readyz", lambda _: _give((why() or "ok").encode(), 503 if why() else 200))
            runners.append(runner := await _runner(app))
            ports["health"] = await _listen(runner, address, health[0], "--healthzPort")
        yield ports
    finally:
        for runner in runners:
            await runner.cleanup()


async def _give(body: bytes, status: int = 200) -> web.Response:
    return web.Response(body=body, status=status, content_type="text/plain", charset="utf-8")


async def _runner(app: web.Application) -> web.AppRunner:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    return runner


async def _listen(runner: web.AppRunner, address: str, port: int, flag: str) -> int:
    site = web.TCPSite(runner, address, port)
    try:
        await site.start()
    except OSError as error:
        why = "it is in use" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
        raise ProbePortTaken(
            f"cannot listen on {address}:{port}: {why}. Choose another with {flag} (0 for any free one)."
        ) from None
    return runner.addresses[0][1]
