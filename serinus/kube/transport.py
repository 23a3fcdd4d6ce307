"""One request and one answer of the Kubernetes API, as values.

A `Handler` answers requests. The embedded API server is a handler (called in-process, without sockets). `https.py`
provides one for a remote API server. Callers of a Handler cannot distinguish them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from serinus.kube.http.media_types import APPLY_PATCH, JSON, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH

__all__ = [
    "APPLY_PATCH",
    "JSON",
    "JSON_PATCH",
    "MERGE_PATCH",
    "STRATEGIC_PATCH",
    "Handler",
    "Request",
    "Response",
]


@dataclass(slots=True)
class Request:
    """`path` has no query; `query` has the last value of each key; header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""


@dataclass(slots=True)
class Response:
    """`stream` is set for watches (one JSON line per event) and followed logs, as pieces of bytes; `body` is empty."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    stream: AsyncIterator[bytes] | None = None


Handler = Callable[[Request], Awaitable[Response]]
