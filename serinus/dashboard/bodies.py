"""Reads request bodies within a time limit."""

from __future__ import annotations

import asyncio

from aiohttp import web

from serinus.dashboard.access import Denied

SECONDS = 10.0


async def read(request: web.Request) -> bytes:
    """The whole body. Raises Denied if it does not arrive in time."""
    try:
        async with asyncio.timeout(SECONDS):
            return await request.read()
    except TimeoutError:
        raise Denied(408, f"The body of the request did not arrive within {SECONDS:g} s.") from None
