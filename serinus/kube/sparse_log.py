"""Limits log lines that external clients can cause: a few equal lines a minute are written, the rest is counted."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

SECONDS = 60.0
MOST = 5
"""Lines of one kind in that time. A kind is a place in the code and a type of failure, regardless of values."""

_KINDS = 500


class Sparse(logging.Filter):
    """A filter for a handler. The first line after each period reports how many were omitted."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._seen: dict[object, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        failure = record.exc_info[0] if record.exc_info else None
        kind = (record.name, record.msg if isinstance(record.msg, str) else record.lineno, failure)
        now = self._now()
        if len(self._seen) > _KINDS:
            self._seen.clear()
        began, count = self._seen.get(kind, (now, 0))
        left_out = count - MOST if now - began >= SECONDS else 0
        if now - began >= SECONDS:
            began, count = now, 0
        self._seen[kind] = (began, count + 1)
        if left_out > 0:
            record.msg, record.args = f"{record.getMessage()} ({left_out} more like it were left out)", ()
        return count < MOST


class OwnFlaws(logging.Filter):
    """A filter for the logger of an HTTP server. It drops errors of clients that send no valid request."""

    def filter(self, record: logging.LogRecord) -> bool:
        from aiohttp.http_exceptions import HttpProcessingError

        return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError | ConnectionError))


def silence_senders() -> None:
    """Drops errors caused by clients from the log of aiohttp's server. It is idempotent."""
    logger = logging.getLogger("aiohttp.server")
    if not any(isinstance(one, OwnFlaws) for one in logger.filters):
        logger.addFilter(OwnFlaws())
