"""Times as the API writes them: RFC 3339, UTC. Inside, seconds since the epoch."""

from __future__ import annotations

import math
from datetime import UTC, datetime


def parse_time(text: str | None) -> float | None:
    """Seconds since the epoch; None for no time and for what is not one."""
    if not text:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def format_time(seconds: float) -> str:
    """Whole seconds, cut off: when something happened."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def format_deadline(seconds: float) -> str:
    """Whole seconds, rounded up: a wait that is counted from here is never shorter than written."""
    return format_time(math.ceil(seconds))
