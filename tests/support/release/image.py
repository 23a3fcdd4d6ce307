"""An image as a registry stores it: the archive that `make image` writes, and its root file system with programs run in it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.instance.live import REPOSITORY

USER = 65532


class NoImage(Exception):
    """Why no image can be built here."""


@dataclass(frozen=True)
class Image:
    """`layers`: the digests of the compressed layers. `config`: the image's configuration. `root`: all layers, unpacked."""

    archive: Path
    digest: str
    layers: tuple[str, ...]
    config: dict[str, Any]
    root: Path

    def run(self, *words: str, entrypoint: str = "") -> subprocess.CompletedProcess[str]:
        """Run the image's entry point as its user, on a root file system that it cannot write, in its environment."""
        inside = self.config["config"]
        command = [entrypoint] if entrypoint else inside["Entrypoint"]
        script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
        chroot = shutil.which("chroot") or "chroot"
        start = ["env", "-i", *inside["Env"], chroot, f"--userspec={inside['User']}", str(self.root), *command, *words]
        whole = ["unshare", "--mount", "sh", "-c", script, str(self.root), *start]
        return subprocess.run(whole, capture_output=True, text=True, check=False, timeout=120)


def tools(repository: Path = REPOSITORY) -> Path:
    """The Python with the tools of a release, installed once by all processes of a run. NoImage: an image cannot be built."""
    if os.geteuid() != 0:
        raise NoImage("building and running an image needs root")
    for program in ("buildah", "apt-get", "dpkg-deb", "unshare", "make", "python3.11"):
        if shutil.which(program) is None:
            raise NoImage(f"{program} is not installed")
    stamp = ".venv/.installed-release"
    with (repository / ".venv" / "release.lock").open("w") as held:
        # Each `make` empties the folder first: a second one would take the tools from a process that uses them.
        fcntl.flock(held, fcntl.LOCK_EX)
        done = subprocess.run(["make", "-C", str(repository), stamp], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoImage(f"the tools of a release cannot be installed: {done.stderr.strip()[-300:]}")
    return repository / ".venv" / "release" / "bin" / "python"


def built(checkout: Path, dist: Path, *flags: str) -> Path:
    """`make image` in this checkout, with the tools of the repository. Returns dist. Raises NoImage without a network."""
    program = str(checkout / "tools" / "image" / "build_image.py")
    command = [str(tools()), program, "--dist", str(dist), *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    if done.returncode and ("apt-get" in done.stderr or "pip cannot" in done.stderr):
        raise NoImage(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    return dist


def read(archive: Path, place: Path) -> Image:
    """Unpack an OCI archive to this directory."""
    with tarfile.open(archive) as tar:
        tar.extractall(place / "layout", filter="data")

    def blob(digest: str) -> Path:
        return place / "layout" / "blobs" / Path(digest.replace(":", "/"))

    (manifest,) = json.loads((place / "layout" / "index.json").read_text())["manifests"]
    parts = json.loads(blob(manifest["digest"]).read_text())
    layers = tuple(layer["digest"] for layer in parts["layers"])
    root = place / "root"
    root.mkdir()
    for layer in layers:
        subprocess.run(["tar", "-xzf", str(blob(layer)), "-C", str(root)], check=True, timeout=120)
    return Image(archive, manifest["digest"], layers, json.loads(blob(parts["config"]["digest"]).read_text()), root)
