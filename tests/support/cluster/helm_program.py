"""A real `helm`, built once from its Go module and stored beside the user's other caches."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.support.cluster.binary import NoBinary, built, seconds_left

VERSION = "v3.22.0"
MODULE = "helm.sh/helm/v3/cmd/helm"
BUILD_SECONDS = 1200
"""With nothing cached it takes some 4 minutes on two busy cores."""


def helm() -> Path:
    """The program; it is built if missing. NoBinary if the build is impossible."""
    return built(f"helm-{VERSION}", _build, lock="helm.lock")


def _build(place: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise NoBinary("Go is not installed, which builds helm: install it from https://go.dev/dl")
    made = place.with_suffix(".new")
    nice = [["nice", "-n", "5"], []][shutil.which("nice") is None]
    command = [*nice, go, "install", "-trimpath", "-ldflags", "-s -w", f"{MODULE}@{VERSION}"]
    environment = {**os.environ, "GOBIN": str(made), "GOFLAGS": ""}
    seconds = seconds_left(BUILD_SECONDS)
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise NoBinary(f"helm was not built within {seconds:.0f} s") from None
    if done.returncode:
        raise NoBinary(f"helm cannot be built here: {done.stderr.strip()[-300:]}")
    (made / "helm").rename(place)
    made.rmdir()


if __name__ == "__main__":
    print(helm())
