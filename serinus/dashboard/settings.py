"""How a dashboard is started. Parsed once, at the border."""

from __future__ import annotations

import re
from dataclasses import dataclass

PORT = 3100
"""Where users of Rollouts look for it."""


@dataclass(frozen=True)
class Settings:
    """`token`: what a change takes. `hosts`: further Host headers that are ours, with their port where it is not 80."""

    token: str
    root_path: str = "rollouts"
    read_only: bool = False
    private: bool = False
    """Reading takes the token as well."""
    hosts: tuple[str, ...] = ()

    @property
    def root(self) -> str:
        """`/rollouts`; empty when the dashboard is at the top."""
        path = self.root_path.strip("/")
        return f"/{path}" if path else ""


def checked_root(path: str) -> str:
    """The root path; ValueError if it cannot be part of an address."""
    if not re.fullmatch(r"[A-Za-z0-9._~/-]*", path) or "//" in path or ".." in path:
        raise ValueError(
            f"{path!r} cannot be a path: use letters, digits, '-', '_', '.', '~' and '/', such as rollouts"
        )
    return path
