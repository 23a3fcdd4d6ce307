"""The wheel and the sdist of this repository, built as a release builds them, from a copy that is its own checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.support.instance.live import REPOSITORY

DATE = "2026-01-31T12:00:00+02:00"
"""The date of the only commit of the copy."""
UTC_DATE = "2026-01-31T10:00:00Z"


class Package(NamedTuple):
    wheel: Path
    sdist: Path
    commit: str


def tracked() -> list[str]:
    """The files that git knows or would add. Raises OSError or CalledProcessError without git or outside a checkout."""
    command = ["git", "-C", str(REPOSITORY), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return [name for name in done.stdout.split("\0") if name and (REPOSITORY / name).is_file()]


def copied(place: Path) -> str:
    """Copy the repository as it is now to this directory, and commit it there at DATE. Returns the commit's hash."""
    for name in tracked():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / name, place / name)
    who = {f"GIT_{role}_{field}": "test@localhost" for role in ("AUTHOR", "COMMITTER") for field in ("NAME", "EMAIL")}
    environment = {**os.environ, **who, "GIT_AUTHOR_DATE": DATE, "GIT_COMMITTER_DATE": DATE}

    def git(*words: str) -> str:
        command = ["git", "-C", str(place), "-c", "commit.gpgsign=false", *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
        return done.stdout.strip()

    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "copy")
    return git("rev-parse", "HEAD")


def built(checkout: Path, place: Path, commit: str) -> Package:
    """The sdist of the checkout, and the wheel that is built from the sdist."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(place), str(checkout)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,), (sdist,) = place.glob("*.whl"), place.glob("*.tar.gz")
    return Package(wheel, sdist, commit)
