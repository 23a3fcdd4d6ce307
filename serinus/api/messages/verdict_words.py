"""A sequential verdict in a few words, for lists: `undecided, harm 11 of 20`."""

from __future__ import annotations

from typing import Any

from serinus.api.records import record

Json = dict[str, Any]


@record()
class _Value:
    """The value of a measurement. Numbers are evidence and its limits, 0 where there are none."""

    verdict: str
    harm: float
    harm_limit: float
    safe: float
    safe_limit: float


def verdict_words(measurement: Json) -> str:
    """ "" for a measurement without a sequential verdict."""
    metadata = measurement.get("metadata")
    value = (
        _value(str(measurement.get("value") or "")) if isinstance(metadata, dict) and "settings" in metadata else None
    )
    if value is None:
        return ""
    return f"{value.verdict}, harm {value.harm:.2g} of {value.harm_limit:.3g}"


def evidence_shares(value: str) -> dict[str, float]:
    """The evidence for `harm` and for `safe` as a part of its limit, 1 at the verdict; {} for another value."""
    parsed = _value(value)
    if parsed is None or not (parsed.harm_limit and parsed.safe_limit):
        return {}
    return {"harm": parsed.harm / parsed.harm_limit, "safe": parsed.safe / parsed.safe_limit}


def _value(text: str) -> _Value | None:
    import json  # lists of other Rollouts start without it

    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    evidence = value.get("evidence") if isinstance(value, dict) else None
    if not isinstance(evidence, dict) or value.get("verdict") not in ("harm", "safe", "undecided"):
        return None
    numbers = [evidence.get(key, 0.0) for key in ("harm", "harmLimit", "safe", "safeLimit")]
    if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in numbers):
        return None
    harm, harm_limit, safe, safe_limit = map(float, numbers)
    return _Value(value["verdict"], harm, harm_limit, safe, safe_limit)
