"""The output of a failed command: one line with the error, and lines with the next step."""

from __future__ import annotations

from serinus.api.messages.visible import visible

ERROR, USAGE, DEGRADED, NOT_ALLOWED, NOT_FOUND, PAUSED, TIMED_OUT, INTERRUPTED = 1, 2, 3, 4, 5, 6, 124, 130
"""Exit codes with `--exit-codes=detailed`; without it every failure of a Rollout command is 1 (docs/exit-codes.md)."""


class Problem(Exception):
    """A failure with a message for the user. `hint`: further lines, the next step. `code`: for detailed exit codes."""

    def __init__(self, message: str, hint: str = "", *, code: int = ERROR) -> None:
        super().__init__(message)
        self.message, self.hint, self.code = message, hint, code


def told(error: Exception) -> str:
    """The lines on stderr for any error."""
    if isinstance(error, Problem):
        return f"Error: {visible(error.message)}\n" + (f"{visible(error.hint)}\n" if error.hint else "")
    if isinstance(error, OSError) and error.strerror:
        return f"Error: {error.filename}: {error.strerror}\n" if error.filename else f"Error: {error.strerror}\n"
    return f"Error: {error or type(error).__name__}\n"
