"""Finds the local file of a container's command."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from pathlib import Path

from serinus.local.node.containers.runtime import CannotStart, Launch


def working_dir(launch: Launch, default: Path) -> Path | None:
    """The directory in which it starts; None if it does not exist."""
    directory = Path(launch.working_dir).expanduser() if launch.working_dir else default
    return directory if directory.is_dir() else None


def found_program(launch: Launch, directory: Path) -> list[str]:
    """The program, found as a shell would with the container's own PATH, relative to its working directory."""
    first, *rest = launch.argv
    if "/" in first:
        path = (directory / first).resolve() if not first.startswith("/") else Path(first)
        if not path.exists():
            raise CannotStart(f"command {first!r}: there is no file {path}; give its full path, or set workingDir")
        return [str(path), *rest]
    executable = shutil.which(first, path=launch.env.get("PATH") or os.environ.get("PATH"))
    if executable is None and first in ("python", "python3"):
        executable = sys.executable
    if executable is None:
        raise CannotStart(f"command {first!r} is not found in PATH: install it, or give its full path")
    return [executable, *rest]


def why_not(command: str, error: OSError) -> str:
    """Why the system does not start it, and the fix."""
    if error.errno == errno.EACCES:
        return f"command {command!r} may not be run: make it executable (chmod +x)"
    if error.errno == errno.ENOEXEC:
        return f"command {command!r} is no program: a script needs a first line such as #!/bin/sh"
    return f"command {command!r} cannot be started: {error.strerror or error}"
