"""Colours of words and signs in a terminal."""

from __future__ import annotations

import os
from collections.abc import Mapping

from serinus.api.records import record
from serinus.cli.framework.terminal import own, unmarked

_COLORS = {
    33: ("◷", "?", "canary"),
    94: ("◌", "preview", "ping", "pong", "Pending", "Running"),
    32: ("✔", "stable", "active"),
    31: ("✖", "⚠"),
}
_OF = {word: color for color, words in _COLORS.items() for word in words}
_END = own("\x1b[0m")


@record(frozen=True)
class Paint:
    on: bool

    def __call__(self, text: str, like: str | None = None) -> str:
        """`text` in the colour of the word or sign `like`, by default its own."""
        if not self.on:
            return text
        color = _OF.get(text if like is None else like, 0)
        return own(f"\x1b[{color}m") + text + _END

    @staticmethod
    def width(text: str) -> int:
        """The number of visible characters."""
        return len(unmarked(text))


def paint(no_color: bool, environ: Mapping[str, str] | None = None) -> Paint:
    """Colours unless `--no-color`, `TERM=dumb` or `NO_COLOR` turns them off. A pipe gets them too."""
    env = os.environ if environ is None else environ
    return Paint(not no_color and env.get("TERM") != "dumb" and not env.get("NO_COLOR"))
