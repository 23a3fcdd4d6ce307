"""Server-sent events: one stream for each open page.

Events: `state` (the state of the view), `rows` (lines of the list: `{"rows": [...], "gone": ["ns/name"], "all": bool}`,
`all` with the last part of the first list), `rollout` (the one that the page shows; null if there is none), `beat`
(nothing new; the connection is alive).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import nullcontext

import msgspec
from aiohttp import web

from serinus.dashboard.hub import Page, shown
from serinus.dashboard.identity.gate import ASKER, Asker
from serinus.dashboard.identity.shown import Json, Shown
from serinus.dashboard.identity.viewer import Viewer
from serinus.dashboard.service import Service
from serinus.kube.informer import Key

BEAT_SECONDS = 10.0
"""Seconds. A page that receives nothing for two and a half of these treats the connection as dead."""

UNREAD_BYTES = 16 * 1024
"""Bytes that this process and the kernel may each hold for a client that does not read. The kernel takes four megabytes
otherwise, and counts them as memory of the pod."""

UNREAD_SECONDS = 0.02

PIECES = 50
"""Pieces of the list sent between two looks at the session and the rights."""

READ_SECONDS = 60.0
"""Seconds. A client that reads nothing for this long loses its stream and reconnects."""


async def stream(request: web.Request, service: Service, focus: Key | None) -> web.StreamResponse:
    """Streams until the client disconnects or the session ends. May raise TooManyPages."""
    asker = request[ASKER]
    service.hub.check_place(stranger=is_stranger(request), user=asker.viewer.name)
    looking = focus if focus and await asker.viewer.sees(focus[0]) else None
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
    await response.prepare(request)
    page = service.hub.open(focus, stranger=is_stranger(request), user=asker.viewer.name)
    page.visible = looking is not None
    shown, checked = Shown(service, asker.viewer), service.clock.now()
    lasts(request)
    try:
        with service.looking_at(looking) if looking else nullcontext():
            while True:
                woken = await page.woken(BEAT_SECONDS)
                if service.clock.now() - checked >= BEAT_SECONDS:
                    checked = service.clock.now()
                    if await asker.ended():
                        return response
                    if await _rights_changed(page, shown, asker.viewer):
                        page.state_changed = woken = True
                if woken:
                    await _send(request, response, service, page, shown, asker)
                else:
                    await write(request, response, _event(b"beat", msgspec.json.encode({"now": service.clock.now()})))
    except (ConnectionError, asyncio.CancelledError):
        # The browser has disconnected, or the server stops.
        return response
    finally:
        service.hub.close(page)


async def _rights_changed(page: Page, shown: Shown, viewer: Viewer) -> bool:
    """Whether the viewer may see more or less than before. Marks it for sending."""
    if page.focus is None:
        page.again |= (different := await shown.changed())
        return bool(different)
    if changed := page.visible != (visible := await viewer.sees(page.focus[0])):
        page.visible, page.focus_changed = visible, True
    return changed


async def _send(
    request: web.Request, response: web.StreamResponse, service: Service, page: Page, shown: Shown, asker: Asker
) -> None:
    page.wake.clear()
    said = shown.state(complete=page.complete)
    if page.state_changed:
        page.state_changed = False
        await _state(request, response, said, asker)
    if page.focus is None:
        await _lines(request, response, service, page, shown)
        if (now := shown.state(complete=page.complete))["view"] != said["view"]:
            await _state(request, response, now, asker)
    elif page.focus_changed:
        page.focus_changed = False
        # A right that comes back is news even if a change, not the look at the rights, has hidden the Rollout.
        page.visible = await asker.viewer.sees(page.focus[0])
        await write(request, response, _event(b"rollout", await _focused(service, page.focus, asker.viewer)))


async def _lines(
    request: web.Request, response: web.StreamResponse, service: Service, page: Page, shown: Shown
) -> None:
    """Sends what the page has not received yet, in pieces. A page that stays behind is woken again: its session and rights
    are checked in between."""
    behind, pieces = True, 0
    while behind and pieces < PIECES:
        pieces += 1
        keys, behind = page.take(), page.behind
        # The first list is complete when the API's first list is read and all its lines are made.
        whole = not (page.complete or behind) and service.world.rollouts.synced.is_set() and service.hub.quiet
        if not keys and not whole:
            continue
        page.complete = page.complete or whole
        # No name holds the text while the client reads it: 200 pages that open in one moment wait here together.
        await write(request, response, _rows(*await shown.part(sorted(keys)), whole=whole))
    if behind:
        page.wake.set()


def _rows(lines: list[bytes], missing: list[Key], *, whole: bool) -> bytes:
    gone = msgspec.json.encode([f"{ns}/{name}" for ns, name in missing])
    all_sent = b"true" if whole else b"false"
    return b'event: rows\ndata: {"rows":[%b],"gone":%b,"all":%b}\n\n' % (b",".join(lines), gone, all_sent)


async def _state(request: web.Request, response: web.StreamResponse, state: Json, asker: Asker) -> None:
    await write(request, response, _event(b"state", msgspec.json.encode({**state, "readOnly": asker.read_only})))


LASTS: web.RequestKey[Callable[[], None]] = web.RequestKey("lasts", Callable[[], None])  # type: ignore[arg-type]


def is_stranger(request: web.Request) -> bool:
    """Whether the server has found this client not signed in."""
    return not request[ASKER].signed_in


def lasts(request: web.Request) -> None:
    """Marks the response as a stream, which has its own connection limit, and little room for unread bytes."""
    if (found := request.get(LASTS)) is not None:
        found()
    if (transport := request.transport) is not None:
        transport.set_write_buffer_limits(high=UNREAD_BYTES)
        if (sock := transport.get_extra_info("socket")) is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNREAD_BYTES)


async def write(request: web.Request, response: web.StreamResponse, data: bytes) -> None:
    """Sends a part of a stream. Raises ConnectionError if the client has disconnected or does not read."""
    try:
        async with asyncio.timeout(READ_SECONDS):
            await response.write(data)
            del data
            # aiohttp itself waits only after 64 kB, and has no event for less.
            while request.transport is not None and request.transport.get_write_buffer_size() > UNREAD_BYTES:  # noqa: ASYNC110
                await asyncio.sleep(UNREAD_SECONDS)
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionError("the client does not read") from None


async def _focused(service: Service, key: Key, viewer: Viewer) -> bytes:
    try:
        found = await service.detail(key, viewer)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        why = f"its fields cannot be read: {error}"
        found = shown(lambda: {"ns": key[0], "name": key[1], "unreadable": why}, lambda _: {})
    return msgspec.json.encode(found)


def _event(name: bytes, data: bytes) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name, data)
