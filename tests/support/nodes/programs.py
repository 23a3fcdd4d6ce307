"""The programs of a node: Kubernetes' own and `init`, built from Go once; containerd and runc, from Debian."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.support.cluster.binary import NoBinary, build_modules, built, fingerprint, seconds_left
from tests.support.cluster.network import outside

SOURCES = Path(__file__).with_name("programs")
INSTALL = "SERINUS_NODES"
"""An environment variable: with the value `install` the missing Debian packages are installed, which `make test-nodes` asks for."""
PACKAGES = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
}
"""A program, by its name or path -> the package that has it."""
INSTALL_SECONDS = 300
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def node_program() -> Path:
    """Kubelet, kube-proxy and kube-scheduler; built if missing. NoBinary if that is impossible."""
    source = SOURCES / "kubernetes"
    return built(f"node-{fingerprint(source)}", lambda place: build_modules(source, place, "node"), lock="node.lock")


def init_program() -> Path:
    """A static program that is the first process of a pod. NoBinary if it cannot be built."""
    source = SOURCES / "init"

    def build(place: Path) -> None:
        go = shutil.which("go")
        if go is None:
            raise NoBinary("Go is not installed, which builds the node: install it from https://go.dev/dl")
        command = [go, "build", "-trimpath", "-ldflags", "-s -w", "-o", str(place), str(source / "main.go")]
        environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": ""}
        subprocess.run(command, env=environment, check=True, timeout=seconds_left(INSTALL_SECONDS))

    return built(f"init-{fingerprint(source)}", build, lock="init.lock")


def ask_for_packages(wanted: Mapping[str, str] = PACKAGES) -> None:
    """Raise NoBinary where a program from Debian is missing. With `SERINUS_NODES=install` its package is installed first."""
    if (packages := missing(wanted)) and os.environ.get(INSTALL) == "install" and shutil.which("apt-get"):
        outside(lambda: _install(packages))
    if packages := missing(wanted):
        raise NoBinary(
            f"{', '.join(packages)} not installed, which run containers: on Debian or Ubuntu, `make test-nodes` as root"
            f" installs them, and so does apt-get install {' '.join(packages)}"
        )


def missing(wanted: Mapping[str, str]) -> list[str]:
    """The Debian packages whose programs are not on this machine."""
    found = {package for program, package in wanted.items() if shutil.which(program, path=SYSTEM_PATH) is None}
    return sorted(found)


def _install(packages: list[str]) -> None:
    """Whether it succeeds is seen by what is missing afterwards."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    for words in (["apt-get", "update", "-q"], command):
        subprocess.run(words, env=environment, capture_output=True, check=False, timeout=seconds_left(INSTALL_SECONDS))


if __name__ == "__main__":
    print(node_program(), init_program())
