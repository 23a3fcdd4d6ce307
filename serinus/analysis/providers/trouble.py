"""The one error of providers."""

from __future__ import annotations


class ProviderError(Exception):
    """A measurement that could not be made. The text becomes its message."""


UNREADABLE = (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError)
"""What taking an answer apart raises where it has another shape than it should."""
