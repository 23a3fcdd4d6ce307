"""The package is built once for all tests of this directory."""

from __future__ import annotations

import subprocess

import pytest

from tests.support.release.package import Package, built, copied, tracked


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """The wheel and the sdist of the repository as it is now."""
    try:
        tracked()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a package is built from a git checkout, and this is none, or git is not installed")
    place = tmp_path_factory.mktemp("package")
    (place / "checkout").mkdir()
    return built(place / "checkout", place / "dist", copied(place / "checkout"))
