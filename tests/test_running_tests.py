"""The test suite itself: it ends wherever it is started."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent
CTRL_C = "cli/test_startup.py::test_ctrl_c_ends_a_command_at_once_and_without_a_traceback"


def run(arguments: list[str], *, ignoring: signal.Signals | None = None) -> subprocess.CompletedProcess[str]:
    def ignore() -> None:
        if ignoring is not None:
            signal.signal(ignoring, signal.SIG_IGN)

    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.run(
        command, cwd=TESTS.parent, capture_output=True, text=True, timeout=120, check=False, preexec_fn=ignore
    )


def test_a_run_that_ignores_sigint_still_interrupts_the_commands_that_it_tests():
    """nohup and some CI runners start a run so; a test of Ctrl-C then waited for ever."""
    done = run([str(TESTS / CTRL_C)], ignoring=signal.SIGINT)
    assert "1 passed" in done.stdout, done.stdout


def test_a_test_that_hangs_fails_by_its_name(tmp_path: Path):
    (tmp_path / "test_it.py").write_text("import time\n\ndef test_that_hangs():\n    time.sleep(100)\n")
    done = run([str(tmp_path), "-c", str(TESTS.parent / "pyproject.toml"), "-o", "timeout=1", "-p", "no:cacheprovider"])
    assert "FAILED" in done.stdout
    assert "test_that_hangs - Failed: Timeout" in done.stdout, done.stdout
