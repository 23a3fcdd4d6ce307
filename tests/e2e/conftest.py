"""Where the suite runs: on an instance of `serinus up` for each test, or, with SERINUS_CLUSTER, on a cluster.

SERINUS_CLUSTER=own     a real control plane of the tests' own (tests/cluster)
SERINUS_CLUSTER=FILE    the cluster of this kubeconfig; SERINUS_GATEWAY is the URL of its ingress controller, and the
                        controller must run there (`serinus controller --kubeconfig FILE` does)
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from live import Instance

ENGINE = os.environ.get("SERINUS_CLUSTER", "")

collect_ignore = ["test_up.py"] if ENGINE else []
"""What is about `serinus up` itself."""


@pytest.fixture
def instance(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Instance]:
    instance = _instance(tmp_path / "data", request)
    try:
        instance.up()
        yield instance
    finally:
        print(instance.logs())
        instance.down()


def _instance(data: Path, request: pytest.FixtureRequest) -> Instance:
    if not ENGINE:
        return Instance(data)
    from cluster_instance import ClusterInstance

    if ENGINE == "own":
        cluster = request.getfixturevalue("cluster")
        return ClusterInstance(data, cluster.plane.kubeconfig(), cluster.gateway)
    gateway = os.environ.get("SERINUS_GATEWAY", "")
    if not gateway:
        pytest.skip("which gateway? SERINUS_GATEWAY must be the URL of the cluster's ingress controller")
    return ClusterInstance(data, Path(ENGINE), gateway)
