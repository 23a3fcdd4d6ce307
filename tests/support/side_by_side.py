"""Which tests run one after another when several processes share a run (`pytest -n`), and which start first.

pytest-xdist hands out whole groups. A group that needs minutes of real time starts first: it waits most of its time, and the
others compute meanwhile.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling
    from xdist.workermanage import WorkerController

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
"""The name of this process where several share a run, as `gw0`."""
CONTROL_PLANE = "real control plane"
INSTANCES = "serinus up"
GATEWAYS = "real gateways"
"""Starts last: its program takes the longest to build."""
NODE = "real node"
"""Starts last, and in a run of one process comes last: its tests move the process into other networks."""
REAL_TIME = (CONTROL_PLANE, INSTANCES)
"""The groups that start first. In a run of one process they come last: they move it into a network of its own."""
SPLIT = ("tests/sim/", "tests/safety/test_fuzz.py")
"""Long files without a fixture that several tests share: each test is a group of its own."""
PLAYS = "tests/plays/"
"""All tests of one play are a group, so that it is played once."""
BUSY = ("tests/e2e/test_plays.py", "tests/e2e/test_cases.py")
"""Each of them keeps both cores busy for minutes."""
NICE = 10
"""By how much a test that only computes is nicer than one in real time."""
_BEGAN_WITH = os.getpriority(os.PRIO_PROCESS, 0) if hasattr(os, "getpriority") else 0


def group(nodeid: str) -> str:
    """Tests with the same one run in one process, in the order of the collection."""
    file, _, rest = nodeid.partition("::")
    if file.startswith("tests/cluster/") or (file.startswith("tests/e2e/") and "[own" in rest):
        return CONTROL_PLANE
    if file.startswith("tests/nodes/"):
        return NODE
    if file == "tests/gateways/test_istio.py":
        return GATEWAYS
    if file.startswith(("tests/e2e/", "tests/gateways/")):
        return INSTANCES
    if file.startswith(PLAYS) and "[" in rest:
        return "play " + rest[rest.index("[") + 1 : -1].partition(":")[0]
    return nodeid if file.startswith(SPLIT) else file


def on_control_plane(nodeid: str) -> bool:
    """Whether the test needs the programs of the real control plane."""
    return group(nodeid) == CONTROL_PLANE


def sort(items: list[pytest.Item]) -> None:
    """As they are to run. Where several processes share the run this is the order in which groups are handed out."""
    items.sort(key=lambda item: place(item.nodeid, shared=bool(WORKER)))


def place(nodeid: str, *, shared: bool) -> tuple[int, ...]:
    """Sorts a test among all, in a run that several processes share, or in one of a single process."""
    name = group(nodeid)
    # Tests in tests/cluster need programs that take minutes to build, if not all of it the control plane.
    in_cluster = nodeid.startswith("tests/cluster/")
    if not shared:  # from the first test on a control plane to the end of the run, it lives in a network of its own
        return 2 * (name == NODE) + (name == CONTROL_PLANE), in_cluster
    busy = nodeid.startswith(BUSY)
    if name == CONTROL_PLANE:
        return 0, in_cluster, busy
    if name == INSTANCES:  # the other way round: those of both groups do not meet
        return 1, not busy
    return (3,) if name in (GATEWAYS, NODE) else (2, name == nodeid.partition("::")[0])


def scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    """The scheduler of the groups, in the order of the collection."""
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group(nodeid)

        def _reschedule(self, node: WorkerController) -> None:
            # The process that replaces one that died gets work once it has collected the tests.
            if node in self.registered_collections:
                super()._reschedule(node)

    config.option.loadscopereorder = False  # True orders them by their number of tests
    return Groups(config, log)  # pyright: ignore[reportArgumentType] - the class of a log is private


def give_way(nodeid: str) -> None:
    """Before a test: lowers the priority of this process, and of all that it starts, unless the test is in real time."""
    if WORKER:
        more = 0 if group(nodeid) in (*REAL_TIME, GATEWAYS, NODE) else NICE
        with contextlib.suppress(PermissionError):  # only root gets it back; the groups in real time are the first ones
            os.setpriority(os.PRIO_PROCESS, 0, _BEGAN_WITH + more)


class FailuresAtOnce:
    """Prints one line for a failure when it happens, so that a run that is cut off has named it."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        terminal: pytest.TerminalReporter | None = self._config.pluginmanager.get_plugin("terminalreporter")
        if report.failed and terminal is not None:
            terminal.ensure_newline()
            terminal.write_line(f"FAILED {report.nodeid}: {_first_line(report)}")


def _first_line(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return (crash.message if crash else report.longreprtext).partition("\n")[0][:300]
