"""Look by look: the evidence for harm and for safety, and the verdict. The same for a run, the command line and the planner."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import log
from typing import Literal

import msgspec

from serinus.analysis.sequential.dispersion import Dispersion
from serinus.analysis.sequential.looks import Look
from serinus.analysis.sequential.process import AbsoluteProcess, RelativeProcess, log_mean_exp
from serinus.analysis.sequential.ratios import interval
from serinus.analysis.sequential.settings import Settings

Word = Literal["harm", "safe", "undecided"]


class Verdict(msgspec.Struct, frozen=True, rename="camel"):
    """After a look. `log_harm`, `log_safe`: natural logarithms of the evidence with the counts as they are. The adjusted
    ones, with the counts divided by `dispersion`, decide: harm from log(1/falseAbort) on, safe from log(1/falsePass) on.
    """

    verdict: Word
    log_harm: float
    log_safe: float
    log_harm_adjusted: float
    log_safe_adjusted: float
    dispersion: float
    looks: int


class Tally:
    """Takes looks in order and remembers sums, not looks: a look costs the same after a thousand others."""

    def __init__(self, settings: Settings) -> None:
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
        """What the counts are divided by now: the learnt value, or the one of these looks if that is higher."""
        return max(self.settings.dispersion, self._dispersion.estimate())

    def add(self, look: Look) -> Verdict:
        """The verdict after one more look, which `checked_look` has admitted."""
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

    def ratio_interval(self) -> tuple[float | None, float | None]:
        """Lowest and highest ratio of error rates that is not excluded; None for an end that the evidence does not set."""
        settings = self.settings
        return interval(*self._relative, self._base, self.dispersion, settings.false_abort, settings.false_pass)


def verdicts(settings: Settings, looks: Iterable[Look]) -> Iterator[Verdict]:
    """The verdict after each look."""
    tally = Tally(settings)
    return map(tally.add, looks)
