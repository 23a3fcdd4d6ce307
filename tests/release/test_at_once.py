"""Builds that run at once on one machine share tools and downloads: neither takes them from the other."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.instance.live import REPOSITORY
from tests.support.release.image import NoImage, tools

KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# Fails where a second one begins before the first has ended, and where it is not needed any more.
INSTALL = """
.venv/.installed-release:
	@mkdir .venv/installing
	@for i in 1 2 3 4 5 6 7 8 9; do python3 -c pass; done
	@mkdir .venv/release
	@rmdir .venv/installing
	@touch $@
"""
# Apt's stand-in fails where two of them have the same state.
APT = """#!/bin/sh
state=$(dirname "$APT_CONFIG")
mkdir "$state/used" || exit 1
for i in 1 2 3 4 5 6 7 8 9; do python3 -c pass; done
[ "$2" = update ] || echo package > package.deb
rmdir "$state/used"
"""
FETCH = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from apt import Apt, Pin
print(Apt("amd64").file(Pin("amd64", "package", "1.0", hashlib.sha256(b"package\\n").hexdigest())).read_text(), end="")
"""


def test_the_tools_of_a_release_are_installed_once(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    (tmp_path / "Makefile").write_text(INSTALL)
    try:
        with ThreadPoolExecutor() as pool:
            found = list(pool.map(tools, [tmp_path] * 4))
    except NoImage as error:
        if "cannot be installed" in str(error):
            raise
        pytest.skip(str(error))
    assert found == [tmp_path / ".venv" / "release" / "bin" / "python"] * 4


def test_two_builds_do_not_use_one_state_of_apt(tmp_path: Path) -> None:
    if not (shutil.which("dpkg-deb") and KEYS.exists()):
        pytest.skip("dpkg-deb or Debian's keys are not installed, which an image is built with")
    (tmp_path / "bin").mkdir()
    stand_in = tmp_path / "bin" / "apt-get"
    stand_in.write_text(APT)
    stand_in.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{stand_in.parent}{os.pathsep}{os.environ['PATH']}",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    command = [sys.executable, "-c", FETCH, str(REPOSITORY / "tools" / "image")]
    builds = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = [build.communicate(timeout=60) for build in builds]
    assert said == [("package\n", "")] * 4
