"""Updates for open pages: changed lines of the list, and one Rollout for each page that shows it.

Changes within BLINK_SECONDS are merged. A line is made and encoded once for all pages, and sent only if it differs. A
page holds its place in the journal of changes, so a further page costs no memory for the Rollouts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable
from heapq import nsmallest
from typing import Any

import msgspec

from serinus.dashboard.journal import Journal
from serinus.dashboard.packed import packed
from serinus.dashboard.rows import AT_REST, row, unreadable
from serinus.dashboard.store import World
from serinus.kube.informer import Key
from serinus.view.rollout_info import Surroundings, rollout_info

log = logging.getLogger(__name__)

BLINK_SECONDS = 0.03
"""Longer than a burst of writes, and too short to notice."""

AT_ONCE = 200
"""Lines made before other tasks run."""

PIECE = 20
"""Lines in one event. A page that does not read holds about this many in memory."""

MOST_PAGES = 500
MOST_OF_ONE = 100
"""Pages of one user of a team: he must not lock out the others."""

MOST_STRANGERS = 100
"""Pages that are not signed in: they may read, and must not lock out the dashboard's owner."""


class TooManyPages(Exception):
    """The limit of open pages is reached: a sentence for the user."""


class Page:
    """One open page. `wake` is set when it has something to fetch. `focus`: the one Rollout that it shows."""

    def __init__(self, journal: Journal, focus: Key | None, *, stranger: bool = False, user: str = "") -> None:
        self.focus, self.stranger, self.user = focus, stranger, user
        self.read = 0
        """Number of the last change that it has taken."""
        self.again: set[Key] = set()
        """Rollouts to take again, although they did not change."""
        self.visible = True
        """Whether the user may see the one Rollout that the page shows."""
        self.focus_changed = True
        self.state_changed = True
        self.complete = False
        """Whether the page has received the complete first list."""
        self.wake = asyncio.Event()
        self.wake.set()
        self._journal = journal

    async def woken(self, seconds: float) -> bool:
        """Whether there is something to fetch within `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                return await self.wake.wait()
        except TimeoutError:
            return False

    @property
    def behind(self) -> bool:
        """Whether there are Rollouts to take."""
        return bool(self.again) or self.read < self._journal.now

    def take(self, most: int = PIECE) -> set[Key]:
        """The next Rollouts to send, at most `most`; the page is `behind` if there are more."""
        if self.again:
            return {self.again.pop() for _ in range(min(most, len(self.again)))}
        keys, self.read = self._journal.after(self.read, most)
        return keys


class Hub:
    def __init__(self) -> None:
        self.lines: dict[Key, bytes] = {}
        """The list: one packed JSON object for each Rollout."""
        self._urgent: dict[Key, int] = {}
        """Urgency of each Rollout that is not at rest."""
        self._journal = Journal()
        self._pages: set[Page] = set()
        self._dirty: set[Key] = set()
        self._something = asyncio.Event()
        self._busy = False

    def changed(self, key: Key) -> None:
        """Marks the Rollout as changed."""
        self._dirty.add(key)
        self._something.set()

    def clear(self) -> None:
        """Discards all lines."""
        self.lines.clear()
        self._urgent.clear()

    def state_changed(self) -> None:
        """Notifies all pages that the state of the view has changed."""
        for page in self._pages:
            page.state_changed = True
            page.wake.set()

    def check_place(self, *, stranger: bool, user: str = "") -> None:
        """Raises TooManyPages if no further page can open. `user`: of a team."""
        if user and sum(page.user == user for page in self._pages) >= MOST_OF_ONE:
            raise TooManyPages(f"{MOST_OF_ONE} of your pages are open already: close one.")
        if len(self._pages) >= MOST_PAGES:
            raise TooManyPages(f"{MOST_PAGES} pages are open already: close one.")
        if stranger and sum(page.stranger for page in self._pages) >= MOST_STRANGERS:
            raise TooManyPages(
                f"{MOST_STRANGERS} pages that are not signed in are open already: close one, "
                "or open the dashboard at the address that it printed, with its token."
            )

    def open(self, focus: Key | None = None, *, stranger: bool = False, user: str = "") -> Page:
        """Opens a page for all Rollouts, or for `focus` alone. `stranger`: not signed in. `user`: of a team. Raises
        TooManyPages."""
        self.check_place(stranger=stranger, user=user)
        page = Page(self._journal, focus, stranger=stranger, user=user)
        self._pages.add(page)
        return page

    def close(self, page: Page) -> None:
        self._pages.discard(page)

    def most_urgent(self, most: int, namespaces: Collection[str]) -> list[Key]:
        """The first Rollouts of the list in its usual order: by urgency, then by name."""
        keys = (key for key in self.lines if key[0] in namespaces)
        return nsmallest(most, keys, key=lambda key: (self._urgent.get(key, AT_REST), key[1], key[0]))

    @property
    def quiet(self) -> bool:
        """Whether `lines` contains every reported change."""
        return not self._dirty and not self._busy

    @property
    def pages(self) -> int:
        return len(self._pages)

    async def run(self, world: World) -> None:
        """Makes the lines of changed Rollouts, until cancelled."""
        while True:
            await self._something.wait()
            await asyncio.sleep(BLINK_SECONDS)
            self._something.clear()
            waiting, self._busy = list(self._dirty), True
            self._dirty.clear()
            while waiting:
                now, waiting = waiting[:AT_ONCE], waiting[AT_ONCE:]
                self._renew(world, now)
                await asyncio.sleep(0)
            self._busy = False
            for page in self._pages:
                if not page.complete:
                    page.wake.set()

    def _renew(self, world: World, keys: Iterable[Key]) -> None:
        before = self._journal.now
        for key in keys:
            made = _row(world, key)
            line = None if made is None else _packed(made)
            if line == self.lines.get(key):
                continue
            self._journal.note(key)
            self._urgent.pop(key, None)
            if made is None or line is None:
                del self.lines[key]
                continue
            self.lines[key] = line
            if (urgency := int(made["urgency"])) != AT_REST:
                self._urgent[key] = urgency
        if self._journal.full:
            self._journal.tidy(self.lines, min((p.read for p in self._pages if p.focus is None), default=before))
        seen = set(keys)
        for page in self._pages:
            if page.focus is None and self._journal.now > before:
                page.wake.set()
            elif page.focus in seen:
                page.focus_changed = True
                page.wake.set()


def line_of(world: World, key: Key, *, bare: bool = False) -> bytes | None:
    """The packed line; None if there is no such Rollout. `bare`: without the objects around it."""
    made = _row(world, key, bare=bare)
    return None if made is None else _packed(made)


def _row(world: World, key: Key, *, bare: bool = False) -> dict[str, Any] | None:
    rollout = world.json(key)
    if rollout is None:
        return None

    def make() -> dict[str, Any]:
        return row(rollout_info(rollout, Surroundings() if bare else world.around(key)), rollout)

    return shown(make, lambda why: unreadable(*key, why))


def _packed(made: dict[str, Any]) -> bytes:
    return packed(msgspec.json.encode(made))


def shown(make: Callable[[], dict[str, Any]], instead: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    """The result of `make`; if an object has unexpected content, `instead` with the reason."""
    try:
        return make()
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError, msgspec.ValidationError) as error:
        return instead(str(error))
