"""The output of the demo: a live view on a terminal, elsewhere one line for each change, with its time."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from serinus.api.messages.counted import counted
from serinus.api.messages.visible import visible
from serinus.cli.framework.terminal import below

if TYPE_CHECKING:
    from rich.text import Text

PAINT = {"blue": "blue", "green": "green", "": "red"}
BAR = 40


@dataclass
class ScreenView:
    """The current view. `ratio`: percent of the last seconds' responses by colour."""

    doing: str = ""
    why: str = ""
    steps: list[str] = field(default_factory=list[str])
    step: int = 0
    """Index of the current step; the number of steps when all are done."""
    ratio: dict[str, float] = field(default_factory=dict[str, float])
    requests: int = 0
    failed: int = 0


class DemoScreen(Protocol):
    view: ScreenView
    live: bool
    """Whether the view is redrawn on a terminal."""

    def say(self, text: str) -> None:
        """Print an event. It stays on the screen."""
        ...

    def refresh(self) -> None: ...

    def close(self) -> None: ...


class Lines:
    """Output that is no terminal: no redraw. A new reason for waiting is a change too."""

    def __init__(self) -> None:
        self.view, self.live = ScreenView(), False
        self._start, self._why = time.monotonic(), ""

    def say(self, text: str) -> None:
        for line in text.splitlines():
            print(f"{time.monotonic() - self._start:6.1f}s  {line}", flush=True)

    def refresh(self) -> None:
        if self.view.why != self._why:
            self._why = self.view.why
            if self._why:
                self.say(f"… {self._why}")

    def close(self) -> None:
        pass


class Live:
    """Output on a terminal: events scroll, and the current state stays below them."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive

        self.view, self.live = ScreenView(), True
        self._start = time.monotonic()
        # Rich draws below the Screen, so all its text goes through `_words`. Output of other code while it draws
        # goes through the Screen, not through Rich, which would pass on its control sequences.
        self._console = Console(highlight=False, file=below(sys.stdout))
        self._live = RichLive(
            console=self._console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        )
        self._live.start()

    def say(self, text: str) -> None:
        for line in text.splitlines():
            self._console.print(_words([(f"{time.monotonic() - self._start:6.1f}s  {line}", "")]))

    def refresh(self) -> None:
        self._live.update(self._picture(), refresh=True)

    def _picture(self) -> Text:
        view = self.view
        text: list[tuple[str, str]] = []
        for index, step in enumerate(view.steps):
            mark, style = ("✓", "dim") if index < view.step else ("▶", "bold") if index == view.step else (" ", "")
            text.append((f"   {mark} {step}\n", style))
        if view.ratio:
            text.append(("\n   ", ""))
            for color, percent in sorted(view.ratio.items()):
                text.append(("█" * round(BAR * percent / 100), PAINT.get(color, "white")))
            for color, percent in sorted(view.ratio.items()):
                text.append((f"  {color or 'failed'} {percent:.0f} %", PAINT.get(color, "white")))
            text.append((f"   {counted(view.requests, 'answer')}, {view.failed} failed\n", ""))
        text.append((f"\n   {view.doing}\n", "bold"))
        if view.why:
            text.append((f"   {view.why}\n", ""))
        return _words(text)

    def close(self) -> None:
        self._live.stop()


def _words(pieces: Iterable[tuple[str, str]]) -> Text:
    """(text, style) as Rich draws it."""
    from rich.text import Text

    text_line = Text()
    for text, style in pieces:
        text_line.append(visible(text), style=style)
    return text_line


def screen(*, once: bool) -> DemoScreen:
    plain = once or not sys.stdout.isatty() or os.environ.get("TERM") == "dumb" or os.environ.get("ACCESSIBLE") == "1"
    return Lines() if plain else Live()
