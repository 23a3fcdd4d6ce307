"""Writes the files of the image to a directory: `make image` and the Dockerfile run it with the tools of
requirements-release.lock.

`OUT/base` has Debian's packages (debian.lock) and those of requirements.lock, `OUT/serinus` has Serinus; each becomes a
layer, so that an update of Serinus alone is small. No program of the image runs, and no code of its packages.
The same commit gives the same bytes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from apt import ARCHITECTURES, Apt, Failed, pins
from bill_of_materials import PLACE, bill_of_materials
from python_packages import (
    PYTHON,
    SITE,
    build_wheel,
    compile_all,
    install_dependencies,
    install_wheel,
)

MERGED = ("bin", "sbin", "lib", "lib64")
"""Links to directories of /usr, as on a Debian system."""
LEFT_OUT = (
    "boot",
    "etc/alternatives",
    "etc/apt",
    "etc/ca-certificates",
    "etc/default",
    "etc/dpkg",
    "etc/init.d",
    "etc/issue",
    "etc/issue.net",
    "etc/motd",
    "etc/profile.d",
    "etc/skel",
    "etc/update-motd.d",
    "etc/terminfo",
    "home",
    "root",
    "usr/games",
    "usr/lib/*/gconv",
    "usr/lib/python3.11/_pydecimal.py",
    "usr/lib/python3.11/curses",
    "usr/lib/python3.11/dbm",
    "usr/lib/python3.11/ensurepip",
    "usr/lib/python3.11/idlelib",
    "usr/lib/python3.11/lib2to3",
    "usr/lib/python3.11/pydoc_data",
    "usr/lib/python3.11/sqlite3",
    "usr/lib/python3.11/tkinter",
    "usr/lib/python3.11/turtledemo",
    "usr/lib/python3.11/lib-dynload/_crypt.*",
    "usr/lib/python3.11/lib-dynload/_curses*",
    "usr/lib/python3.11/lib-dynload/_dbm.*",
    "usr/lib/python3.11/lib-dynload/_sqlite3.*",
    "usr/lib/python3.11/lib-dynload/_test*",
    "usr/lib/python3.11/lib-dynload/_xxtest*",
    "usr/lib/python3.11/lib-dynload/nis.*",
    "usr/lib/python3.11/lib-dynload/ossaudiodev.*",
    "usr/lib/python3.11/lib-dynload/readline.*",
    "usr/lib/python3.11/lib-dynload/xx*",
    "usr/sbin/*",
    "usr/bin/[!p]*",
    "usr/share/apport",
    "usr/share/base-files",
    "usr/share/bash-completion",
    "usr/share/binfmts",
    "usr/share/bug",
    "usr/share/dict",
    "usr/share/doc-base",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/pixmaps",
    "usr/share/zoneinfo/right",
    "var",
)
"""Of Debian's packages: files for systems with a shell, and extension modules whose libraries the image lacks."""
TEMPORARY = ("tmp", "var/tmp")
USERS = "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/nonexistent:/sbin/nologin\n"
GROUPS = "root:x:0:\nnonroot:x:65532:\n"


def write_debian(root: Path, architecture: str) -> None:
    for name in MERGED:
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    apt = Apt(architecture)
    for pin in pins(architecture):
        package = apt.file(pin)
        data = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE)
        subprocess.run(["tar", "-x", "--keep-directory-symlink", "-C", str(root)], stdin=data.stdout, check=True)
        if data.wait():
            raise Failed(f"dpkg-deb cannot unpack {package}")
        _keep_licence(root, pin.name)
    _write_certificates(root)
    for pattern in LEFT_OUT:
        for path in root.glob(pattern):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    (root / "etc" / "passwd").write_text(USERS)
    (root / "etc" / "group").write_text(GROUPS)
    (root / "etc" / "nsswitch.conf").write_text("hosts: files dns\n")
    for name in (*TEMPORARY, "proc", "sys", "dev", "run"):
        (root / name).mkdir(parents=True, exist_ok=True)


def _keep_licence(root: Path, name: str) -> None:
    """Of a package's documents only the licence stays, with texts of common licences in usr/share/common-licenses."""
    documents = root / "usr" / "share" / "doc" / name
    if documents.is_symlink():  # to the documents of the package that it is built with
        return
    for path in documents.iterdir():
        if path.name != "copyright":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _write_certificates(root: Path) -> None:
    """All authorities in one file, as update-ca-certificates would write it."""
    authorities = sorted((root / "usr" / "share" / "ca-certificates").rglob("*.crt"))
    place = root / "etc" / "ssl" / "certs" / "ca-certificates.crt"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("".join(path.read_text().rstrip("\n") + "\n" for path in authorities))
    shutil.rmtree(root / "usr" / "share" / "ca-certificates")
    # Where OpenSSL looks; on a system it is a link of the package openssl.
    (root / "usr" / "lib" / "ssl").mkdir(exist_ok=True)
    (root / "usr" / "lib" / "ssl" / "cert.pem").symlink_to("/etc/ssl/certs/ca-certificates.crt")


def same_modes(root: Path) -> None:
    """Modes that depend neither on the umask nor on pip."""
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def write(out: Path, architecture: str, scratch: Path) -> None:
    """Write OUT/base and OUT/serinus. Raises Failed."""
    base, own = out / "base", out / "serinus"
    for root in (base, own):
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
    write_debian(base, architecture)
    install_dependencies(base, architecture)
    install_wheel(own, build_wheel(scratch))
    together = scratch / "site"
    for root in (base, own):
        shutil.copytree(root / SITE, together, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.so", "*.py"))
    build = json.loads((own / SITE / "serinus" / "build.json").read_text())
    place = own / PLACE
    place.parent.mkdir(parents=True)
    place.write_text(bill_of_materials(together, pins(architecture), build, scratch))
    for root in (base, own):
        compile_all(root)
        same_modes(root)
    for name in TEMPORARY:
        (base / name).chmod(0o1777)


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the files of the image to a directory")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--architecture", choices=ARCHITECTURES, required=True)
    given = parser.parse_args()
    if f"{sys.version_info.major}.{sys.version_info.minor}" != PYTHON:
        print(
            f"Error: Python {PYTHON} compiles the modules of the image. Use: make image PYTHON=python{PYTHON}",
            file=sys.stderr,
        )
        return 1
    with tempfile.TemporaryDirectory() as scratch:
        try:
            write(given.out.resolve(), given.architecture, Path(scratch))
        except Failed as error:
            print(f"Error: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
