"""The one error with which a command about this machine ends."""

from __future__ import annotations


class CannotRun(Exception):
    """Why the instance cannot be started or reached, and what to do: one or two sentences for the user."""
