"""Builds the image without a container engine: `make image`. The last stages of the Dockerfile, by buildah.

The image is an OCI archive in dist/, beside its software bill of materials. All its times are that of the commit, so the
same commit gives the same digest. Nothing but dist/ is written: buildah's storage is a temporary directory.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from apt import ARCHITECTURES, Failed
from bill_of_materials import PLACE
from python_packages import PYTHON, ROOT, SITE
from write_root import write

STAGES = {"controller": "serinus", "demo": "serinus-demo"}
"""A stage of the Dockerfile -> the name of its image."""


class Built(NamedTuple):
    """`size`: bytes of the archive, whose layers are compressed."""

    archive: Path
    digest: str
    size: int


def native() -> str:
    """The architecture of this machine, as Debian names it."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def build(files: Path, stage: str, architecture: str, dist: Path, scratch: Path) -> Built:
    """Build one stage from the files that write_root wrote to this directory, whose name is `out`. Raises Failed."""
    stamp = json.loads((files / "serinus" / SITE / "serinus" / "build.json").read_text())
    (metadata,) = (files / "serinus" / SITE).glob("serinus-*.dist-info")
    version = metadata.name.removesuffix(".dist-info").partition("-")[2]
    arguments = {"VERSION": version, "REVISION": stamp["commit"], "CREATED": stamp["date"]}
    epoch = int(datetime.fromisoformat(stamp["date"]).timestamp()) if stamp["date"] else 0
    (scratch / "context").mkdir(exist_ok=True)
    name = f"{STAGES[stage]}:{version}"
    _buildah(
        scratch,
        *("build", "--isolation", "chroot", "--layers", "--no-cache", "--identity-label=false", "--quiet"),
        *(
            "--build-context",
            f"root={files.parent}",
            "--timestamp",
            str(epoch),
            "--os",
            "linux",
            "--arch",
            architecture,
        ),
        *(word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")),
        *("--target", stage, "--file", str(ROOT / "Dockerfile"), "--tag", name, str(scratch / "context")),
    )
    dist.mkdir(exist_ok=True)
    digest, layout = scratch / "digest", scratch / f"{stage}.oci"
    _buildah(scratch, "push", "--quiet", "--digestfile", str(digest), name, f"oci:{layout}:{version}")
    archive = dist / f"{STAGES[stage]}-{version}-{architecture}.oci.tar"
    _pack(layout, archive, epoch)
    if stage == "controller":
        shutil.copyfile(files / "serinus" / PLACE, dist / f"serinus-{version}-{architecture}.cdx.json")
    return Built(archive, digest.read_text().strip(), archive.stat().st_size)


def _pack(layout: Path, archive: Path, epoch: int) -> None:
    """Write an OCI archive with the same bytes for the same image. It is not compressed once more: its layers are."""

    def same(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.mtime, info.uid, info.gid, info.uname, info.gname = epoch, 0, 0, "", ""
        info.mode = 0o755 if info.isdir() else 0o644
        return info

    with tarfile.open(archive, "w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(layout.rglob("*")):
            tar.add(path, str(path.relative_to(layout)), recursive=False, filter=same)


def _buildah(scratch: Path, *words: str) -> None:
    storage = ["--root", str(scratch / "storage"), "--runroot", str(scratch / "run"), "--storage-driver", "vfs"]
    done = subprocess.run(["buildah", *storage, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"buildah {words[0]}: {(done.stderr.strip() or 'no output').splitlines()[-1]}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the image as an OCI archive, without a container engine")
    parser.add_argument("--architecture", choices=ARCHITECTURES, default=native())
    parser.add_argument("--stage", choices=[*STAGES, "all"], default="all")
    parser.add_argument("--dist", type=Path, default=ROOT / "dist", metavar="DIR")
    given = parser.parse_args()
    try:
        if f"{sys.version_info.major}.{sys.version_info.minor}" != PYTHON:
            raise Failed(f"Python {PYTHON} compiles the modules of the image. Use: make image PYTHON=python{PYTHON}")
        if shutil.which("buildah") is None:
            raise Failed(
                "buildah is not installed: apt-get install buildah, or build the Dockerfile with a container engine"
            )
        with tempfile.TemporaryDirectory() as name:
            scratch = Path(name)
            write(scratch / "files" / "out", given.architecture, scratch)
            for stage in STAGES if given.stage == "all" else (given.stage,):
                built = build(scratch / "files" / "out", stage, given.architecture, given.dist.resolve(), scratch)
                print(f"{built.archive}  {built.size / 1e6:.1f} MB  {built.digest}")
    except Failed as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
