"""How large an object may become when values are put into it, one by one, before the whole is ever in memory.

A placeholder is short and its value may be long: an object of 300 KB could become one of gigabytes. Kubernetes stores no object
of more than 1.5 MiB (etcd, `--max-request-bytes`), so an author who writes everything out has the same bound.
"""

from __future__ import annotations

from serinus.analysis.problems import AnalysisProblem

LARGEST = 1_500_000
"""Characters of one object with the values of its arguments: the metrics of a run, the arguments of one, an Experiment."""


MOST_WORK = 3_000_000
"""Characters of all analyses of one Rollout, as they are checked; what each template and metric costs beside its text is counted too.
More than a thousand analyses of ten metrics: each is checked before anything begins, on the loop that serves all Rollouts."""

TEMPLATE, METRIC = 50, 200
"""What a template and a metric count for beside their text."""


class TooLarge(AnalysisProblem):
    """`path`: of the field that did not fit any more. The walk through the object adds its parts, the innermost first."""

    def __init__(self, most: int, what: str) -> None:
        super().__init__(what)
        self._most, self._what = most, what
        self.path: list[str] = []

    def __str__(self) -> str:
        where = f" (at {''.join(reversed(self.path)).lstrip('.')})" if self.path else ""
        return f"{self._what} have more than {self._most} characters{where}: shorten the values, or use them less often"


class Room:
    """What is left of `most` characters. `what`: the plural that has them, for the message."""

    __slots__ = ("_left", "_most", "_what")

    def __init__(self, what: str = "metrics with the values of their arguments", most: int = LARGEST) -> None:
        self._left = self._most = most
        self._what = what

    @property
    def used(self) -> int:
        return self._most - self._left

    def take(self, characters: int) -> None:
        """TooLarge where there is not so much left. To be asked before anything is made."""
        self._left -= characters
        if self._left < 0:
            raise TooLarge(self._most, self._what)
