"""A node with containers, the controller and Traefik, for as long as a command runs in its network: as a cluster of somebody else's.

python -m tests.support.nodes.standing COMMAND [ARGUMENT ...]
    runs it with $KUBECONFIG, an administrator's, and $GATEWAY, the URL of Traefik

python -m tests.support.nodes.standing sh -c 'make test-cluster KUBECONFIG=$KUBECONFIG GATEWAY=$GATEWAY'
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.support.cluster.binary import NoBinary, binary
from tests.support.cluster.cluster import BIN
from tests.support.cluster.network import NoNetwork, ask_for_network, own_network
from tests.support.nodes.addons.traefik import install_traefik
from tests.support.nodes.images import build_images
from tests.support.nodes.installed import install
from tests.support.nodes.machine import Machine
from tests.support.nodes.node import Node
from tests.support.nodes.programs import ask_for_packages, init_program, node_program


@contextmanager
def running_node(directory: Path) -> Generator[Node]:
    """A node that is Ready, in a network of its own, where this thread lives for as long as the block lasts.

    NoBinary or NoNetwork where it cannot be had.
    """
    ask_for_network()
    ask_for_packages()
    # Built where registries can be reached: from that network they cannot.
    init, program, plane = init_program(), node_program(), binary()
    images = build_images(directory / "images.tar", init)
    machine = Machine(init, f"serinus-node-{os.getpid()}")
    node = Node(Node.control_plane(plane, directory / "control-plane"), program, machine, directory / "node", images)
    with own_network():
        try:
            node.start()
            yield node
        finally:
            node.stop()
    assert node.left() == []


def stand(command: list[str]) -> int:
    """The command's exit code."""
    with tempfile.TemporaryDirectory(prefix="serinus-node-") as directory, running_node(Path(directory)) as node:
        install(node, Path(directory))
        environment = {"KUBECONFIG": str(node.plane.kubeconfig()), "GATEWAY": install_traefik(node)}
        path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(command, env={**os.environ, **environment, "PATH": path}, check=False).returncode


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(f"which command is to run there?{__doc__}")
    try:
        sys.exit(stand(sys.argv[1:]))
    except (NoBinary, NoNetwork) as error:
        sys.exit(f"no node with containers here: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
