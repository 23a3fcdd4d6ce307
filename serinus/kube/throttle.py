"""Requests no faster than was asked for: a token bucket before the API server, as `--qps` and `--burst` mean it.

Watches, which last, and leases, on which leading depends, do not wait.
"""

from __future__ import annotations

import asyncio

from serinus.kube.wire import Handler, Request, Response


def throttled(handler: Handler, *, qps: float, burst: int) -> Handler:
    """The handler, at most `burst` requests at once and `qps` a second on average; in the order in which they came.

    ValueError unless both are above 0.
    """
    if qps <= 0 or burst < 1:
        raise ValueError(f"qps is {qps:g} and burst {burst}: both must be above 0")
    free_at = float("-inf")
    """When the bucket was, or will be, empty, by the loop's time, which nobody sets: each request moves it by one part of a second."""

    async def waiting(request: Request) -> Response:
        nonlocal free_at
        if request.query.get("watch") != "true" and "/leases" not in request.path:
            now = asyncio.get_running_loop().time()
            free_at = max(free_at, now - burst / qps) + 1 / qps
            if free_at > now:
                await asyncio.sleep(free_at - now)
        return await handler(request)

    return waiting
