"""The one error of this package."""

from __future__ import annotations


class TemplateError(Exception):
    """A template cannot be parsed or rendered. `line`: from 1; 0 if unknown."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(f"line {line}: {message}" if line else message)
        self.message, self.line = message, line
