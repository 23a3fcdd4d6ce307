"""Where the suite runs: on an instance of `serinus up` for each test, or, with SERINUS_CLUSTER, on a cluster.

SERINUS_CLUSTER=own     a real control plane of the tests' own (tests/cluster)
SERINUS_CLUSTER=also    both: `serinus up`, and at the end of the run the real control plane
SERINUS_CLUSTER=podman  an instance of `serinus up --runtime podman` for each test, as `make test-nodes` has it
SERINUS_CLUSTER=FILE    the cluster of this kubeconfig; SERINUS_GATEWAY is the URL of its ingress controller, and the
                        controller must run there (`serinus controller --kubeconfig FILE` does)
"""

from __future__ import annotations

import fcntl
import http.client
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.instance.engines import ENGINES, GATEWAY, OWN, PODMAN, THEIRS, UP
from tests.support.instance.live import BIN, Instance, run, running
from tests.support.side_by_side import WORKER

ONLY_UP = "test_up.py"
"""The tests of `serinus up` itself."""
collect_ignore = [] if UP in ENGINES or PODMAN in ENGINES else [ONLY_UP]


def pytest_configure() -> None:
    """Report at once what a named cluster lacks."""
    if THEIRS and (lacking := _lacking(THEIRS)):
        raise pytest.UsageError(lacking)


def _lacking(kubeconfig: Path) -> str:
    if not kubeconfig.is_file():
        return f"KUBECONFIG: there is no file {kubeconfig}"
    address = urlsplit(GATEWAY)
    if address.scheme != "http" or not address.hostname:
        return (
            f"GATEWAY must be the URL of the cluster's ingress controller, like http://127.0.0.1:8080, not {GATEWAY!r}"
        )
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
    try:
        connection.request("GET", "/")
        connection.getresponse()
    except OSError as error:
        return f"GATEWAY: nothing answers at {GATEWAY}: {error}"
    finally:
        connection.close()
    done = run([str(BIN / "serinus"), "doctor", "--kubeconfig", str(kubeconfig)], check=False)
    return "" if done.returncode == 0 else f"Serinus cannot work on this cluster:\n{done.stdout}{done.stderr}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "instance" in metafunc.fixturenames:
        only_up = metafunc.definition.path.name == ONLY_UP
        engines = [engine for engine in ENGINES if engine in (UP, PODMAN)] if only_up else ENGINES
        metafunc.parametrize(
            "instance", engines, indirect=True, ids=lambda engine: engine if engine in (UP, OWN, PODMAN) else "theirs"
        )


@pytest.fixture(scope="session")
def podman() -> Iterator[None]:
    """From here on to the end of the run, this process lives in the network of a Podman of its own."""
    from tests.support.nodes.podman import podman_or_skip

    with podman_or_skip():
        yield


@pytest.fixture
def one_at_a_time(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Of all processes of this run, one has it: for tests that keep both cores busy for minutes."""
    base = tmp_path_factory.getbasetemp()
    with ((base.parent if WORKER else base) / "one-at-a-time").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


@pytest.fixture
def instance(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Instance]:
    with running(_instance(tmp_path / "data", request)) as instance:
        yield instance


def _instance(data: Path, request: pytest.FixtureRequest) -> Instance:
    if request.param == UP:
        return Instance(data)
    if request.param == PODMAN:
        request.getfixturevalue("podman")
        return Instance(data, "--runtime", PODMAN)
    from tests.support.cluster.cluster_instance import ClusterInstance

    if request.param == OWN:
        cluster = request.getfixturevalue("cluster")
        return ClusterInstance(data, cluster.plane.kubeconfig(), cluster.gateway)
    return ClusterInstance(data, Path(request.param), GATEWAY)
