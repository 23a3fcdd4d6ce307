"""The flag `--image-map` of `up` and `node`."""

from __future__ import annotations

import os
from pathlib import Path

from serinus.cli.framework.commandline import Call
from serinus.cli.framework.flags import Flag

IMAGE_MAP = Flag(
    "image-map",
    "Commands for images, a list of rules as in docs/images.md; they come before those of the ConfigMaps"
    " serinus-images. Read once, at the start; not remembered for the next start",
    metavar="FILE",
)
RUNTIMES = ("process", "docker", "podman")


def image_map_of(call: Call) -> Path | None:
    """The full path of the file. Raises UsageProblem with a runtime that runs images itself."""
    given, runtime = call.text("image-map"), call.text("runtime")
    if not given:
        return None
    if runtime != "process":
        raise call.usage_problem(
            f"--image-map {given} gives commands for local processes, but with --runtime {runtime} images run as they"
            " are: leave out one of the two."
        )
    return Path(os.path.abspath(os.path.expanduser(given)))
