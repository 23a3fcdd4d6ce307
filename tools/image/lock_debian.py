"""Pins the newest versions of the image's Debian packages: `make image-lock` writes debian.lock."""

from __future__ import annotations

import sys

from apt import ARCHITECTURES, LOCK, Apt, Failed

PACKAGES = (
    "base-files",  # os-release, by which scanners know the distribution
    "ca-certificates",
    "gcc-12-base",  # the licence of libgcc and libstdc++
    "libbz2-1.0",
    "libc6",
    "libexpat1",
    "libffi8",
    "libgcc-s1",
    "liblzma5",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "libssl3",
    "libstdc++6",  # google-re2
    "libuuid1",
    "media-types",  # the types of the dashboard's files
    "python3.11-minimal",
    "tzdata",
    "zlib1g",
)
"""All that the controller, the commands and the dashboards load. A test loads each library and each module."""
HEAD = "# Debian's packages in the image: architecture, package, version, SHA-256. Made by `make image-lock`.\n"


def row(apt: Apt, architecture: str, name: str) -> str:
    """Packages for all architectures count as packages of each."""
    return " ".join(apt.newest(name)._replace(architecture=architecture))


def main() -> int:
    rows: list[str] = []
    try:
        for architecture in ARCHITECTURES:
            apt = Apt(architecture)
            rows += [row(apt, architecture, name) for name in PACKAGES]
    except Failed as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    LOCK.write_text(HEAD + "\n".join(rows) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
