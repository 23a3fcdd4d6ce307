"""The wheel and the sdist: their contents, and the programs that a user gets from them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

import serinus
from tests.support.instance.live import REPOSITORY
from tests.support.release.package import UTC_DATE, Package, tracked

VERSION = serinus.__version__
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
"""Of a command of the wheel: nothing of this checkout or its virtual environment."""
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def in_wheel(package: Package) -> set[str]:
    with zipfile.ZipFile(package.wheel) as wheel:
        return set(wheel.namelist())


def test_the_wheel_has_all_files_of_the_package_and_the_stamp_and_no_others(package: Package) -> None:
    there = {name for name in in_wheel(package) if ".dist-info/" not in name}
    assert there == {name for name in tracked() if name.startswith("serinus/")} | {"serinus/build.json"}
    assert "serinus/py.typed" in there


def test_the_wheel_has_no_code_of_tests(package: Package) -> None:
    parts = {part for name in in_wheel(package) for part in re.split(r"[/_.]", name)}
    assert not parts & {"test", "tests", "conftest", "fake", "fakes", "fixture", "fixtures", "bench"}


def test_the_metadata_has_the_licence_the_pythons_and_the_extras(package: Package) -> None:
    with zipfile.ZipFile(package.wheel) as wheel:
        metadata = message_from_string(wheel.read(f"serinus-{VERSION}.dist-info/METADATA").decode())
        assert f"serinus-{VERSION}.dist-info/licenses/LICENSE" in wheel.namelist()
    assert (metadata["Version"], metadata["License-Expression"]) == (VERSION, "Apache-2.0")
    assert set(metadata.get_all("Provides-Extra", [])) == {"uvloop", "dashboard-oidc", "local", "demo", "dev"}
    pythons = [row.rpartition(" :: ")[2] for row in metadata.get_all("Classifier", []) if ":: Python ::" in row]
    assert tuple(pythons) == PYTHONS
    assert metadata["Requires-Python"] == f">={PYTHONS[0]}"


def test_the_sdist_has_what_builds_the_wheel_and_no_tests(package: Package) -> None:
    with tarfile.open(package.sdist) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames() if "/" in name}
    files = {name for name in names if name.startswith("serinus/")} & set(tracked())
    assert files == {name for name in tracked() if name.startswith("serinus/")}
    tops = {name.partition("/")[0] for name in names} - {"setup.cfg", "PKG-INFO", "serinus.egg-info"}
    wanted = {"serinus", "pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "CHANGELOG.md"}
    assert tops == wanted | {"SECURITY.md", "requirements.lock", "requirements-demo.lock"}


def test_the_wheel_and_the_sdist_have_the_commit_and_its_date_in_utc(package: Package) -> None:
    expected = {"commit": package.commit, "date": UTC_DATE, "tree": "clean"}
    with zipfile.ZipFile(package.wheel) as wheel:
        assert json.loads(wheel.read("serinus/build.json")) == expected
    with tarfile.open(package.sdist) as sdist:
        stamp = sdist.extractfile(f"serinus-{VERSION}/serinus/build.json")
        assert stamp is not None
        assert json.loads(stamp.read()) == expected


def python_of(version: str) -> str | None:
    """A Python of this version: that of these tests, one on the PATH, one of pyenv."""
    if sysconfig.get_python_version() == version:
        return sys.executable
    pyenv = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    candidates = [str(path) for path in pyenv] + [shutil.which(f"python{version}") or ""]
    probe = "import ensurepip, ssl, venv"
    for python in filter(None, candidates):
        if subprocess.run([python, "-c", probe], capture_output=True, check=False, timeout=60).returncode == 0:
            return python
    return None


def environment_of(place: Path, python: str) -> Path:
    """The `bin` of an empty virtual environment."""
    subprocess.run([python, "-m", "venv", str(place)], check=True, timeout=120)
    return place / "bin"


def test_an_installed_wheel_runs_and_knows_its_version(package: Package, tmp_path: Path) -> None:
    """The packages that it needs are those of these tests, so that nothing is downloaded."""
    binaries = environment_of(tmp_path / "venv", sys.executable)
    pip = [str(binaries / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "install", "--no-deps", "--no-build-isolation", "--no-index", str(package.wheel)], check=True)
    environment = ENVIRONMENT | {"PYTHONPATH": sysconfig.get_path("purelib")}

    def output(*words: str) -> str:
        command = [str(binaries / words[0]), *words[1:]]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    for name, first in (
        ("serinus", f"serinus: v{VERSION}"),
        ("kubectl-argo-rollouts", f"kubectl-argo-rollouts: v{VERSION}+serinus"),
    ):
        rows = output(name, "version").splitlines()
        assert rows[0] == first
        assert rows[1:4] == [f"  BuildDate: {UTC_DATE}", f"  GitCommit: {package.commit}", "  GitTreeState: clean"]
    assert output("serinus", "--version").strip() == f"serinus: v{VERSION}"
    assert "CustomResourceDefinition" in output("serinus", "install")


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("version", PYTHONS)
def test_the_demo_runs_from_the_wheel_in_an_empty_environment(version: str, package: Package, tmp_path: Path) -> None:
    """With the extra's packages from the registry, as a user gets them."""
    python = python_of(version)
    if python is None:
        pytest.skip(f"there is no Python {version} here")
    binaries = environment_of(tmp_path / "venv", python)
    pip = [str(binaries / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet", "--no-input"]
    done = subprocess.run([*pip, "install", f"{package.wheel}[demo]"], capture_output=True, text=True, check=False)
    if done.returncode and "Failed to establish a new connection" in done.stderr:
        pytest.skip("the package registry does not answer here")
    assert done.returncode == 0, done.stderr
    environment = {**ENVIRONMENT, "HOME": str(tmp_path), "PATH": f"{binaries}:{os.environ['PATH']}"}
    command = [str(binaries / "serinus"), "demo", "--once"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(done.stdout.strip().splitlines()[-1])
    assert summary["failed"] == 0, summary


def test_the_stamp_says_nothing_where_git_is_missing(tmp_path: Path) -> None:
    """A copy of the sources without git, and one whose `.git` is broken, print a version, and no traceback."""
    environment = ENVIRONMENT | {"PYTHONPATH": f"{tmp_path}:{sysconfig.get_path('purelib')}"}
    (tmp_path / "serinus").symlink_to(REPOSITORY / "serinus")
    code = (
        "import sys; from pathlib import Path; from serinus.build_info import build_info;"
        "print(tuple(build_info(Path(sys.argv[1]))))"
    )

    def printed(path: str = ENVIRONMENT["PATH"]) -> str:
        command = [sys.executable, "-c", code, str(tmp_path / "serinus")]
        done = subprocess.run(command, env=environment | {"PATH": path}, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    assert printed() == "('', '', '')"
    (tmp_path / ".git").mkdir()
    assert printed() == "('', '', '')"
    assert printed(path="/nowhere") == "('', '', '')"
