"""The Python packages of the image: those of requirements.lock, and Serinus as a wheel, in a virtual environment.

Pip unpacks wheels for the image's architecture and runs none of their code, so any machine builds for any architecture.
"""

from __future__ import annotations

import compileall
import py_compile
import shutil
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

from apt import Failed

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements.lock"
PYTHON = "3.11"
HOME = Path("opt/serinus")
"""The virtual environment, below the image's root."""
SITE = HOME / "lib" / f"python{PYTHON}" / "site-packages"
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
GLIBC_MINORS = range(36, 16, -1)
"""Minor versions of glibc whose wheels run on Debian 12, which has 2.36, the newest first."""
NOT_RUN = ("setuptools", "pkg_resources", "_distutils_hack", "distutils-precedence.pth")
"""Of requirements.lock: packages that only build."""
SCRIPT = """#!/{python}
import sys
from {module} import {function}
sys.exit({function}())
"""


def build_wheel(place: Path) -> Path:
    """The wheel of this repository, from its sdist. Raises Failed."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(place), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"the wheel cannot be built: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
    (wheel,) = place.glob("*.whl")
    return wheel


def install_dependencies(root: Path, architecture: str) -> None:
    """Unpack what requirements.lock pins. Raises Failed with pip's last line."""
    machine = MACHINES[architecture]
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in GLIBC_MINORS] + [f"manylinux2014_{machine}"]
    wheels = [word for platform in platforms for word in ("--platform", platform)]
    wheels += ["--python-version", PYTHON, "--implementation", "cp", "--only-binary", ":all:", "--no-deps"]
    _pip(root, "install", *wheels, "--require-hashes", "-r", str(LOCK))
    site = root / SITE
    for name in NOT_RUN:
        for path in (site / name, *site.glob(f"{name}-*.dist-info")):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    _forget_what_is_gone(site)
    environment = f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {PYTHON}\n"
    (root / HOME / "pyvenv.cfg").write_text(environment)
    (root / HOME / "bin").mkdir()
    (root / HOME / "bin" / "python").symlink_to(f"/usr/bin/python{PYTHON}")


def install_wheel(root: Path, wheel: Path) -> None:
    """Unpack Serinus, with a script for each of its programs."""
    _pip(root, "install", "--no-deps", "--no-build-isolation", "--no-index", str(wheel))
    (information,) = (root / SITE).glob("serinus-*.dist-info")
    (information / "direct_url.json").unlink(missing_ok=True)  # it has the path of the wheel on this machine
    _forget_what_is_gone(root / SITE)
    (root / HOME / "bin").mkdir(exist_ok=True)
    (own,) = distributions(name="serinus", path=[str(root / SITE)])
    for name, module, called in ((p.name, p.module, p.attr) for p in own.entry_points.select(group="console_scripts")):
        script = root / HOME / "bin" / name
        script.write_text(SCRIPT.format(python=HOME / "bin" / "python", module=module, function=called))
        script.chmod(0o755)


def _forget_what_is_gone(site: Path) -> None:
    """Drop the files that were removed from the lists of the packages. Versions of pip list scripts in different orders."""
    for record in site.glob("*.dist-info/RECORD"):
        rows = record.read_text().splitlines(keepends=True)
        record.write_text("".join(row for row in rows if (site / row.partition(",")[0].strip('"')).exists()))


def _pip(root: Path, *words: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet", *words]
    command += ["--target", str(root / SITE), "--no-compile", "--no-warn-conflicts", "--root-user-action", "ignore"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"pip cannot unpack the packages: {(done.stderr.strip() or 'no output').splitlines()[-1]}")
    shutil.rmtree(root / SITE / "bin", ignore_errors=True)  # scripts of other packages, with the path of this Python


def compile_all(root: Path) -> None:
    """Compile all modules: the root file system is read-only where the image runs.

    Python takes them without a look at the source, whose time the image sets to that of the commit.
    """
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    if not compileall.compile_dir(
        root, maxlevels=50, quiet=2, stripdir=str(root), prependdir="/", invalidation_mode=mode, workers=1
    ):
        raise Failed("a module of the image cannot be compiled")
