"""What ends an AnalysisRun before it measures, or keeps one from being made: the text is its message."""

from __future__ import annotations


class AnalysisProblem(Exception):
    """A template, a run or an argument that cannot be used as it is.

    `missing`: (kind, name) of an object that does not exist. `argument`: the name of the argument that has no value.
    """

    def __init__(self, message: str, *, missing: tuple[str, str] | None = None, argument: str = "") -> None:
        super().__init__(message)
        self.missing, self.argument = missing, argument
