"""The files of an image that runs Serinus: this Python, the shared libraries that it needs, and the packages of the lock file."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
PACKAGES = "/opt/serinus/packages"
"""Where an image has the packages."""
LEFT_OUT = {"test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "site-packages", "config"}
"""Folders of the standard library that no part of Serinus imports."""


def interpreter() -> Path:
    """The path of this Python, here and in an image."""
    return Path(sys.executable).resolve()


def python() -> dict[str, Path | bytes]:
    """Path in the image -> file, of the interpreter, its standard library, and the libraries of both."""
    found: dict[str, Path | bytes] = {}
    for root in {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}:
        library = Path(sys.base_prefix) / Path(root).relative_to(_prefix(root))
        for file in library.rglob("*"):
            parts = file.relative_to(library).parts
            if file.is_file() and not any(part in LEFT_OUT or part.startswith("config-") for part in parts):
                found[str(file)] = file
    found[str(interpreter())] = interpreter()
    return {**found, **_libraries(found.values())}


def packages(source: Path = REPOSITORY) -> dict[str, Path | bytes]:
    """The same of Serinus in the checkout `source` alone, and of the packages of requirements.lock that are installed here."""
    found: dict[str, Path | bytes] = {}
    names = re.findall(r"^([A-Za-z0-9._-]+)==", (REPOSITORY / "requirements.lock").read_text(), re.MULTILINE)
    for name in set(names) - {"setuptools"}:
        for place, file in _files(name):
            found[f"{PACKAGES}/{place}"] = file
    for file in (source / "serinus").rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            found[f"{PACKAGES}/{file.relative_to(source)}"] = file
    start = f"#!{interpreter()}\nimport sys\nfrom serinus.cli.main import main\nsys.exit(main())\n"
    return {**found, "/opt/serinus/bin/serinus": start.encode(), **_libraries(found.values())}


def _prefix(path: str) -> str:
    return sys.base_prefix if path.startswith(sys.base_prefix) else sys.prefix


def _files(name: str) -> Iterator[tuple[str, Path]]:
    try:
        files = distribution(name).files or []
    except PackageNotFoundError:  # a marker of the lock file excludes it here
        return
    for file in files:
        place = file.locate()
        if ".." not in file.parts and not str(file).endswith(".pth") and Path(str(place)).is_file():
            yield str(file), Path(str(place))


def libraries(*programs: Path) -> dict[str, Path | bytes]:
    """The shared libraries of programs or libraries, and the loader, by the paths where the loader looks. None for a static program."""
    command = ["ldd", *map(str, programs)]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    paths = re.findall(r"(?:=> |^\s*)(/\S+) \(0x", said, re.MULTILINE)
    return {path: Path(path) for path in paths}


def _libraries(files: Iterable[Path | bytes]) -> dict[str, Path | bytes]:
    return libraries(*(f for f in files if isinstance(f, Path) and (f.suffix == ".so" or f == interpreter())))
