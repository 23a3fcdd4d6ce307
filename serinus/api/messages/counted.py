"""A number with its noun, for messages."""

from __future__ import annotations


def counted(number: float, one: str, many: str = "") -> str:
    """`1 pod`, `2 pods`, `0 pods`. `many`: the form for all numbers but 1, if it is not `one` with an s. A verb may
    follow the noun in both: `counted(n, "pod is", "pods are")`."""
    return f"{number:.15g} {one if number == 1 else many or f'{one}s'}"
