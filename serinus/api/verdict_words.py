"""A sequential verdict in a few words, for lists: `undecided, harm 11 of 20`."""

from __future__ import annotations

import msgspec

from serinus.api.meta import Json


class _Evidence(msgspec.Struct, rename="camel"):
    harm: float = 0.0
    harm_limit: float = 0.0


class _Value(msgspec.Struct):
    verdict: str
    evidence: _Evidence


def verdict_words(measurement: Json) -> str:
    """ "" for a measurement without a sequential verdict."""
    metadata = measurement.get("metadata")
    if not isinstance(metadata, dict) or "settings" not in metadata:
        return ""
    try:
        value = msgspec.json.decode(str(measurement.get("value") or ""), type=_Value)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return ""
    if value.verdict not in ("harm", "safe", "undecided"):
        return ""
    return f"{value.verdict}, harm {value.evidence.harm:.2g} of {value.evidence.harm_limit:.3g}"
