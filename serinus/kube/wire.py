"""One request and one answer of the Kubernetes API, as values.

A `Handler` answers requests. The embedded API server is one (called in-process, no sockets); `https.py` makes one of
a remote API server. Everything above speaks to a Handler and cannot tell them apart.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from serinus.kube.media_types import APPLY_PATCH, JSON, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH

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
    """`path` without query; `query` has the last value of each key; header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""


@dataclass(slots=True)
class Response:
    """`stream` is set for watches and followed logs: pieces of bytes, one JSON line each for a watch; `body` is then empty."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    stream: AsyncIterator[bytes] | None = None


Handler = Callable[[Request], Awaitable[Response]]
