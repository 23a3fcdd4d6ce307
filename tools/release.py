"""Builds all files of a release into dist/, with checksums and a signature: `make release`.

A release is refused, with a sentence, unless the tree is clean, CHANGELOG.md has a section of the version, and no tag has it.
Nothing is published, and no tag is made. docs/operations.md has the commands that verify and publish the files.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import re
import runpy
import shutil
import subprocess
import sys
import tarfile
from datetime import datetime
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHART = ROOT / "install" / "helm" / "serinus"
SUMS = "SHA256SUMS"


class Refused(Exception):
    """One sentence for the user."""


def run(*command: str | Path, because: str, quiet: bool = True) -> str:
    """The output of a program. Raises Refused with `because` and the program's last line."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE if quiet else None, text=True
        )
    except FileNotFoundError:
        raise Refused(f"{because}: {words[0]} is not installed") from None
    if done.returncode:
        raise Refused(
            f"{because}: {((done.stderr or '').strip() or 'no output').splitlines()[-1].removeprefix('Error: ')}"
        )
    return done.stdout


def version() -> str:
    return runpy.run_path(str(ROOT / "serinus" / "__init__.py"))["__version__"]


def check(number: str) -> None:
    """Raises Refused if this tree cannot be released as this version."""
    changed = run("git", "status", "--porcelain", because="the tree cannot be checked").splitlines()
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise Refused(f"the tree differs from its commit: {changed[0][3:]}{more}. Commit or remove the changes")
    log = (ROOT / "CHANGELOG.md").read_text()
    if not re.search(rf"^## \[{re.escape(number)}\] - \d{{4}}-\d\d-\d\d$", log, re.M):
        raise Refused(
            f"CHANGELOG.md has no section of version {number}: add `## [{number}] - YYYY-MM-DD` above its changes"
        )
    if run("git", "tag", "--list", f"v{number}", because="the tags cannot be read").strip():
        raise Refused(f"the tag v{number} exists already: set the next version in serinus/__init__.py")


def check_signer(given: argparse.Namespace) -> None:
    """Raises Refused without a way to sign."""
    if given.minisign_key and not given.minisign_key.is_file():
        raise Refused(f"there is no key {given.minisign_key}: make one with minisign -G")
    if given.minisign_key and shutil.which("minisign") is None:
        raise Refused("minisign is not installed: apt-get install minisign")
    if given.gpg_key:
        run("gpg", "--list-secret-keys", given.gpg_key, because=f"gpg has no secret key {given.gpg_key}")
    if not (given.minisign_key or given.gpg_key or given.unsigned):
        raise Refused("no key signs the checksums: make release MINISIGN_KEY=FILE, or GPG_KEY=ID")


def package_chart(dist: Path, number: str, epoch: int) -> None:
    """The chart as `helm package` packs it, but for its times, which are that of the commit: the same bytes each time."""
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(path for path in CHART.rglob("*") if path.is_file()):
            info = tarfile.TarInfo(f"serinus/{path.relative_to(CHART)}")
            info.size, info.mtime, info.mode = path.stat().st_size, epoch, 0o644
            with path.open("rb") as file:
                tar.addfile(info, file)
    (dist / f"serinus-chart-{number}.tgz").write_bytes(gzip.compress(packed.getvalue(), mtime=epoch))


def build(dist: Path, number: str, architectures: list[str]) -> None:
    """All files of the release. Raises Refused."""
    date = run("git", "log", "-1", "--format=%cI", because="the commit's date cannot be read").strip()
    epoch = int(datetime.fromisoformat(date).timestamp())
    os.environ["SOURCE_DATE_EPOCH"] = str(epoch)  # of the wheel
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", dist, ROOT, because="the wheel cannot be built")
    package_chart(dist, number, epoch)
    for architecture in architectures:
        image = ROOT / "tools" / "image" / "build_image.py"
        flags = ["--dist", dist, "--architecture", architecture]
        print(run(sys.executable, image, *flags, because=f"the image for {architecture} cannot be built"), end="")


def write_sums(dist: Path) -> Path:
    """The file with the SHA-256 of each file, in the form that `sha256sum --check` reads."""
    rows = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(dist.iterdir())]
    sums = dist / SUMS
    sums.write_text("".join(rows))
    return sums


def sign(sums: Path, given: argparse.Namespace, number: str) -> None:
    """Sign the checksums with each key that was given; the program asks for a password where the key has one."""
    if given.minisign_key:
        comment = f"serinus {number}"
        command = ["minisign", "-S", "-s", given.minisign_key, "-m", sums, "-t", comment]
        run(*command, because="minisign did not sign", quiet=False)
    if given.gpg_key:
        command = ["gpg", "--batch", "--yes", "--armor", "--local-user", given.gpg_key, "--detach-sign", sums]
        run(*command, because="gpg did not sign", quiet=False)


def main() -> int:
    parser = argparse.ArgumentParser(description="Build, check and sign the files of a release")
    parser.add_argument("--minisign-key", type=Path, metavar="FILE", help="the secret key of minisign that signs")
    parser.add_argument("--gpg-key", metavar="ID", help="the secret key of GPG that signs")
    parser.add_argument("--unsigned", action="store_true", help="no signature: the caller signs the checksums")
    parser.add_argument("--architectures", default="amd64,arm64", help="of the images, with commas between")
    parser.add_argument("--dist", type=Path, default=ROOT / "dist", metavar="DIR")
    given = parser.parse_args()
    number, dist = version(), given.dist.resolve()
    try:
        check(number)
        check_signer(given)
        shutil.rmtree(dist, ignore_errors=True)
        dist.mkdir(parents=True)
        build(dist, number, [name for name in given.architectures.split(",") if name])
        sums = write_sums(dist)
        sign(sums, given, number)
    except Refused as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    print(f"{dist}: version {number}, {len(list(dist.iterdir()))} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
