"""The error that ends a command about the local instance."""

from __future__ import annotations


class CannotRun(Exception):
    """The instance cannot start or be reached. One or two sentences for the user: the reason and what to do."""
