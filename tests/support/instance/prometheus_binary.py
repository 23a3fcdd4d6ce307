"""A real Prometheus for the suite: the one on PATH, else Debian's package, unpacked into a directory of the tests' own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def prometheus(directory: Path) -> Path:
    """The program. Skips the test, saying why, where none can be had."""
    found = shutil.which("prometheus")
    if found:
        return Path(found)
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        pytest.skip("no prometheus on PATH, and no apt-get to download it with")
    try:
        subprocess.run(
            ["apt-get", "download", "prometheus"], cwd=directory, check=True, timeout=120, capture_output=True
        )
        (package,) = directory.glob("prometheus_*.deb")
        subprocess.run(["dpkg", "-x", str(package), str(directory)], check=True, timeout=120, capture_output=True)
    except (subprocess.SubprocessError, ValueError) as error:
        pytest.skip(f"no prometheus on PATH, and `apt-get download prometheus` does not give one: {error}")
    return directory / "usr" / "bin" / "prometheus"
