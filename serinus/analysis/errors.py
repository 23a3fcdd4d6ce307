"""The error that ends an AnalysisRun before it measures, or prevents its creation. Its text is the message."""

from __future__ import annotations


class AnalysisProblem(Exception):
    """An invalid template, run or argument.

    `missing`: (kind, name) of an object that does not exist. `argument`: the name of the argument without a value.
    """

    def __init__(self, message: str, *, missing: tuple[str, str] | None = None, argument: str = "") -> None:
        super().__init__(message)
        self.missing, self.argument = missing, argument
