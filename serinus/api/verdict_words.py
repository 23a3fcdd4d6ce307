"""A sequential verdict in a few words, for lists: `undecided, harm 11 of 20`."""

from __future__ import annotations

import msgspec

from serinus.api.meta import Json


class _Evidence(msgspec.Struct, rename="camel"):
    harm: float = 0.0
    harm_limit: float = 0.0
    safe: float = 0.0
    safe_limit: float = 0.0


class _Value(msgspec.Struct):
    verdict: str
    evidence: _Evidence


def verdict_words(measurement: Json) -> str:
    """ "" for a measurement without a sequential verdict."""
    metadata = measurement.get("metadata")
    value = (
        _value(str(measurement.get("value") or "")) if isinstance(metadata, dict) and "settings" in metadata else None
    )
    if value is None:
        return ""
    return f"{value.verdict}, harm {value.evidence.harm:.2g} of {value.evidence.harm_limit:.3g}"


def evidence_shares(value: str) -> dict[str, float]:
    """The evidence for `harm` and for `safe` as a part of its limit, 1 at the verdict; {} for another value."""
    found = _value(value)
    if found is None or not (found.evidence.harm_limit and found.evidence.safe_limit):
        return {}
    one = found.evidence
    return {"harm": one.harm / one.harm_limit, "safe": one.safe / one.safe_limit}


def _value(text: str) -> _Value | None:
    try:
        value = msgspec.json.decode(text, type=_Value)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None
    return value if value.verdict in ("harm", "safe", "undecided") else None
