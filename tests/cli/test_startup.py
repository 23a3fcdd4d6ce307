"""Commands start fast and end in order, as processes of their own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.cli.ctrl_c import press_ctrl_c

SLOW = {
    *("aiohttp", "rich", "yaml", "msgspec", "asyncio", "cryptography", "uvloop"),
    *("dataclasses", "inspect", "difflib", "http", "email", "ssl", "subprocess", "tempfile", "pathlib", "logging"),
}
"""Modules that must not be imported to answer a question about the command itself.

The second line: parts of the standard library that take 2 to 12 ms each (`dataclasses` imports `inspect`, which imports the parser).
"""

WATCHED = """
import sys, atexit, json
atexit.register(lambda: print(json.dumps(sorted(m for m in sys.modules if "." not in m)), file=sys.stderr))
sys.argv = ["kubectl-argo-rollouts", *sys.argv[1:]]
from serinus.cli.main import {entry}
{entry}()
"""


def run(*words: str, entry: str = "rollouts", **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", f"from serinus.cli.main import {entry}; {entry}()", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, **env}, check=False)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("rollouts", ["--help"]),
        ("rollouts", ["get", "rollout", "--help"]),
        ("rollouts", ["promote", "--help"]),
        ("rollouts", ["undo", "--help"]),
        ("rollouts", ["list", "rollouts", "--help"]),
        ("rollouts", ["version"]),
        ("rollouts", ["completion", "bash"]),
        ("rollouts", ["__complete", "g"]),
        ("rollouts", ["no-such-command"]),
        ("main", []),
        ("main", ["--help"]),
        ("main", ["version"]),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else given,
)
def test_a_question_about_the_command_imports_nothing_slow(entry: str, words: list[str]) -> None:
    """Shells run it at every Tab: users notice a tenth of a second."""
    command = [sys.executable, "-c", WATCHED.format(entry=entry), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    imported = set(json.loads(done.stderr.splitlines()[-1]))
    wrong = "no-such-command" in words  # searches for the nearest one
    reads_git = "version" in words  # in a checkout; an installation has the commit in a file
    assert imported & SLOW <= {name for name, may in (("difflib", wrong), ("subprocess", reads_git)) if may}


def test_ctrl_c_ends_a_command_at_once_and_without_a_traceback() -> None:
    asked = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                line, _ = listener.accept()
                with line:
                    line.recv(1000)
                    asked.set()
                    line.recv(1000)

        threading.Thread(target=serve, daemon=True).start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        code = "from serinus.cli.main import rollouts; rollouts()"
        command = [sys.executable, "-c", code, "get", "rollout", "web", "-s", address]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert asked.wait(30)
        press_ctrl_c(process)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in said


def test_whoever_stops_reading_gets_no_complaint() -> None:
    """`… --help | head -1` must end quietly."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-c", "from serinus.cli.main import rollouts; rollouts()", "completion", "bash"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_api_that_is_not_there_is_named_with_where_its_address_comes_from(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    config = tmp_path / "config"
    cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}
    context = {"name": "c", "context": {"cluster": "c"}}
    config.write_text(json.dumps({"clusters": [cluster], "contexts": [context], "current-context": "c"}))
    done = run("get", "rollout", "web", KUBECONFIG=str(config))
    assert done.returncode == 1
    assert done.stdout == ""
    first, second = done.stderr.splitlines()
    assert first == f"Error: the API server http://127.0.0.1:{port} cannot be reached: connection refused"
    assert str(config) in second


@pytest.mark.parametrize(
    "words", [["list", "rollouts"], ["status", "web"], ["abort", "web"], ["undo", "web"]], ids=" ".join
)
def test_without_any_kubeconfig_one_line_says_so(tmp_path: Path, words: list[str]) -> None:
    done = run(*words, KUBECONFIG=str(tmp_path / "none"), HOME=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr
    assert "kubeconfig" in done.stderr.lower()
