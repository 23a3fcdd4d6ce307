"""Times as the API writes them: RFC 3339, UTC. Inside, seconds since the epoch."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from functools import lru_cache

FIRST, LAST = -62_135_596_800, 253_402_300_799
"""Seconds since the epoch of the years 1 and 9999, the first and the last second."""


def parse_time(text: str | None) -> float | None:
    """Seconds since the epoch; None without a time or for invalid text."""
    if not text:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def format_time(seconds: float) -> str:
    """Truncated to whole seconds, for the time of an event. RFC 3339 years have four digits: others are clamped."""
    return _whole(int(min(max(seconds, FIRST), LAST)))


@lru_cache(maxsize=64)
def _whole(seconds: int) -> str:
    """Cached, because one second is often written hundreds of times."""
    return f"{datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()}Z"  # strftime writes the year 1 without zeros


def format_deadline(seconds: float) -> str:
    """Rounded up to whole seconds, so that a wait from here is never shorter than written."""
    return format_time(math.ceil(seconds) if math.isfinite(seconds) else seconds)


def age_words(seconds: float) -> str:
    """`95s`, `3m5s`, `59m`, `5h30m`, `30h`, `3d2h`, `12d`, `2y40d`: as kubectl prints durations."""
    s = max(0, int(seconds))
    m, h, d = s // 60, s // 3600, s // 86400
    if s < 120:
        return f"{s}s"
    if m < 10:
        return f"{m}m{s % 60}s" if s % 60 else f"{m}m"
    if m < 180:
        return f"{m}m"
    if h < 8:
        return f"{h}h{m % 60}m" if m % 60 else f"{h}h"
    if h < 48:
        return f"{h}h"
    if d < 8:
        return f"{d}d{h % 24}h" if h % 24 else f"{d}d"
    if d < 730:
        return f"{d}d"
    return f"{d // 365}y{d % 365}d" if d % 365 else f"{d // 365}y"
