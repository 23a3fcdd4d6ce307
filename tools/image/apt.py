"""Debian's packages of the image, by apt: the versions that a mirror has, and the files of those that are pinned.

Apt gets a state of its own, so that it finds the packages of Debian 12 for any architecture on any machine with apt, and
changes nothing of the machine. The index is checked by Debian's keys, each file by the hash in `debian.lock`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

LOCK = Path(__file__).with_name("debian.lock")
SUITE = "bookworm"
MIRROR = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
SECURITY = os.environ.get("DEBIAN_SECURITY_MIRROR", "http://deb.debian.org/debian-security")
KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "serinus" / "image"
ARCHITECTURES = ("amd64", "arm64")


class Failed(Exception):
    """One sentence for the user."""


class Pin(NamedTuple):
    architecture: str
    name: str
    version: str
    sha256: str


def pins(architecture: str) -> list[Pin]:
    """The packages of this architecture in `debian.lock`."""
    rows = [row.split() for row in LOCK.read_text().splitlines() if row and not row.startswith("#")]
    return [pin for pin in (Pin(*row) for row in rows) if pin.architecture == architecture]


class Apt:
    """Apt with a state of its own for one architecture, which no other build uses as long as this object lives."""

    def __init__(self, architecture: str) -> None:
        for program in ("apt-get", "dpkg-deb"):
            if shutil.which(program) is None:
                raise Failed(f"{program} is not installed: build the image on Debian or Ubuntu, or with the Dockerfile")
        if not KEYS.exists():
            raise Failed(f"{KEYS} is missing: apt-get install debian-archive-keyring")
        self._state = CACHE / f"apt-{architecture}"
        for folder in ("lists/partial", "archives/partial"):
            (self._state / folder).mkdir(parents=True, exist_ok=True)
        self._held = (self._state / "lock").open("w")
        fcntl.flock(self._held, fcntl.LOCK_EX)
        (self._state / "status").touch()
        (self._state / "sources.list").write_text(
            f"deb [signed-by={KEYS}] {MIRROR} {SUITE} main\n"
            f"deb [signed-by={KEYS}] {MIRROR} {SUITE}-updates main\n"
            f"deb [signed-by={KEYS}] {SECURITY} {SUITE}-security main\n"
        )
        configuration = self._state / "apt.conf"
        # Valid-Until: an index of snapshot.debian.org has passed it; the files are pinned by their hashes.
        configuration.write_text(
            f'Dir::State "{self._state}"; Dir::State::status "{self._state}/status"; Dir::State::lists "lists";\n'
            f'Dir::Cache "{self._state}"; Dir::Etc::sourcelist "{self._state}/sources.list"; Dir::Etc::sourceparts "-";\n'
            f'APT::Architecture "{architecture}"; APT::Architectures {{ "{architecture}"; }};\n'
            'Acquire::Check-Valid-Until "false"; Acquire::Languages "none"; APT::Sandbox::User "root";\n'
        )
        self._environment = {**os.environ, "APT_CONFIG": str(configuration), "LC_ALL": "C"}
        self._updated = False

    def run(self, *words: str, cwd: Path | None = None) -> str:
        """The output of an apt program. Raises Failed with its last line."""
        done = subprocess.run(words, env=self._environment, cwd=cwd, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"{' '.join(words[:3])}: {(done.stderr.strip() or 'no output').splitlines()[-1]}")
        return done.stdout

    def update(self) -> None:
        """Get the index, once."""
        if not self._updated:
            self.run("apt-get", "-qq", "update")
            self._updated = True

    def newest(self, name: str) -> Pin:
        """The newest version of a package that the mirror has."""
        self.update()
        text = self.run("apt-cache", "show", "--no-all-versions", name)
        fields = dict(re.findall(r"^(Architecture|Version|SHA256): (\S+)$", text, re.M))
        return Pin(fields["Architecture"], name, fields["Version"], fields["SHA256"])

    def file(self, pin: Pin) -> Path:
        """The package's file: from the cache of earlier builds, else from the mirror. Raises Failed."""
        kept = CACHE / "packages" / f"{pin.sha256}.deb"
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            self.update()
            archives = self._state / "archives"
            for old in archives.glob("*.deb"):
                old.unlink()
            try:
                self.run("apt-get", "-qq", "download", f"{pin.name}={pin.version}", cwd=archives)
            except Failed as error:
                raise Failed(
                    f"the mirror has no {pin.name} {pin.version}, which {LOCK.name} pins ({error}): run `make image-lock` "
                    "for the present versions, or set DEBIAN_MIRROR and DEBIAN_SECURITY_MIRROR to a snapshot"
                ) from None
            (file,) = archives.glob("*.deb")
            shutil.move(file, kept)
        found = hashlib.sha256(kept.read_bytes()).hexdigest()
        if found != pin.sha256:
            kept.unlink()
            raise Failed(f"{pin.name} {pin.version} has the hash {found}, and {LOCK.name} pins {pin.sha256}")
        return kept
