"""Fixtures of the tests that need a real control plane."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster.cluster import Cluster
from tests.support.cluster.cluster_instance import ClusterInstance


@pytest.fixture
def there(cluster: Cluster, tmp_path: Path) -> Iterator[ClusterInstance]:
    """A namespace of the test's own."""
    there = ClusterInstance(tmp_path / "there", cluster.plane.kubeconfig(), cluster.gateway)
    try:
        there.up()
        yield there
    finally:
        there.down()
