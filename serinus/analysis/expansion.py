"""Limits the size of an object whose placeholders are filled, before the whole object is in memory.

A placeholder is short and its value may be long: 300 KB could become gigabytes. Kubernetes stores no object of more
than 1.5 MiB (etcd, `--max-request-bytes`), so an object without placeholders has the same limit.
"""

from __future__ import annotations

from serinus.analysis.errors import AnalysisProblem

LARGEST = 1_500_000
"""Characters of one object with its argument values: the metrics or the arguments of a run, or an Experiment."""


MOST_WORK = 3_000_000
"""Characters of all analyses of one Rollout during validation, with a fixed cost of each template and metric.
More than a thousand analyses of ten metrics fit. All are validated first, on the event loop of all Rollouts."""

TEMPLATE, METRIC = 50, 200
"""The fixed cost of a template and of a metric, in addition to their text."""


class TooLarge(AnalysisProblem):
    """`path`: of the first field that did not fit. The walk through the object adds its parts, the innermost first."""

    def __init__(self, most: int, what: str) -> None:
        super().__init__(what)
        self._most, self._what = most, what
        self.path: list[str] = []

    def __str__(self) -> str:
        where = f" (at {''.join(reversed(self.path)).lstrip('.')})" if self.path else ""
        return f"{self._what} have more than {self._most} characters{where}: shorten the values, or use them less often"


class Room:
    """The rest of `most` characters. `what`: a plural noun for the message."""

    __slots__ = ("_left", "_most", "_what")

    def __init__(self, what: str = "metrics with the values of their arguments", most: int = LARGEST) -> None:
        self._left = self._most = most
        self._what = what

    @property
    def used(self) -> int:
        return self._most - self._left

    def take(self, characters: int) -> None:
        """TooLarge if fewer characters are left. Call it before building the text."""
        self._left -= characters
        if self._left < 0:
            raise TooLarge(self._most, self._what)
