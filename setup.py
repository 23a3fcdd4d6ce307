"""Stamps the commit into what is built: `build.json` in the wheel and in the sdist. All else is in pyproject.toml.

A build from an sdist has no git: it keeps the stamp of the sdist.
"""

from __future__ import annotations

import json
import runpy
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = Path(__file__).resolve().parent
BUILD_INFO = runpy.run_path(str(HERE / "serinus" / "build_info.py"))


def stamp(package: Path) -> None:
    """Write the commit of this tree into the package in that directory."""
    info = BUILD_INFO["build_info"](HERE / "serinus")
    package.mkdir(parents=True, exist_ok=True)
    place = package / BUILD_INFO["STAMP"]
    place.unlink(missing_ok=True)  # it may be a hard link to the file of the tree
    place.write_text(json.dumps(info._asdict()) + "\n")


class Build(build_py):
    """`bdist_wheel` and `install` use it; an editable installation reads git when it runs."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            stamp(Path(self.build_lib) / "serinus")


class Source(sdist):
    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        super().make_release_tree(base_dir, files)
        stamp(Path(base_dir) / "serinus")


setup(cmdclass={"build_py": Build, "sdist": Source})
