"""Lengths of time as users write them: Go durations (`1m30s`), and the pauses of canary steps."""

from __future__ import annotations

import re

_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_LONGEST = (2**63 - 1) / 1e9


def go_duration(text: str) -> float:
    """Seconds of a duration as Go's `time.ParseDuration` reads it: `1h`, `1m30s`, `-1.5s`, `300ms`, `0`.

    A number without a unit is an error, save 0. ValueError says what was found and what is expected.
    """
    sign, rest = (-1.0, text[1:]) if text.startswith("-") else (1.0, text.removeprefix("+"))
    if rest == "0":
        return 0.0
    parts = _PART.findall(rest)
    if not parts or "".join(number + unit for number, unit in parts) != rest:
        raise ValueError(f"{text!r} is no duration: write numbers with a unit (ms, s, m, h), such as 30s, 5m or 1h30m")
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if seconds > _LONGEST:
        raise ValueError(f"{text!r} is too long a duration: the longest is 2562047h (292 years)")
    return sign * seconds


def pause_seconds(value: int | str) -> float:
    """Seconds of a pause: a whole number, or text that holds one, counts seconds; other text is a Go duration.

    ValueError if it is neither. A negative length is returned as it is: validation refuses it with its path.
    """
    if isinstance(value, int):
        return float(value)
    return float(int(value)) if re.fullmatch(r"[+-]?\d+", value, re.ASCII) else go_duration(value)
