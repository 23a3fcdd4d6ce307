"""The images that the node has: the sandbox of a pod, the controller, and the demo in the colours that tests release."""

from __future__ import annotations

import tempfile
from pathlib import Path

from serinus.local.node.images import DEMO_COLORS
from tests.support.nodes.archive import Image, write_archive, write_layer
from tests.support.nodes.node_settings import SANDBOX
from tests.support.nodes.python_files import PACKAGES, REPOSITORY, interpreter, packages, python

CONTROLLER = "localhost/serinus:tested"
PREVIOUS = "localhost/serinus:previous"
DEMO = "docker.io/argoproj/rollouts-demo"
COLORS = (*DEMO_COLORS, "bad-red")
NOBODY = "65532"
ENVIRONMENT = {"PYTHONPATH": PACKAGES, "PYTHONDONTWRITEBYTECODE": "1", "PATH": "/opt/serinus/bin:/usr/bin:/bin"}


def demo(color: str) -> str:
    return f"{DEMO}:{color}"


def build_images(path: Path, init: Path) -> Path:
    """An archive with all of them, of the source and the packages of this run."""
    with tempfile.TemporaryDirectory(prefix="serinus-images-") as directory:
        sandbox = write_layer(Path(directory) / "sandbox.tar", {"/init": init})
        both = _layers(Path(directory))
        return write_archive(path, [Image(SANDBOX, (sandbox,), ("/init",)), _controller(both), *_demo(both)])


def previous_controller(path: Path, source: Path) -> Path:
    """An archive with `PREVIOUS`: the controller of the checkout `source`, with the packages of this run."""
    with tempfile.TemporaryDirectory(prefix="serinus-images-") as directory:
        return write_archive(path, [_controller(_layers(Path(directory), source), PREVIOUS)])


def demo_images(path: Path) -> Path:
    """An archive with the demo alone."""
    with tempfile.TemporaryDirectory(prefix="serinus-images-") as directory:
        return write_archive(path, _demo(_layers(Path(directory))))


def _layers(directory: Path, source: Path = REPOSITORY) -> tuple[Path, ...]:
    return write_layer(directory / "python.tar", python()), write_layer(directory / "packages.tar", packages(source))


def _controller(layers: tuple[Path, ...], name: str = CONTROLLER) -> Image:
    start, command = ("/opt/serinus/bin/serinus",), ("controller", "--address=0.0.0.0")
    return Image(name, layers, start, command, ENVIRONMENT, NOBODY)


def _demo(layers: tuple[Path, ...]) -> list[Image]:
    app = (str(interpreter()), "-m", "serinus.demo.app", "--host", "0.0.0.0")
    return [Image(demo(color), layers, app, (), {**ENVIRONMENT, "COLOR": color}, NOBODY) for color in COLORS]
