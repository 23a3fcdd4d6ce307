"""Lengths of time as users write them: Go durations (`1m30s`), and the pauses of canary steps."""

from __future__ import annotations

import re

LONGEST_TEXT = 100
"""Most characters of a duration. Go's longest one has 25."""

_PART = re.compile(r"(\d++\.?\d*+|\.\d++)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d++", re.ASCII)
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_LONGEST = (2**63 - 1) / 1e9


def go_duration(text: str) -> float:
    """Seconds of a duration as Go's `time.ParseDuration` reads it: `1h`, `1m30s`, `-1.5s`, `300ms`, `0`.

    A number without a unit is an error, except 0. ValueError states the value found and the expected form.
    """
    if len(text) > LONGEST_TEXT:
        raise ValueError(
            f"{text[:20]!r}… is no duration: it has {len(text)} letters, and at most {LONGEST_TEXT} are read"
        )
    sign, rest = (-1.0, text[1:]) if text.startswith("-") else (1.0, text.removeprefix("+"))
    if rest == "0":
        return 0.0
    seconds, at = 0.0, 0
    while part := _PART.match(rest, at):
        seconds, at = seconds + float(part[1]) * _SECONDS[part[2]], part.end()
    if not rest or at != len(rest):
        raise ValueError(f"{text!r} is no duration: write numbers with a unit (ms, s, m, h), such as 30s, 5m or 1h30m")
    if seconds > _LONGEST:
        raise ValueError(f"{text!r} is too long a duration: the longest is 2562047h (292 years)")
    return sign * seconds


def pause_seconds(value: int | str) -> float:
    """Seconds of a pause: a whole number, or text that holds one, counts seconds; other text is a Go duration.

    ValueError if it is neither. A negative length is returned as it is: validation refuses it with its path.
    """
    if isinstance(value, str) and (len(value) > LONGEST_TEXT or not _WHOLE.fullmatch(value)):
        return go_duration(value)
    try:
        seconds = float(int(value))
    except OverflowError:
        seconds = float("inf")
    if abs(seconds) > _LONGEST:
        raise ValueError(f"{str(value)[:20]}… is too long a pause: the longest is {_LONGEST:.0f} seconds (292 years)")
    return seconds


def with_unit(duration: object) -> str:
    """A pause's duration as it was written, with its unit: a bare number means seconds."""
    text = str(duration)
    return f"{text}s" if text.lstrip("+-").isdigit() else text
