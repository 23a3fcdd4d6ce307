"""The commit that this program was built from.

A build writes it to `build.json` beside this file (setup.py). In a checkout there is no such file, and git is read.
This file imports nothing of Serinus, because setup.py runs it alone.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
STAMP = "build.json"
GIT_SECONDS = 5


class BuildInfo(NamedTuple):
    """All fields are empty where neither a build nor git has recorded them."""

    commit: str = ""
    """The full hash."""
    date: str = ""
    """The time of the commit, in UTC, as `2026-01-31T12:00:00Z`."""
    tree: str = ""
    """`clean`, or `dirty` if files of the repository differed from the commit."""


def build_info(package: Path = HERE) -> BuildInfo:
    """The build of the package in this directory. Never raises: a version can be printed without git and without a stamp."""
    try:
        stamp = json.loads((package / STAMP).read_text())
        return BuildInfo(*(str(stamp[field]) for field in BuildInfo._fields))
    except (OSError, ValueError, KeyError, TypeError):
        return from_git(package.parent)


def from_git(checkout: Path) -> BuildInfo:
    """The commit of this checkout. Empty where the directory is no checkout, or git is missing or refuses it."""
    if not (checkout / ".git").exists():  # an installation below the checkout of another project is not that project
        return BuildInfo()
    try:
        # TZ: `format-local` is the local time, which is UTC here.
        commit, date = _git(checkout, "log", "-1", "--format=%H %cd", "--date=format-local:%Y-%m-%dT%H:%M:%SZ").split()
        changed = _git(checkout, "status", "--porcelain", "--untracked-files=no")
    except (OSError, ValueError, subprocess.SubprocessError):
        return BuildInfo()
    return BuildInfo(commit, date, "dirty" if changed.strip() else "clean")


def _git(checkout: Path, *words: str) -> str:
    environment = {**os.environ, "TZ": "UTC", "GIT_OPTIONAL_LOCKS": "0"}
    command = ["git", "-C", str(checkout), *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=GIT_SECONDS)
    return done.stdout
