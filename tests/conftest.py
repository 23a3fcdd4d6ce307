"""Fixtures for all tests, and what a run says at its end about those that it left out."""

from __future__ import annotations

import signal
from collections import Counter

import pytest
from cluster_fixture import cluster as cluster
from engines import OWN

LIMITS = {"tests/cluster/": 2400, "tests/e2e/test_plays.py": 1800, "tests/e2e/test_cases.py": 1800}
"""Seconds for a test that builds a control plane, or plays for minutes; other tests have the limit of pyproject.toml."""


def pytest_configure() -> None:
    """Children start with default signals, also where this run ignores some (nohup, a job in the background).

    An ignored signal stays ignored in a child; one with a handler, even with an empty one, is reset.
    """
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        place = item.path.relative_to(config.rootpath).as_posix()
        real_control_plane = "cluster" in getattr(item, "fixturenames", ())
        own = (
            isinstance(item, pytest.Function)
            and hasattr(item, "callspec")
            and item.callspec.params.get("instance") == OWN
        )
        limits = [seconds for start, seconds in LIMITS.items() if place.startswith(start)]
        if real_control_plane or own:
            limits.append(LIMITS["tests/cluster/"])
        if limits:
            item.add_marker(pytest.mark.timeout(max(limits)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each reason, whatever number of tests it is the reason of."""
    reasons = Counter(
        " ".join(report.longrepr[2].removeprefix("Skipped: ").split())
        for report in terminalreporter.stats.get("skipped", ())
        if isinstance(report.longrepr, tuple)
    )
    for reason, count in reasons.items():
        terminalreporter.write_line(f"{count} skipped: {reason}")
