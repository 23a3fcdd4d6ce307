"""Client-side rate limit: a token bucket before the API server, with the meaning of `--qps` and `--burst`.

Watches and leases do not wait. A watch lasts, and leadership depends on the lease.
"""

from __future__ import annotations

import asyncio

from serinus.kube.transport import Handler, Request, Response


def throttled(handler: Handler, *, qps: float, burst: int) -> Handler:
    """The handler, limited to `burst` requests at once and `qps` a second on average, in order of arrival.

    ValueError unless both are above 0.
    """
    if qps <= 0 or burst < 1:
        raise ValueError(f"qps is {qps:g} and burst {burst}: both must be above 0")
    free_at = float("-inf")
    """When the bucket was or will be empty, in the loop's monotonic time. Each request adds 1/`qps` seconds."""

    async def waiting(request: Request) -> Response:
        nonlocal free_at
        if request.query.get("watch") != "true" and "/leases" not in request.path:
            now = asyncio.get_running_loop().time()
            free_at = max(free_at, now - burst / qps) + 1 / qps
            if free_at > now:
                await asyncio.sleep(free_at - now)
        return await handler(request)

    return waiting
