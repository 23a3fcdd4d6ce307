"""Packages that only a local instance needs: the extras `local` and `demo`."""

from __future__ import annotations

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from serinus.local.cannot_run import CannotRun

MODULES = {"local": ("jsonpatch",), "demo": ("jsonpatch", "rich")}
PROGRAMS = {"local": ("traefik",), "demo": ("traefik", "kubectl")}
"""Extra -> the modules of its packages, and their programs beside Python or on the PATH."""


def require(extra: str) -> None:
    """Raises CannotRun if a module or a program of the extra is missing. The message has the install command."""
    missing = [module for module in MODULES[extra] if find_spec(module) is None]
    missing += [program for program in PROGRAMS[extra] if not program_path(program)]
    if missing:
        raise CannotRun(
            lacking(
                f"it needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed", extra
            )
        )


def program_path(name: str) -> str:
    """The program beside Python, where its package installs it; else the one on the PATH; "" if there is none."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name) or ""


def lacking(sentence: str, extra: str = "local") -> str:
    """The error sentence with the install command."""
    return f"{sentence}: pip install 'serinus[{extra}]', in the environment that holds serinus."
