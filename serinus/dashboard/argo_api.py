"""The HTTP API of Argo Rollouts' dashboard, so that its existing clients continue to work.

Source: the command line, section 3. Every failure of a call is HTTP 500 with `{"code": 2, "message": …}`. Unlike the
original, a change needs the dashboard's token, and `undo` and `set` return a response.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from aiohttp import web

import serinus
from serinus.dashboard import bodies
from serinus.dashboard.commands import NothingToDo, Refused, Seen
from serinus.dashboard.hub import shown
from serinus.dashboard.identity.gate import ASKER, viewer_of
from serinus.dashboard.identity.viewer import Viewer
from serinus.dashboard.service import Service
from serinus.dashboard.stream import is_stranger, lasts, write
from serinus.kube.errors import ApiError
from serinus.kube.informer import Key
from serinus.view.rollout_info import rollout_info
from serinus.view.rollout_json import rollout_json

Json = dict[str, Any]

COMMENT_SECONDS = 15.0
SYNC_SECONDS = 10.0
"""Seconds that a call waits for the first list."""

AGAIN_SECONDS = 1.0
"""Seconds. A watched Rollout is sent at least this often."""


def add_routes(app: web.Application, base: str, service: Service) -> None:
    api = _OldApi(service)
    one = f"{base}/rollouts/{{ns}}/{{name}}"
    app.add_routes(
        [
            web.get(f"{base}/version", api.version),
            web.get(f"{base}/namespace", api.namespace),
            web.get(f"{base}/rollouts/{{ns}}/info", api.list),
            web.get(f"{base}/rollouts/{{ns}}/info/watch", api.watch_list),
            web.get(f"{one}/info", api.get),
            web.get(f"{one}/info/watch", api.watch),
            web.put(f"{one}/{{action:promote|abort|retry|restart}}", api.act),
            web.put(f"{one}/undo/{{revision}}", api.undo),
            web.put(f"{one}/set/{{container}}/{{image:.+}}/{{tag}}", api.set_image),
        ]
    )


class _OldApi:
    def __init__(self, service: Service) -> None:
        self._service = service

    async def version(self, request: web.Request) -> web.StreamResponse:
        return _answer({"rolloutsVersion": f"v{serinus.__version__}+serinus"})

    async def namespace(self, request: web.Request) -> web.StreamResponse:
        await self._synced()
        there = {ns for ns, _ in self._service.world.rollouts.items}
        available = sorted(await viewer_of(request).visible(there))
        return _answer({"namespace": self._service.home, "availableNamespaces": available})

    async def list(self, request: web.Request) -> web.StreamResponse:
        if (failure := await self._synced()) is not None:
            return failure
        ns = request.match_info["ns"]
        keys = sorted(key for key in self._service.world.rollouts.items if key[0] == ns)
        viewer = viewer_of(request)
        infos = [info for key in keys if (info := await self._info(key, viewer, short=True)) is not None]
        return _answer({"rollouts": infos} if infos else {})

    async def get(self, request: web.Request) -> web.StreamResponse:
        if (failure := await self._synced()) is not None:
            return failure
        info = await self._info(_key(request), viewer_of(request))
        if info is None:
            return _failure(f'rollout.argoproj.io "{request.match_info["name"]}" not found')
        return _answer(info)

    async def act(self, request: web.Request) -> web.StreamResponse:
        ns, name = _key(request)
        action = request.match_info["action"]
        if action == "promote":
            body = msgspec.json.decode(await bodies.read(request) or b"{}")
            action = "promote-full" if isinstance(body, dict) and body.get("full") else "promote"
        return await _changed(viewer_of(request).changes.act(ns, name, action, Seen()))

    async def undo(self, request: web.Request) -> web.StreamResponse:
        revision = request.match_info["revision"]
        if not re.fullmatch(r"[0-9]{1,18}", revision):
            return _failure(f"{revision[:40]!r} is no revision: it must be a number, 0 for the previous one")
        return await _changed(viewer_of(request).changes.undo(*_key(request), int(revision), Seen()))

    async def set_image(self, request: web.Request) -> web.StreamResponse:
        container, image, tag = (request.match_info[part] for part in ("container", "image", "tag"))
        return await _changed(viewer_of(request).changes.set_image(*_key(request), container, f"{image}:{tag}", Seen()))

    async def watch(self, request: web.Request) -> web.StreamResponse:
        self._service.hub.check_place(stranger=is_stranger(request), user=viewer_of(request).name)
        key, viewer = _key(request), viewer_of(request)

        async def infos() -> AsyncIterator[Json]:
            page = self._service.hub.open(key, stranger=is_stranger(request), user=viewer.name)
            try:
                while True:
                    page.wake.clear()
                    if (info := await self._info(key, viewer)) is not None:
                        yield info
                    await page.woken(AGAIN_SECONDS)
            finally:
                self._service.hub.close(page)

        return await _streamed(request, infos())

    async def watch_list(self, request: web.Request) -> web.StreamResponse:
        self._service.hub.check_place(stranger=is_stranger(request), user=viewer_of(request).name)
        ns, viewer = request.match_info["ns"], viewer_of(request)

        async def updates() -> AsyncIterator[Json]:
            page = self._service.hub.open(stranger=is_stranger(request), user=viewer.name)
            try:
                while True:
                    await page.wake.wait()
                    page.wake.clear()
                    behind = True
                    while behind:
                        keys, behind = page.take(), page.behind
                        for key in sorted(keys):
                            if key[0] == ns and (info := await self._info(key, viewer, short=True)) is not None:
                                yield {"type": "Updated", "rolloutInfo": info}
            finally:
                self._service.hub.close(page)

        return await _streamed(request, updates())

    async def _info(self, key: Key, viewer: Viewer, *, short: bool = False) -> Json | None:
        visible = await self._service.seen(key, viewer)
        if visible is None:
            return None
        rollout, around = visible
        return shown(
            lambda: rollout_json(rollout, rollout_info(rollout, around), around, short=short),
            lambda why: {"objectMeta": {"name": key[1], "namespace": key[0]}, "status": "Unknown", "message": why},
        )

    async def _synced(self) -> web.StreamResponse | None:
        """None once the first list is complete, else the failure response."""
        rollouts = self._service.world.rollouts
        try:
            async with asyncio.timeout(0.01 if rollouts.error else SYNC_SECONDS):
                await rollouts.synced.wait()
        except TimeoutError:
            return _failure(rollouts.error or "the API server has not answered yet")
        return None


async def _streamed(request: web.Request, results: AsyncIterator[Json]) -> web.StreamResponse:
    """Streams each result as a server-sent event, or as a line of JSON if the client does not accept events."""
    events = "text/event-stream" in request.headers.get("Accept", "")
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream" if events else "application/json"})
    await response.prepare(request)
    lasts(request)
    following = asyncio.ensure_future(anext(results))
    try:
        while True:
            done, _ = await asyncio.wait((following,), timeout=COMMENT_SECONDS)
            if await request[ASKER].ended():
                return response
            if not done:
                if events:
                    await write(request, response, b":\n")
                continue
            body = msgspec.json.encode({"result": following.result()})
            await write(request, response, b"data: %b \n\n" % body if events else body + b"\n")
            following = asyncio.ensure_future(anext(results))
    except (ConnectionError, asyncio.CancelledError):
        return response  # the client has disconnected, or the server stops
    finally:
        following.cancel()
        await asyncio.wait((following,))


async def _changed(change: Any) -> web.StreamResponse:
    try:
        return _answer(await change)
    except NothingToDo as unchanged:
        return _answer(unchanged.rollout)
    except (ApiError, Refused) as error:
        return _failure(str(error))


def _key(request: web.Request) -> Key:
    return request.match_info["ns"], request.match_info["name"]


def _answer(body: Json) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), content_type="application/json")


def _failure(message: str) -> web.Response:
    return web.Response(
        status=500, body=msgspec.json.encode({"code": 2, "message": message}), content_type="application/json"
    )
