"""What ends an AnalysisRun before it measures, or keeps one from being made: the text is its message."""

from __future__ import annotations


class AnalysisProblem(Exception):
    """A template, a run or an argument that cannot be used as it is. `missing`: (kind, name) of what is not there."""

    def __init__(self, message: str, *, missing: tuple[str, str] | None = None) -> None:
        super().__init__(message)
        self.missing = missing
