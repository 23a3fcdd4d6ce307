"""Where the suite runs: on an instance of `serinus up` for each test, or, with SERINUS_CLUSTER, on a cluster.

SERINUS_CLUSTER=own     a real control plane of the tests' own (tests/cluster)
SERINUS_CLUSTER=also    both: `serinus up`, and at the end of the run the real control plane
SERINUS_CLUSTER=FILE    the cluster of this kubeconfig; SERINUS_GATEWAY is the URL of its ingress controller, and the
                        controller must run there (`serinus controller --kubeconfig FILE` does)
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from engines import ENGINES, GATEWAY, OWN, THEIRS, UP
from live import BIN, Instance, run

ONLY_UP = "test_up.py"
"""What is about `serinus up` itself."""
collect_ignore = [] if UP in ENGINES else [ONLY_UP]


def pytest_configure() -> None:
    """Whoever names a cluster is told at once what it lacks."""
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
        engines = [UP] if metafunc.definition.path.name == ONLY_UP else ENGINES
        metafunc.parametrize(
            "instance", engines, indirect=True, ids=lambda engine: engine if engine in (UP, OWN) else "theirs"
        )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs the real control plane comes last: from there on the process lives in its network."""
    items.sort(key=_place)


def pytest_collection_finish(session: pytest.Session) -> None:
    if (
        session.items
        and not session.config.option.collectonly
        and _place(session.items[0]) == 0 < _place(session.items[-1])
    ):
        from ahead import build_ahead

        build_ahead()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Rather a few tests that were not run, and are told of, than a run that is cut off."""
    if _place(item):
        from binary import NoBinary, seconds_left

        try:
            seconds_left(0)
        except NoBinary as error:
            pytest.skip(str(error))


def _place(item: pytest.Item) -> int:
    if isinstance(item, pytest.Function):
        # What is in tests/cluster needs programs that take minutes to build, if not all of it the control plane.
        if item.path.parent.name == "cluster":
            return 2
        if hasattr(item, "callspec") and item.callspec.params.get("instance") == OWN:
            return 1
    return 0


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
    if request.param == UP:
        return Instance(data)
    from cluster_instance import ClusterInstance

    if request.param == OWN:
        cluster = request.getfixturevalue("cluster")
        return ClusterInstance(data, cluster.plane.kubeconfig(), cluster.gateway)
    return ClusterInstance(data, Path(request.param), GATEWAY)
