"""The fixtures `cluster` and `running_cluster`: one real control plane for a whole run, in a network of its own.

Imported by tests/conftest.py; everything heavy is imported on first use.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.cluster.cluster import Cluster


@pytest.fixture
def cluster(running_cluster: Cluster) -> Iterator[Cluster]:
    """The cluster of the run, whose parts run before and after the test: the test in which one ends fails with its last words."""
    running_cluster.assert_running()
    yield running_cluster
    running_cluster.assert_running()


@pytest.fixture(scope="session")
def running_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """From here on to the end of the run, this process lives in the cluster's network."""
    from tests.support.cluster.binary import NoBinary, binary
    from tests.support.cluster.cluster import Cluster
    from tests.support.cluster.control_plane import ADMIN, ControlPlane
    from tests.support.cluster.network import NoNetwork, ask_for_network, own_network
    from tests.support.cluster.rights import refused

    try:
        ask_for_network()
        program = binary()
        network = own_network()
        network.__enter__()
    except (NoBinary, NoNetwork) as error:
        pytest.skip(f"no control plane here: {error}")
    try:
        users = {ADMIN: "system:masters", "ana": "users", "ben": "users"}
        cluster = Cluster(ControlPlane(program, tmp_path_factory.mktemp("cluster"), audit=True, groups=users))
        try:
            cluster.start()
            yield cluster
        finally:
            print(cluster.logs())
            cluster.stop()
        assert refused(cluster.plane.audit_file) == [], "rights that are missing"
    finally:
        network.__exit__(None, None, None)
