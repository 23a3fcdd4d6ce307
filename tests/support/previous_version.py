"""The version before this one, as git has it: what an upgrade starts from."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

from serinus import __version__

REPOSITORY = Path(__file__).parents[2]


class NoPrevious(Exception):
    """Why the sources of an earlier version cannot be had here."""


def last_tag() -> str:
    """The newest tag of a version in the history, this version's own apart; empty while there is none."""
    tags = git("tag", "--list", "v*", "--sort=-version:refname", "--merged", "HEAD").decode().split()
    return next((tag for tag in tags if tag != f"v{__version__}"), "")


def extract(commit: str, place: Path, *paths: str) -> Path:
    """Write the files of a commit below `place`, those at `paths` alone; returns `place`."""
    with tarfile.open(fileobj=io.BytesIO(git("archive", "--format=tar", commit, "--", *paths))) as archive:
        archive.extractall(place, filter="data")
    return place


def previous(otherwise: str | Callable[[], str], place: Path, *paths: str) -> tuple[str, Path]:
    """The tag of the last version, or the commit `otherwise` while there is none, and its files at `paths`.

    NoPrevious where git does not have it.
    """
    try:
        commit = last_tag() or (otherwise if isinstance(otherwise, str) else otherwise())
        return commit, extract(commit, place, *paths)
    except (OSError, subprocess.SubprocessError, IndexError):
        raise NoPrevious(
            "git has no earlier version of Serinus here: it is no checkout, or one without its history"
        ) from None


def git(*words: str) -> bytes:
    """The output of a git command in this repository."""
    command = ["git", "-C", str(REPOSITORY), *words]
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
