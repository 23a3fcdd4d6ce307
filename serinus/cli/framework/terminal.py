"""The only path to standard output and standard error. It keeps untrusted text from controlling the terminal.

Names, messages and images come from untrusted objects, servers and programs. `attach` replaces both streams by a
`Screen`, and all output passes through it. The Screen writes control characters visibly (`serinus.api.messages.visible`), on a
terminal and in a pipe. For its own colours and cursor movements the code prints a mark. The mark contains a random
number of this process, and only the Screen turns a mark into a sequence. Untrusted text cannot contain that number.
"""

from __future__ import annotations

import io
import os
import sys

from serinus.api.messages.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

_DRAWN = f"<{os.urandom(12).hex()}:"
_SEQUENCES: dict[str, str] = {}
"""mark -> control sequence. Bounded: `own` is called with constants."""


def own(sequence: str) -> str:
    """The mark that represents our control sequence until it is printed."""
    if not sequence:
        return ""
    for mark, known in _SEQUENCES.items():
        if known == sequence:
            return mark
    mark = f"{_DRAWN}{len(_SEQUENCES)}>"
    _SEQUENCES[mark] = sequence
    return mark


def unmarked(text: str) -> str:
    """The text without our marks, as it is visible."""
    if _DRAWN in text:
        for mark in _SEQUENCES:
            text = text.replace(mark, "")
    return text


def shown(text: str) -> str:
    """The output of `text` on a terminal."""
    text = visible(text)
    if _DRAWN in text:
        for mark, sequence in _SEQUENCES.items():
            text = text.replace(mark, sequence)
    return text


class Screen(io.TextIOBase):
    """A text stream in front of another. It has no `buffer`, so bytes cannot bypass it."""

    def __init__(self, below: TextIO) -> None:
        super().__init__()
        self._below = below

    @property
    def encoding(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self._below.encoding

    @property
    def errors(self) -> str | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self._below.errors

    def write(self, text: str, /) -> int:
        """The number of characters of `text`."""
        self._below.write(shown(text))
        return len(text)

    def writelines(self, lines: Iterable[str], /) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.write("".join(lines))

    def flush(self) -> None:
        self._below.flush()

    def fileno(self) -> int:
        return self._below.fileno()

    def isatty(self) -> bool:
        return self._below.isatty()

    def writable(self) -> bool:
        return True

    def below(self) -> TextIO:
        """The stream below, for a library that draws from text that is already `visible`."""
        return self._below


def attach() -> None:
    """Send all further output through a Screen."""
    if not isinstance(sys.stdout, Screen):
        sys.stdout = Screen(sys.stdout)
    if not isinstance(sys.stderr, Screen):
        sys.stderr = Screen(sys.stderr)


def below(stream: TextIO) -> TextIO:
    """The stream below a Screen; any other stream itself."""
    return stream.below() if isinstance(stream, Screen) else stream
