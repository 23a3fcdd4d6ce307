"""Fixtures for all tests, and the summary of the tests that a run left out."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Generator
from contextlib import nullcontext

import pytest

from tests.support import side_by_side
from tests.support.cluster.cluster_fixture import cluster as cluster
from tests.support.cluster.cluster_fixture import running_cluster as running_cluster
from tests.support.cluster.network import outer_network
from tests.support.long import ALL
from tests.support.side_by_side import WORKER
from tests.support.virtual_time import NOOP_CYCLES

LIMITS = {
    "tests/cluster/": 2400,
    "tests/e2e/test_plays.py": 1800,
    "tests/e2e/test_cases.py": 1800,
    "tests/gateways/": 3600,
    "tests/nodes/": 2400,
}
"""Seconds for a test that waits for the build of a program, or plays for minutes; other tests have the limit of pyproject.toml."""


def pytest_configure(config: pytest.Config) -> None:
    """Children start with default signals, also where this run ignores some (nohup, a job in the background).

    An ignored signal stays ignored in a child; one with a handler, even with an empty one, is reset.
    """
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    if config.getoption("dist", "no") != "no" and not WORKER:
        config.pluginmanager.register(side_by_side.FailuresAtOnce(config))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """The hook that distributes tests with `-n`; it is not called without that flag."""
    return side_by_side.scheduler(config, log)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    side_by_side.give_way(item.nodeid)
    mask = os.umask(0o077)
    os.umask(mask)
    # A process that ran tests on a control plane stays in a network of its own, without the package registry.
    with outer_network() if item.nodeid.startswith("tests/release/") else nullcontext():
        try:
            return (yield)
        finally:
            os.umask(mask)  # a command that a test runs in this process may keep its files private from then on


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    side_by_side.sort(items)
    for item in items:
        limits = [seconds for start, seconds in LIMITS.items() if item.nodeid.startswith(start)]
        if side_by_side.on_control_plane(item.nodeid):
            limits.append(LIMITS["tests/cluster/"])
        if limits:
            item.add_marker(pytest.mark.timeout(max(limits)))
        if item.get_closest_marker("looptime"):
            item.add_marker(pytest.mark.looptime(noop_cycles=NOOP_CYCLES))
        if not ALL and item.get_closest_marker("long"):
            item.add_marker(
                pytest.mark.skip(reason="it is long; `make test-all` runs it, and so does SERINUS_TESTS=all pytest")
            )


def pytest_collection_finish(session: pytest.Session) -> None:
    """The programs for the real control plane are built while other tests run."""
    if WORKER not in ("", "gw0") or session.config.option.collectonly:
        return
    there = {side_by_side.on_control_plane(item.nodeid) for item in session.items}
    if there == {True, False}:
        from tests.support.cluster.ahead import build_ahead

        build_ahead()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Rather a few tests that were not run, and are named, than a run that is cut off."""
    if side_by_side.on_control_plane(item.nodeid):
        from tests.support.cluster.binary import NoBinary, seconds_left

        try:
            seconds_left(0)
        except NoBinary as error:
            pytest.skip(str(error))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each reason, whatever number of tests it is the reason of."""
    reasons = Counter(
        " ".join(report.longrepr[2].removeprefix("Skipped: ").split())
        for report in terminalreporter.stats.get("skipped", ())
        if isinstance(report.longrepr, tuple)
    )
    for reason, count in reasons.items():
        terminalreporter.write_line(f"{count} skipped: {reason}")
