"""`python -m tests.sim.verdicts --seeds N [--start S]`: releases under sequential verdicts; the last line is JSON.

Each seed is a Rollout with eight releases, half of them good, under faults. It counts the good versions that a verdict
aborted and the bad ones that were promoted. The release of a bad version that waits for no verdict is counted apart.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.sim import promises
from tests.sim.counted_promises import Judged, Jury
from tests.sim.counters import Counters
from tests.sim.history import Action
from tests.sim.people import act
from tests.sim.releases import NAMES, Releases, releases
from tests.sim.store import Change
from tests.sim.watchdog import Violation
from tests.sim.world import Planner, World

BOUND = 0.05
"""`falseAbort` and `falsePass` of the histories: the default."""
PATIENT = 12_000.0
"""Seconds for which a release is watched."""
ASKED_AGAIN = 20.0
"""Seconds after which a user repeats a command that had no effect."""


@dataclass
class Outcome:
    """`runs`: by truth and verdict. `releases`: by truth and end of the release."""

    seed: int
    runs: Counter[str] = field(default_factory=Counter[str])
    releases: Counter[str] = field(default_factory=Counter[str])
    struck: int = 0
    violations: list[Violation] = field(default_factory=list[Violation])


def play(given: Releases, *, plan: Planner | None = None) -> Outcome:
    """Releases one version after the other, and then lets all settle."""
    return _Story(given, plan).played()


class _Story:
    def __init__(self, given: Releases, plan: Planner | None) -> None:
        self.given = given
        self.world = World(given.history, plan=plan)
        self.dog = promises.watch(self.world)
        assert isinstance(self.world.monitoring, Counters)
        self.monitoring = self.world.monitoring
        self.jury = Jury(self.monitoring)
        self.world.store.listeners.append(self._heard)
        self.outcome = Outcome(given.history.seed)

    def _heard(self, change: Change) -> None:
        for what in self.jury.heard(self.dog, change):
            self.dog.broke("follows_from_counts", what)

    def played(self) -> Outcome:
        world, outcome = self.world, self.outcome
        with world.loop.running():
            world.start()
            try:
                self._wait(lambda: world.status.get("phase") == "Healthy", 400.0)
                for place, image in enumerate(NAMES):
                    self._release(image, self.given.gaps[place], resumes=self.given.resumes[place])
                world.new_weather(())
                world.loop.run(world.loop.at + PATIENT, stop=self._quiet)
                promises.settled(self.dog)
            finally:
                outcome.struck = sum(world.weather.struck.values()) + world.kills + self.monitoring.struck
                world.end()
        outcome.runs = self.jury.counts()
        outcome.violations = [*self.dog.violations, *(Violation("no_error", e) for e in world.loop.errors)]
        return outcome

    def _quiet(self) -> bool:
        return self.world.loop.at - max(self.world.last_write, self.world.calm_since) > 130.0

    def _release(self, image: str, gap: float, *, resumes: bool) -> None:
        """`gap` below 0: the next release follows whatever became of this one."""
        world = self.world
        stable = self.monitoring.rate_of(world.status.get("stableRS", ""))
        rate = self.given.history.error_rates[image]
        act(world, Action(world.loop.at, "image", image))
        permits = world.permits
        if gap < 0:
            world.loop.run(world.loop.at - gap)
            return
        asked = 0.0

        def ended() -> bool:
            nonlocal asked
            status = world.status
            if self._is(image, "currentPodHash") and status.get("abort"):
                return True
            if self._is(image, "stableRS") and status.get("phase") == "Healthy":
                return True
            if status.get("phase") == "Paused" and world.loop.at - asked > ASKED_AGAIN:
                reasons = [one["reason"] for one in status.get("pauseConditions") or []]
                if "InconclusiveAnalysisRun" in reasons:
                    again = "promote-full" if asked else "promote"  # a resumed version is judged by a new run
                    asked = world.loop.at
                    act(world, Action(asked, again if resumes else "abort"))
            return False

        if not self._wait(ended, PATIENT):
            self.dog.broke("level_triggered", f"{image} has no end: {world.fingerprint()}")
        self._count(image, rate, stable, commanded=world.permits > permits)
        world.loop.run(world.loop.at + gap)

    def _count(self, image: str, rate: float, stable: float, *, commanded: bool) -> None:
        found = [one for one in self.jury.judged.values() if self._image_of(one.version) == image]
        promoted = self._is(image, "stableRS")
        truth = "good" if rate <= stable else "bad"
        if any(one.good != (truth == "good") for one in found):
            truth = "between"
        self.outcome.releases[f"{truth} {_end(found, promoted=promoted, commanded=commanded)}"] += 1

    def _image_of(self, version: str) -> str:
        return self.monitoring.images.get(version, "")

    def _is(self, image: str, field_name: str) -> bool:
        return self._image_of(self.world.status.get(field_name, "")) == image

    def _wait(self, true: Callable[[], bool], most: float) -> bool:
        end = self.world.loop.at + most
        while self.world.loop.at < end:
            if true():
                return True
            self.world.loop.run(self.world.loop.at + 2.0)
        return False


def _end(found: list[Judged], *, promoted: bool, commanded: bool) -> str:
    words = {one.word for one in found}
    if not promoted:
        return "aborted by verdict" if "harm" in words else "aborted by a user"
    if "harm" in words:
        return "promoted after harm"
    if commanded:
        return "promoted by a user"
    return "promoted as safe" if "safe" in words else "promoted without a verdict"


def summary(outcomes: list[Outcome], start: int) -> dict[str, object]:
    runs, ends = Counter[str](), Counter[str]()
    for one in outcomes:
        runs += one.runs
        ends += one.releases
    good, bad = (sum(count for how, count in runs.items() if how.startswith(truth)) for truth in ("good", "bad"))
    return {
        "seeds": [start, start + len(outcomes) - 1],
        "faults": sum(one.struck for one in outcomes),
        "runs": dict(sorted(runs.items())),
        "releases": dict(sorted(ends.items())),
        "falseAborts": [runs["good harm"], good],
        "falsePasses": [runs["bad safe"], bad],
        "bound": BOUND,
        "violations": sum(bool(one.violations) for one in outcomes),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.verdicts", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many histories")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    gc.set_threshold(100_000, 20, 20)
    outcomes: list[Outcome] = []
    for seed in range(options.start, options.start + options.seeds):
        outcomes.append(play(releases(seed)))
        if outcomes[-1].violations:
            print(f"seed {seed}: {str(outcomes[-1].violations[0])[:300]}", flush=True)
    found = summary(outcomes, options.start)
    print(json.dumps(found))
    return 1 if found["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
