"""Text that other people wrote, for a terminal."""

from __future__ import annotations

_KEPT = "\n\t\u00a0\u200d"


def visible(text: str) -> str:
    """Control characters written out: a message, an image or a reason in a status cannot move the cursor or hide a line."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in _KEPT else f"\\x{ord(c):02x}" for c in text)
