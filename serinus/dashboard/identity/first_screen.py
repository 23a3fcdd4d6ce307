"""The first cards, for the page itself: a browser draws them without a further request.

The stream sends the same lines again, and all others. So a card that is missing here is only later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress

import msgspec

from serinus.dashboard.identity.gate import Asker
from serinus.dashboard.identity.shown import Shown
from serinus.dashboard.service import Service

MOST_BYTES = 6_000
"""Text of the lines, about nine of them: what a desk's screen shows, and what the page has room for (90 kB in all)."""

MOST = 20

MOST_SECONDS = 0.3
"""The page does not wait longer for the user's rights; the stream does."""

NOTHING = b"null"


async def first_screen(service: Service, asker: Asker, path: str, query: Collection[str]) -> bytes:
    """JSON `{"state": …, "rows": […]}`, most urgent first; `null` if the address asks for something else than the list in
    that order. `path`: below the root; empty, or a namespace."""
    if "/" in path or set(query) - {"displayMode"}:
        return NOTHING
    with suppress(TimeoutError):
        async with asyncio.timeout(MOST_SECONDS):
            return await _lines(service, asker, path)
    return NOTHING


async def _lines(service: Service, asker: Asker, path: str) -> bytes:
    shown = Shown(service, asker.viewer)
    namespaces = [path] if path else {namespace for namespace, _ in service.hub.lines}
    visible = await asker.viewer.visible(namespaces)
    lines, _ = await shown.part(service.hub.most_urgent(MOST, visible))
    room, fitting = MOST_BYTES, list[bytes]()
    for line in lines:
        room -= len(line)
        if room < 0:
            break
        fitting.append(line)
    state = msgspec.json.encode({**shown.state(complete=False), "readOnly": asker.read_only})
    return b'{"state":%b,"rows":[%b]}' % (state, b",".join(fitting))
