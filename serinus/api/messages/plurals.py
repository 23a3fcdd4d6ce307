"""Counts in sentences: `1 pod`, `2 pods`."""

from __future__ import annotations


def count(number: int, noun: str) -> str:
    """The number with its noun; the plural of every noun here ends in s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
