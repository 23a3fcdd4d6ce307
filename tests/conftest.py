"""Fixtures for all tests, and what a run says at its end about those that it left out."""

from __future__ import annotations

from collections import Counter

import pytest
from cluster_fixture import cluster as cluster


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each reason, whatever number of tests it is the reason of."""
    reasons = Counter(
        " ".join(report.longrepr[2].removeprefix("Skipped: ").split())
        for report in terminalreporter.stats.get("skipped", ())
        if isinstance(report.longrepr, tuple)
    )
    for reason, count in reasons.items():
        terminalreporter.write_line(f"{count} skipped: {reason}")
