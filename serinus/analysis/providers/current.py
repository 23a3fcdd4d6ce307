"""The current measurement, for code at any call depth.

Each measurement is a separate task, so each has its own value. Outside of a measurement there is none.
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
    """`namespace`: of the AnalysisRun. `hidden`: secrets that its texts must not show. Each used credential is added.

    `keep`: called with each work in a thread. Such work continues when the measurement is cancelled.
    """

    namespace: str
    hidden: Hidden = field(repr=False)
    keep: Callable[[Work[Any]], None] = field(default=lambda _: None, repr=False)


CURRENT: ContextVar[Current | None] = ContextVar("measurement", default=None)


def hide(*secrets: str) -> None:
    """Hide these in all texts of the current measurement. Call it before a credential is used."""
    current = CURRENT.get()
    if current is not None:
        current.hidden.add(*secrets)
