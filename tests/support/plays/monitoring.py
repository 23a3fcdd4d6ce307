"""The monitoring system of a play: it gives the play's answers, and reports its queries, like the recorder's."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from serinus.analysis.providers.http.client import Http, HttpResponse

Json = dict[str, Any]

METRICS = "127.0.0.1:59999"
"""Replaces `$METRICS` in a play; nothing listens there, and no request leaves this process."""
UNKNOWN = {"status": 404, "body": "not found"}


class Monitoring(Http):
    """An HTTP client of providers of which every request ends here.

    `answers`: path -> the body, or its `status`, `headers` and `body`; they may be changed at any time. `tell` receives each request.
    """

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[str, Any] = {}
        self.tell: Callable[[Json], None] = lambda asked: None

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        seconds: float = 30.0,
        insecure: bool = False,
        shown: str | None = None,
        follow: bool = True,
    ) -> HttpResponse:
        parts = urlsplit(url)
        assert parts.netloc == METRICS, f"a play asks its own monitoring system, not {url}"
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        told = {name: value for name, value in (headers or {}).items() if name == "X-K"}
        self.tell({"asked": f"{method} {target}", **({"body": body.decode()} if body else {}), **told})
        answer: Any = self.answers.get(parts.path, UNKNOWN)
        whole: Json = answer if isinstance(answer, dict) and "body" in answer else {"body": answer}
        text = whole["body"] if isinstance(whole["body"], str) else json.dumps(whole["body"])
        headers = {"content-type": "application/json", **whole.get("headers", {})}
        return HttpResponse(whole.get("status", 200), headers, text.encode())
