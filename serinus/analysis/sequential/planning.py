"""The duration of a step that finds harm, from simulated releases with the same code as real ones.

Pure: chance is an argument, a function that returns numbers from 0 to 1. The same chance gives the same plan.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from serinus.analysis.sequential.looks import Look
from serinus.analysis.sequential.settings import VerdictSettings
from serinus.analysis.sequential.tally import Tally

Chance = Callable[[], float]
RUNS = 300
"""Simulated releases: the error of a share is ±6 percentage points."""
PARTS = (0.5, 0.8, 0.95)
LOOKS = 240
"""Most looks of a simulated step. Joined looks of one weight hold the same evidence, so a longer step is simulated
with longer looks."""
LONGEST = 30 * 24 * 3600.0
"""Seconds after which a plan reports that harm is not found."""


@dataclass(frozen=True, slots=True)
class ExpectedTraffic:
    """`requests`: of both versions together in a minute. `rate`: of errors of the stable version."""

    requests: float
    rate: float
    interval: float = 30.0


@dataclass(frozen=True, slots=True)
class Times:
    """The sorted times of the verdicts of simulated releases at one weight, in seconds; infinity without a verdict."""

    seconds: tuple[float, ...]

    def within(self, seconds: float) -> float:
        """The share of releases with a verdict by then."""
        return bisect_right(self.seconds, seconds) / len(self.seconds)

    def by(self, part: float) -> float | None:
        """The seconds until this share of releases has a verdict; None if that exceeds LONGEST."""
        seconds = self.seconds[min(len(self.seconds), math.ceil(part * len(self.seconds))) - 1]
        return None if seconds == math.inf else seconds


def times_to_harm(
    settings: VerdictSettings, traffic: ExpectedTraffic, weight: float, ratio: float, chance: Chance, runs: int = RUNS
) -> Times:
    """The times until harm is found at this weight (0 to 1) with `ratio` times the errors, from the start of a step."""
    return _times(settings, traffic, weight, ratio, "harm", chance, runs)


def times_to_safe(
    settings: VerdictSettings, traffic: ExpectedTraffic, weight: float, chance: Chance, runs: int = RUNS
) -> Times:
    """The times until a version with the error rate of the stable one gets the verdict safe."""
    return _times(settings, traffic, weight, 1.0, "safe", chance, runs)


def found_by_step(
    settings: VerdictSettings,
    traffic: ExpectedTraffic,
    steps: Sequence[tuple[float, float]],
    ratio: float,
    chance: Chance,
    runs: int = RUNS,
) -> list[float]:
    """The share of releases in which harm is found by the end of each step, from looks since the first step.

    `steps`: (weight from 0 to 1, seconds).
    """
    first_harm = [0] * len(steps)
    for _ in range(runs):
        tally = Tally(settings)
        for place, (weight, seconds) in enumerate(steps):
            looks = min(LOOKS, max(1, int(seconds / traffic.interval)))
            draw = _look(traffic, weight, ratio, seconds / looks)
            if any(tally.add(draw(chance)).verdict == "harm" for _ in range(looks if seconds else 0)):
                first_harm[place] += 1
                break
    return [total / runs for total in accumulate(first_harm)]


def _times(
    settings: VerdictSettings,
    traffic: ExpectedTraffic,
    weight: float,
    ratio: float,
    word: str,
    chance: Chance,
    runs: int,
) -> Times:
    length = _length(settings, traffic, weight, ratio, word)
    draw = _look(traffic, weight, ratio, length)
    seconds: list[float] = []
    for _ in range(runs):
        tally = Tally(settings)
        at = next((at for at in range(1, LOOKS + 1) if tally.add(draw(chance)).verdict == word), None)
        seconds.append(math.inf if at is None else at * length)
    return Times(tuple(sorted(seconds)))


def _length(settings: VerdictSettings, traffic: ExpectedTraffic, weight: float, ratio: float, word: str) -> float:
    """Seconds of a simulated look: LOOKS of them take three times as long as a verdict on the expected counts."""
    minutes = traffic.interval / 60
    n_c, n_s = traffic.requests * weight * minutes, traffic.requests * (1 - weight) * minutes
    mean = Look(n_c, min(n_c, n_c * traffic.rate * ratio), n_s, n_s * traffic.rate)
    times, most = 1, LONGEST / traffic.interval / LOOKS
    while times < most and not _decides(settings, Look(*(count * times * LOOKS / 3 for count in mean)), word):
        times *= 2
    return traffic.interval * min(times, max(1.0, most))


def _decides(settings: VerdictSettings, look: Look, word: str) -> bool:
    return Tally(settings).add(look).verdict == word


def _look(traffic: ExpectedTraffic, weight: float, ratio: float, seconds: float) -> Callable[[Chance], Look]:
    n_c, n_s = (traffic.requests * part * seconds / 60 for part in (weight, 1 - weight))
    bad = _poisson(n_c * min(1.0, traffic.rate * ratio))
    other = _poisson(n_s * traffic.rate)
    return lambda chance: Look(n_c, min(n_c, bad(chance)), n_s, min(n_s, other(chance)))


def _poisson(mean: float) -> Callable[[Chance], int]:
    """Draws from a table of the distribution, with 8 standard deviations to each side."""
    if mean <= 0:
        return lambda _: 0
    reach = 8 * math.sqrt(mean) + 12
    low = max(0, int(mean - reach))
    logs = [count * math.log(mean) - mean - math.lgamma(count + 1) for count in range(low, int(mean + reach) + 1)]
    table = list(accumulate(map(math.exp, logs)))
    return lambda chance: low + min(bisect_left(table, chance() * table[-1]), len(table) - 1)
