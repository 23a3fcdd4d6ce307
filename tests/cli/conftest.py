"""The API server that all tests of the command line share, and a namespace in it for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.cli.cli_cluster import Cluster, Space


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    yield made
    made.stop()


@pytest.fixture
def space(
    cluster: Cluster,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Space]:
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    name = "test-" + str(abs(hash(request.node.nodeid)))[:12]
    cluster.writes.clear()

    def captured() -> tuple[str, str]:
        said = capsys.readouterr()
        return said.out, said.err

    yield Space(cluster, name, captured)
    cluster.before = lambda _: None
