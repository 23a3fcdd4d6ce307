"""The image of the version before, as `make image` of its own commit builds it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.support.cluster.binary import NoBinary, built, seconds_left
from tests.support.previous_version import REPOSITORY, git

BUILD_SECONDS = 900
"""It takes some 2 minutes on two busy cores; they may be busier."""


def previous_image(version: str) -> Path:
    """The archive of the controller's image of a tag or commit. It is built once, and kept beside the user's other caches.

    NoBinary if it cannot be built here.
    """
    commit = git("rev-parse", f"{version}^{{commit}}").decode().strip()
    return built(f"image-{commit[:12]}.oci.tar", lambda place: _build(commit, place), lock="image.lock")


def _build(commit: str, place: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="serinus-previous-") as directory:
        source = Path(directory) / "source"
        # A clone, not an archive: the image has the commit and its date from git.
        git("clone", "--quiet", "--shared", "--no-checkout", str(REPOSITORY), str(source))
        git("-C", str(source), "checkout", "--quiet", "--detach", commit)
        try:
            done = subprocess.run(
                ["nice", "-n", "5", "make", "image"],
                cwd=source,
                capture_output=True,
                text=True,
                check=False,
                timeout=seconds_left(BUILD_SECONDS),
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NoBinary(f"the image of {commit[:12]} was not built: {error}") from None
        if done.returncode:
            raise NoBinary(f"the image of {commit[:12]} cannot be built here: {done.stderr.strip()[-300:]}")
        (archive,) = (source / "dist").glob("serinus-[0-9]*.oci.tar")
        shutil.move(archive, place)
