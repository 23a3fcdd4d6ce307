"""An API server that answers with errors for a time."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from serinus.kube.transport import Request, Response

Answer = Callable[[Request], Awaitable[Response | None]]
"""The answer instead; None for the API's own."""
MINUTES = 60


class Trouble:
    """Wraps the API. `answer`: the trouble, while there is one."""

    def __init__(self, store: Any) -> None:
        self.store, self.answer, self.hit = store, None, 0

    answer: Answer | None

    async def __call__(self, request: Request) -> Response:
        if self.answer is not None:
            said = await self.answer(request)
            if said is not None:
                self.hit += 1
                return said
        return await self.store(request)


def status(code: int, reason: str, message: str, **headers: str) -> Response:
    body = {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}
    return Response(code, json.dumps(body).encode(), headers=headers)


def events(play: Any, name: str) -> list[str]:
    return [
        f"{e['reason']}: {e['message']}"
        for (plural, _, _), e in play.store.objects.items()
        if plural == "events" and e["involvedObject"]["name"] == name
    ]
