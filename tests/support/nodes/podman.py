"""Podman with storage, settings and a network of its own, and with the demo's images."""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.cluster.binary import NoBinary
from tests.support.cluster.network import NoNetwork, ask_for_network, own_network
from tests.support.nodes.images import demo_images
from tests.support.nodes.programs import ask_for_packages

PACKAGES = {
    "podman": "podman",
    "catatonit": "catatonit",
    "runc": "runc",
    "iptables": "iptables",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
}
NETWORKS = Path("/run/netns")


@contextmanager
def podman() -> Generator[None]:
    """For as long as the block lasts this process has its network and its settings. NoBinary or NoNetwork where it cannot run."""
    ask_for_network()
    ask_for_packages(PACKAGES)
    before, networks, mounted = dict(os.environ), _networks(), _mounted()
    with tempfile.TemporaryDirectory(prefix="serinus-podman-") as directory, own_network():
        place = Path(directory)
        os.environ["CONTAINERS_CONF"] = str(_written(place / "containers.conf", _settings()))
        os.environ["CONTAINERS_STORAGE_CONF"] = str(_written(place / "storage.conf", _storage(place)))
        try:
            _run("load", "--input", str(demo_images(place / "images.tar")))
            yield
        finally:
            _run("rm", "--all", "--force", check=False)
            # It unmounts what is mounted below the storage.
            _run("rmi", "--all", "--force", check=False)
            for name in ("CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF"):
                os.environ.pop(name)
            os.environ.update(before)
            subprocess.run(["umount", "--recursive", "--quiet", str(place / "graph" / "overlay")], check=False)
            # Podman leaves the network of a container whose creation it does not finish.
            for network in _networks() - networks:
                subprocess.run(["umount", "--quiet", str(network)], check=False)
                network.unlink()
            if not mounted and _mounted():
                subprocess.run(["umount", "--quiet", str(NETWORKS)], check=False)


@contextmanager
def podman_or_skip() -> Generator[None]:
    """For a fixture: as `podman`, and skips the test where it cannot run."""
    with ExitStack() as stack:
        try:
            stack.enter_context(podman())
        except (NoBinary, NoNetwork) as error:
            pytest.skip(f"no Podman here: {error}")
        yield


def containers() -> list[str]:
    """The names of all containers, also of those that have ended."""
    return _run("ps", "--all", "--format", "{{.Names}}").split()


def _networks() -> set[Path]:
    return set(NETWORKS.glob("netns-*"))


def _mounted() -> bool:
    """Whether the directory of the networks is a mount, which Podman makes it."""
    return f" {NETWORKS} " in Path("/proc/self/mountinfo").read_text()


def _run(*arguments: str, check: bool = True) -> str:
    done = subprocess.run(["podman", *arguments], capture_output=True, text=True, check=False, timeout=300)
    if check and done.returncode:
        raise NoBinary(f"`podman {arguments[0]}` fails here: {done.stderr.strip()[-300:]}")
    return done.stdout


def _settings() -> str:
    """For a machine without systemd, where root may not raise its own limits."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return (
        f'[containers]\ndefault_ulimits = ["nofile={min(1024, files)}:{min(4096, files)}", "nproc=1024:4096"]\n'
        '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
    )


def _storage(place: Path) -> str:
    return f'[storage]\ndriver = "overlay"\ngraphroot = "{place / "graph"}"\nrunroot = "{place / "run"}"\n'


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path
