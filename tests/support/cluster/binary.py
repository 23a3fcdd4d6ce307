"""Kubernetes' programs, built from their Go modules once and stored beside the user's other caches.

The control plane's program is that of `controlplane/`.
"""

from __future__ import annotations

import fcntl
import hashlib
import math
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from tests.support.cluster.network import outside

SOURCE = Path(__file__).with_name("controlplane")
VERSION = "v1.34.4"
"""Of Kubernetes: the one in go.mod."""
BUILD_SECONDS = 2400
"""With nothing cached it takes some 5 minutes on two idle cores; they may not be idle."""
MODULE_SECONDS = 1200
"""With nothing cached helm takes some 4 minutes on two busy cores."""
UNTIL = "SERINUS_UNTIL"
"""An environment variable: the time, in seconds since 1970, after which no test begins that needs a real control plane."""


class NoBinary(Exception):
    """Why there is no control plane here, and how to get one."""


def binary() -> Path:
    """The program; it is built if missing. NoBinary if the build is impossible."""
    name = f"controlplane-{fingerprint(SOURCE)}"
    return built(name, lambda place: build_modules(SOURCE, place, "control plane"), lock="lock")


def built(name: str, build: Callable[[Path], None], *, lock: str) -> Path:
    """A file of the cache, which `build` creates if missing; two runs at once build it once."""
    place = cache() / name
    place.parent.mkdir(parents=True, exist_ok=True)
    with (place.parent / lock).open("w") as held:
        while not _locked(held):
            time.sleep(min(0.5, seconds_left(0.5)))
        if not place.exists():
            outside(lambda: build(place))
    return place


def seconds_left(most: float) -> float:
    """The time limit for an action that may take `most`. NoBinary when the run has no time left."""
    left = float(os.environ.get(UNTIL) or math.inf) - time.time()
    if left <= 0:
        raise NoBinary(f"no time was left for a real control plane (${UNTIL})")
    return min(most, left)


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def cache() -> Path:
    """The directory of the built programs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "serinus"


def fingerprint(source: Path) -> str:
    """Changes when the program of this folder would."""
    found = hashlib.sha256()
    for file in sorted(source.iterdir()):
        found.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return found.hexdigest()[:12]


def build_modules(source: Path, place: Path, name: str) -> None:
    """Build the main package in `source` from its Go modules, and remove builds of older sources. `name` is for errors."""
    go = shutil.which("go")
    if go is None:
        raise NoBinary(f"Go is not installed, which builds the {name}: install it from https://go.dev/dl")
    listed = _run([go, "list", "-deps", "."], source, name)
    if listed.returncode:
        raise NoBinary(f"the Go modules of the {name} cannot be had here: {listed.stderr.strip()[-300:]}")
    _, minor, _ = VERSION.split(".")
    link = f"-s -w -X k8s.io/component-base/version.gitVersion={VERSION}"
    link += f" -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor={minor}"
    new = place.with_suffix(".new")
    nice = [["nice", "-n", "5"], []][shutil.which("nice") is None]
    done = _run(
        [*nice, go, "build", "-trimpath", "-buildvcs=false", "-ldflags", link, "-o", str(new), "."], source, name
    )
    assert done.returncode == 0, f"the {name} does not compile: {done.stderr.strip()[-1000:]}"
    for old in place.parent.glob(place.name.rpartition("-")[0] + "-*"):
        if old != new:
            old.unlink()  # of another version of the source: 100 MB each
    new.rename(place)


def build_module(module: str, place: Path, name: str) -> None:
    """Build a program from its Go module, `path@version`. `name`: of the program, as `go install` calls it."""
    go = shutil.which("go")
    if go is None:
        raise NoBinary(f"Go is not installed, which builds {name}: install it from https://go.dev/dl")
    made = place.with_suffix(".new")
    nice = [["nice", "-n", "5"], []][shutil.which("nice") is None]
    command = [*nice, go, "install", "-trimpath", "-ldflags", "-s -w", module]
    environment = {**os.environ, "GOBIN": str(made), "GOFLAGS": ""}
    seconds = seconds_left(MODULE_SECONDS)
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise NoBinary(f"{name} was not built within {seconds:.0f} s") from None
    if done.returncode:
        raise NoBinary(f"{name} cannot be built here: {done.stderr.strip()[-300:]}")
    (made / name).rename(place)
    made.rmdir()


def _run(command: list[str], source: Path, name: str) -> subprocess.CompletedProcess[str]:
    seconds = seconds_left(BUILD_SECONDS)
    try:
        return subprocess.run(command, cwd=source, capture_output=True, text=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise NoBinary(f"the {name} was not built within {seconds:.0f} s") from None


if __name__ == "__main__":
    print(binary())
