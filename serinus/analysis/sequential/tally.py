"""The evidence for harm and for safety, look by look, and the verdict: for runs, the command line and the planner."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import ceil, log
from typing import Literal

import msgspec

from serinus.analysis.sequential.dispersion import Dispersion
from serinus.analysis.sequential.looks import Look
from serinus.analysis.sequential.process import POINTS, AbsoluteProcess, RelativeProcess, log_mean_exp
from serinus.analysis.sequential.projection import looks_until
from serinus.analysis.sequential.ratios import interval
from serinus.analysis.sequential.settings import VerdictSettings

Word = Literal["harm", "safe", "undecided"]


class Verdict(msgspec.Struct, frozen=True, rename="camel"):
    """The state after a look. `log_harm`, `log_safe`: natural logarithms of the evidence with the raw counts. The
    adjusted ones, with counts divided by `dispersion`, decide: harm from log(1/falseAbort), safe from log(1/falsePass).
    """

    verdict: Word
    log_harm: float
    log_safe: float
    log_harm_adjusted: float
    log_safe_adjusted: float
    dispersion: float
    looks: int


class Tally:
    """Adds looks in order and stores sums, not looks: the cost of a look does not grow."""

    def __init__(self, settings: VerdictSettings) -> None:
        """`settings`: checked ones."""
        self.settings = settings
        self.looks = 0
        self.totals = Look(0, 0, 0, 0)
        self.word: Word = "undecided"
        self._harm_at, self._safe_at = -log(settings.false_abort), -log(settings.false_pass)
        self._relative = (RelativeProcess(settings.tolerated, harm=True), RelativeProcess(settings.margin, harm=False))
        budget = settings.budget
        self._absolute = (
            None if budget is None else (AbsoluteProcess(budget, harm=True), AbsoluteProcess(budget, harm=False))
        )
        self._base = 0.0
        """Log likelihood at `margin` minus that at `tolerated`."""
        self._dispersion = Dispersion()

    @property
    def dispersion(self) -> float:
        """The current divisor of the counts: the configured value, or that of these looks if it is higher."""
        return max(self.settings.dispersion, self._dispersion.estimate())

    def add(self, look: Look) -> Verdict:
        """The verdict after one more look, which `checked_look` has validated."""
        n_c, k_c, n_s, k_s = look
        if n_c > 0 and n_s > 0:
            weight = n_c / (n_c + n_s)
            harm, safety = self._relative
            harm.add(weight, k_c, k_s)
            safety.add(weight, k_c, k_s)
            if k_c or k_s:
                low, high = harm.limit, safety.limit
                step = log((1 - weight + low * weight) / (1 - weight + high * weight))
                self._base += k_c * log(high / low) + (k_c + k_s) * step
        if self._absolute is not None and n_c:
            for process in self._absolute:
                process.add(n_c, k_c)
        self._dispersion.add(n_s, k_s)
        self.looks += 1
        self.totals = Look(*(total + count for total, count in zip(self.totals, look, strict=True)))
        return self._decided()

    def _decided(self) -> Verdict:
        dispersion = self.dispersion
        harm, safe = self._evidence(0, 1.0), self._evidence(1, 1.0)
        adjusted = (harm, safe) if dispersion == 1 else (self._evidence(0, dispersion), self._evidence(1, dispersion))
        if adjusted[0] >= self._harm_at:
            self.word = "harm"
        elif adjusted[1] >= self._safe_at and self.word == "undecided":
            self.word = "safe"
        return Verdict(self.word, harm, safe, *adjusted, dispersion, self.looks)

    def _evidence(self, side: int, dispersion: float) -> float:
        relative = self._relative[side].log_evidence(dispersion)
        if self._absolute is None:
            return relative
        return log_mean_exp([relative, self._absolute[side].log_evidence(dispersion)])

    def saved(self) -> list[list[float]]:
        """All sums, from which `restore` continues exactly: a run stores its latest looks and the sums before them."""
        absolute = [] if self._absolute is None else [process.sums for process in self._absolute]
        words: dict[Word, float] = {"undecided": 0, "safe": 1, "harm": 2}
        rest = [self.looks, words[self.word], self._base, *self.totals]
        return [*(process.sums for process in self._relative), *absolute, rest, self._dispersion.saved()]

    def restore(self, saved: list[list[float]]) -> None:
        """Continue from `saved`. ValueError for sums of other settings."""
        processes = [*self._relative, *(self._absolute or ())]
        *sums, rest, dispersion = saved
        for process, saved_sums in zip(processes, sums, strict=True):
            if len(saved_sums) != len(process.sums):
                raise ValueError(f"{len(saved_sums)} sums in place of {len(process.sums)}")
            process.sums = list(saved_sums)
        looks, word, self._base, *totals = rest
        self.looks, self.totals = int(looks), Look(*totals)
        self.word = ("undecided", "safe", "harm")[int(word)]
        self._dispersion.restore(dispersion)

    def looks_until_harm(self, ratio: float, most: int = 100_000) -> int | None:
        """Further looks until harm would be found in a canary with `ratio` times the stable version's errors.

        Traffic, weight and the stable version's errors continue as in the looks so far. None without traffic, beyond
        `most` looks, and for a ratio that the evidence never reaches.
        """
        if not self.looks:
            return None
        looks, (n_c, _, n_s, k_s), budget = self.looks, self.totals, self.settings.budget
        rate = k_s / n_s if k_s else budget or (0.5 / (n_s + 1))
        n_c, n_s = n_c / looks, n_s / looks
        bad = min(n_c, rate * ratio * n_c)
        harm = self._relative[0]
        sums = harm.sums
        steps = harm.growth(n_c / (n_c + n_s), bad, rate * n_s) if n_c > 0 and n_s > 0 else [0.0] * POINTS
        if self._absolute is not None:
            sums = sums + self._absolute[0].sums
            steps += self._absolute[0].growth(n_c, bad)
        further = looks_until(sums, steps, self.dispersion, self._harm_at + log(len(sums)))
        return None if further is None or further > most else max(1, ceil(further))

    def ratio_interval(self) -> tuple[float | None, float | None]:
        """Lowest and highest ratio of error rates that is not excluded; None for an end without evidence."""
        settings = self.settings
        return interval(*self._relative, self._base, self.dispersion, settings.false_abort, settings.false_pass)


def verdicts(settings: VerdictSettings, looks: Iterable[Look]) -> Iterator[Verdict]:
    """The verdict after each look."""
    tally = Tally(settings)
    return map(tally.add, looks)
