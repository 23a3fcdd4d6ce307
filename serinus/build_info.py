"""The commit that this program was built from.

A build writes it to `build.json` beside this file (setup.py). In a checkout there is no such file, and git is read.
This file imports nothing of Serinus, because setup.py runs it alone.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

HERE = os.path.dirname(os.path.realpath(__file__))  # pathlib is slow to import
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


def build_info(package: str | Path = HERE) -> BuildInfo:
    """The build of the package in this directory. Never raises: a version can be printed without git and without a stamp."""
    try:
        with open(os.path.join(package, STAMP), encoding="utf-8") as file:
            stamp = json.load(file)
        return BuildInfo(*(str(stamp[field]) for field in BuildInfo._fields))
    except (OSError, ValueError, KeyError, TypeError):
        return from_git(os.path.dirname(package))


def from_git(checkout: str | Path) -> BuildInfo:
    """The commit of this checkout. Empty where the directory is no checkout, or git is missing or refuses it."""
    # An installation below the checkout of another project is not that project.
    if not os.path.exists(os.path.join(checkout, ".git")):
        return BuildInfo()
    import subprocess  # slow to import: not in an installation

    try:
        # TZ: `format-local` is the local time, which is UTC here.
        commit, date = _git(checkout, "log", "-1", "--format=%H %cd", "--date=format-local:%Y-%m-%dT%H:%M:%SZ").split()
        changed = _git(checkout, "status", "--porcelain", "--untracked-files=no")
    except (OSError, ValueError, subprocess.SubprocessError):
        return BuildInfo()
    return BuildInfo(commit, date, "dirty" if changed.strip() else "clean")


def _git(checkout: str | Path, *words: str) -> str:
    import subprocess

    environment = {**os.environ, "TZ": "UTC", "GIT_OPTIONAL_LOCKS": "0"}
    command = ["git", "-C", str(checkout), *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=GIT_SECONDS)
    return done.stdout
