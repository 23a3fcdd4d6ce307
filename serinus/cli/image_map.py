"""The option `--image-map` of `up` and `node`."""

from __future__ import annotations

import os
from pathlib import Path

import click

HELP = (
    "Commands for images, a list of rules as in docs/images.md; they come before those of the ConfigMaps"
    " serinus-images. Read once, at the start; not remembered for the next start."
)


def image_map_of(given: str | None, runtime: str) -> Path | None:
    """The full path of the file. Raises UsageError with a runtime that runs images itself."""
    if given is None:
        return None
    if runtime != "process":
        raise click.UsageError(
            f"--image-map {given} gives commands for local processes, but with --runtime {runtime} images run as they"
            " are: leave out one of the two."
        )
    return Path(os.path.abspath(os.path.expanduser(given)))
