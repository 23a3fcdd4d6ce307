"""The journal of changes: no page misses one, and its size depends on the number of Rollouts alone."""

from __future__ import annotations

import random

from serinus.dashboard.journal import SPARE, Journal
from serinus.kube.informer import Key

WEB = ("default", "web")


class Reader:
    """A page as it is to a journal: it shows what it took."""

    def __init__(self) -> None:
        self.read = 0
        self.shown: dict[Key, int] = {}

    def take(self, journal: Journal, lines: dict[Key, int], most: int) -> None:
        keys, self.read = journal.after(self.read, most)
        assert len(keys) <= most
        for key in keys:
            if key in lines:
                self.shown[key] = lines[key]
            else:
                self.shown.pop(key, None)


def test_pages_that_read_at_any_pace_end_with_the_same_list() -> None:
    rng, journal, lines = random.Random(1), Journal(), dict[Key, int]()
    readers = [Reader() for _ in range(5)]
    longest = 0
    for number in range(30_000):
        key = ("default", f"web-{rng.randrange(100)}")
        if key in lines and not rng.randrange(5):
            del lines[key]
        else:
            lines[key] = number
        journal.note(key)
        if not rng.randrange(10):
            rng.choice(readers).take(journal, lines, rng.randrange(1, 20))
        if number % 5000 == 0:
            readers[0] = Reader()  # a page that has just been opened
        if journal.full:
            journal.tidy(lines, min(reader.read for reader in readers))
        longest = max(longest, len(journal))
    assert longest <= 2 * 100 + SPARE + 1
    for reader in readers:
        while reader.read < journal.now:
            reader.take(journal, lines, 7)
        assert reader.shown == lines


def test_rollouts_that_every_page_knows_to_be_gone_are_forgotten() -> None:
    journal = Journal()
    for number in range(10 * SPARE):
        journal.note(("default", f"job-{number}"))
        journal.tidy((), journal.now)
    assert len(journal) == 0
    assert journal.after(0, 10) == (set(), 10 * SPARE)


def test_a_rollout_that_is_gone_is_told_to_the_slowest_page() -> None:
    journal, slow = Journal(), Reader()
    journal.note(WEB)
    slow.take(journal, {WEB: 1}, 1)
    journal.note(WEB)
    journal.tidy((), slow.read)
    slow.take(journal, {}, 1)
    assert not slow.shown
