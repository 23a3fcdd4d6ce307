"""The measurement under way, for code that works for it at any depth.

Each measurement is a task of its own, so each has its own. Outside of one there is nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future as Work
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from serinus.analysis.hiding import Hidden


@dataclass(frozen=True, slots=True)
class Current:
    """`namespace`: of the AnalysisRun. `hidden`: what its texts must not show; it grows with each credential that is used.

    `keep`: called with each work that a thread does for it, which goes on when the measurement is cancelled.
    """

    namespace: str
    hidden: Hidden = field(repr=False)
    keep: Callable[[Work[Any]], None] = field(default=lambda _: None, repr=False)


CURRENT: ContextVar[Current | None] = ContextVar("measurement", default=None)


def hide(*secrets: str) -> None:
    """Keeps these out of all that the measurement under way shows. To be called before a credential is used."""
    current = CURRENT.get()
    if current is not None:
        current.hidden.add(*secrets)
