"""Settings of a dashboard, parsed once at the border."""

from __future__ import annotations

import re
from dataclasses import dataclass

PORT = 3100
"""The port of Argo Rollouts' dashboard."""


@dataclass(frozen=True)
class Settings:
    """`token`: required for changes. `hosts`: additional own Host headers, with the port unless it is 80."""

    token: str
    root_path: str = "rollouts"
    read_only: bool = False
    private: bool = False
    """Reading needs the token too."""
    hosts: tuple[str, ...] = ()

    @property
    def root(self) -> str:
        """`/rollouts`; empty when the dashboard is at the top."""
        path = self.root_path.strip("/")
        return f"/{path}" if path else ""


def checked_root(path: str) -> str:
    """The root path. Raises ValueError if it cannot be part of a URL."""
    if not re.fullmatch(r"[A-Za-z0-9._~/-]*", path) or "//" in path or ".." in path:
        raise ValueError(
            f"{path!r} cannot be a path: use letters, digits, '-', '_', '.', '~' and '/', such as rollouts"
        )
    return path
