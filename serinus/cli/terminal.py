"""The one way to standard output and standard error: what other people wrote cannot steer the terminal.

Names, messages and images come from objects, servers and programs that others write. `attach` puts a `Screen` in the place
of both streams, and everything that is printed goes through it: control characters are written out (`serinus.api.visible`),
on a terminal and in a pipe alike. Colours and cursor movements of our own are not recognised by their look, which anybody
can imitate: the code prints a mark with a number that this process drew at its start, and only the Screen turns a mark into
a sequence. No text from elsewhere can hold that number.
"""

from __future__ import annotations

import io
import os
import sys

from serinus.api.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

_DRAWN = f"<{os.urandom(12).hex()}:"
_SEQUENCES: dict[str, str] = {}
"""mark -> what a terminal gets. Bounded: `own` is called with constants."""


def own(sequence: str) -> str:
    """The mark that stands for a control sequence of ours until it is printed."""
    if not sequence:
        return ""
    for mark, known in _SEQUENCES.items():
        if known == sequence:
            return mark
    mark = f"{_DRAWN}{len(_SEQUENCES)}>"
    _SEQUENCES[mark] = sequence
    return mark


def unmarked(text: str) -> str:
    """Without our marks: what is seen, and takes room."""
    if _DRAWN in text:
        for mark in _SEQUENCES:
            text = text.replace(mark, "")
    return text


def shown(text: str) -> str:
    """What a terminal gets for `text`."""
    text = visible(text)
    if _DRAWN in text:
        for mark, sequence in _SEQUENCES.items():
            text = text.replace(mark, sequence)
    return text


class Screen(io.TextIOBase):
    """A text stream in front of another. It has no `buffer`: there is no way past it for bytes."""

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
        """For a library that draws by itself, from text that was made `visible` before."""
        return self._below


def attach() -> None:
    """From here on all output goes through a Screen."""
    if not isinstance(sys.stdout, Screen):
        sys.stdout = Screen(sys.stdout)
    if not isinstance(sys.stderr, Screen):
        sys.stderr = Screen(sys.stderr)


def below(stream: TextIO) -> TextIO:
    """What is below a Screen; another stream is its own."""
    return stream.below() if isinstance(stream, Screen) else stream
