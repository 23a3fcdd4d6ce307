"""The controller on a node as a release of Helm."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.support.nodes.installed import HOME, ended, image, ready
from tests.support.nodes.node import Node
from tests.support.nodes.python_files import REPOSITORY

NAME = "serinus"
CHART = Path("install") / "helm" / "serinus"
"""In a checkout."""


class Release:
    """`program`: helm. `directory`: for its own files."""

    def __init__(self, program: Path, node: Node, directory: Path) -> None:
        self.node = node
        self._command = [str(program), "--kubeconfig", str(node.plane.kubeconfig()), "-n", HOME]
        homes = {f"HELM_{kind}_HOME": str(directory / kind) for kind in ("CACHE", "CONFIG", "DATA")}
        self._environment = {**os.environ, **homes}

    def install(self, *settings: str, source: Path = REPOSITORY, of: str = "") -> None:
        """The chart of the checkout `source` with the image `of`, as a user installs it; returns when all controllers are ready."""
        self._apply("install", source, of, settings, "--create-namespace")

    def upgrade(self, *settings: str, source: Path = REPOSITORY, of: str = "") -> None:
        """As `install`; returns when all controllers are those of the new template."""
        self._apply("upgrade", source, of, settings)

    def rollback(self) -> None:
        """To the release before; returns when all controllers are those of its template."""
        self._helm("rollback", NAME)
        ready(self.node)

    def uninstall(self) -> None:
        """Returns when no controller's pod is there."""
        self._helm("uninstall", NAME)
        ended(self.node)

    def installed(self) -> bool:
        return NAME in self._helm("list", "--short").split()

    def end(self) -> None:
        if self.installed():
            self.uninstall()

    def _apply(self, verb: str, source: Path, of: str, settings: tuple[str, ...], *flags: str) -> None:
        repository, _, tag = (of or image(self.node)).rpartition(":")
        given = (f"image.repository={repository}", f"image.tag={tag}", *settings)
        words = [word for setting in given for word in ("--set", setting)]
        self._helm(verb, NAME, str(source / CHART), *words, *flags)
        ready(self.node)

    def _helm(self, *words: str) -> str:
        done = subprocess.run(
            [*self._command, *words], env=self._environment, capture_output=True, text=True, check=False, timeout=180
        )
        assert done.returncode == 0, f"helm {words[0]}: {done.stderr}"
        return done.stdout
