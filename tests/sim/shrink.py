"""Makes a history that breaks a promise smaller, for as long as the same promise breaks."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import structs

from tests.sim.history import History
from tests.sim.run import run
from tests.sim.watchdog import Violation
from tests.sim.world import Planner

LISTS = ("actions", "kills", "episodes", "late_episodes", "troubles", "late_troubles")
TRIES = 400


def shrink(history: History, *, plan: Planner | None = None) -> tuple[History, Violation]:
    """The smaller history, and how it breaks. ValueError if it breaks nothing."""
    found = _breaks(history, plan)
    if found is None:
        raise ValueError(f"seed {history.seed} breaks no promise")
    tries = 0
    smaller = True
    while smaller and tries < TRIES:
        smaller = False
        for candidate in _smaller(history):
            tries += 1
            now = _breaks(candidate, plan)
            if now is not None and now.promise == found.promise:
                history, found, smaller = candidate, now, True
                break
            if tries >= TRIES:
                break
    return history, found


def _breaks(history: History, plan: Planner | None) -> Violation | None:
    violations = run(history, plan=plan).violations
    return violations[0] if violations else None


def _smaller(history: History) -> Iterator[History]:
    for name in LISTS:
        items = getattr(history, name)
        if len(items) > 1:
            yield structs.replace(history, **{name: ()})
    if history.elected:
        yield structs.replace(history, elected=False)
    for name in LISTS:
        items = getattr(history, name)
        for i in range(len(items)):
            yield structs.replace(history, **{name: items[:i] + items[i + 1 :]})
    if history.closing != "release":
        yield structs.replace(history, closing="release")
