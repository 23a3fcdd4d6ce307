"""What is said when a command fails: one line with the error, and lines that say what to do."""

from __future__ import annotations


class Problem(Exception):
    """A failure in words for the user. `hint`: further lines, what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


def told(error: Exception) -> str:
    """The lines on stderr for any error."""
    if isinstance(error, Problem):
        return f"Error: {error.message}\n" + (f"{error.hint}\n" if error.hint else "")
    if isinstance(error, OSError) and error.strerror:
        return f"Error: {error.filename}: {error.strerror}\n" if error.filename else f"Error: {error.strerror}\n"
    return f"Error: {error or type(error).__name__}\n"
