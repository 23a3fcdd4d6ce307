"""A whole cluster, for as long as a command runs in its network: what a cluster of somebody else's is to the tests.

python -m tests.support.cluster.standing COMMAND [ARGUMENT ...]
    runs it with $KUBECONFIG, an administrator's, and $GATEWAY, the URL of the ingress controller

python -m tests.support.cluster.standing bash
    is a shell there
python -m tests.support.cluster.standing sh -c 'make test-cluster KUBECONFIG=$KUBECONFIG GATEWAY=$GATEWAY'
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.cluster.binary import NoBinary, binary
from tests.support.cluster.cluster import BIN, Cluster
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.network import NoNetwork, ask_for_network, own_network


def stand(command: list[str]) -> int:
    """The command's exit code."""
    ask_for_network()
    program = binary()  # built where registries can be reached: from that network they cannot
    with tempfile.TemporaryDirectory(prefix="serinus-cluster-") as directory, own_network():
        cluster = Cluster(ControlPlane(program, Path(directory)))
        try:
            cluster.start()
            environment = {"KUBECONFIG": str(cluster.plane.kubeconfig()), "GATEWAY": cluster.gateway}
            path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
            return subprocess.run(command, env={**os.environ, **environment, "PATH": path}, check=False).returncode
        finally:
            cluster.stop()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(f"which command is to run there?{__doc__}")
    try:
        sys.exit(stand(sys.argv[1:]))
    except (NoBinary, NoNetwork) as error:
        sys.exit(f"no control plane here: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
