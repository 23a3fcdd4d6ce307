"""Failures while a command runs: a slow API, a deletion, Ctrl-C, a reader that leaves, a narrow terminal, a flood."""

from __future__ import annotations

import os
import pty
import re
import socket
import struct
import subprocess
import sys
import termios
import threading
from contextlib import suppress
from fcntl import ioctl
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from serinus.api.resources import ROLLOUTS
from serinus.cli.cluster import watch as watching
from serinus.kube.transport import Request, Response
from tests.support.cli.cli_cluster import Space, rollout
from tests.support.cli.ctrl_c import press_ctrl_c
from tests.support.cli.refusals import refuse
from tests.support.cli.running import Running

BIN = Path(sys.executable).parent
PLUGIN = str(BIN / "kubectl-argo-rollouts")
PAUSED: dict[str, Any] = {"phase": "Paused", "message": "CanaryPauseStep"}
DETAILED = "--exit-codes=detailed"


def environment(space: Space) -> dict[str, str]:
    return {**os.environ, "KUBECONFIG": str(space.cluster.kubeconfig)}


@pytest.mark.parametrize(
    "command", ["list rollouts", "get rollout web", "get rollout web -w", "status web", "abort web"]
)
def test_an_api_that_does_not_answer_is_given_up_with_its_address(space: Space, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        done = space.run(*command.split(), "--server", address, "--request-timeout", "200ms")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"Error: the API server {address} cannot be reached: it did not answer in time\n")


@pytest.mark.parametrize("command", ["status web", "get rollout web -w -o json"])
def test_a_rollout_that_is_deleted_while_it_is_watched_ends_the_watch_and_says_so(space: Space, command: str) -> None:
    space.put(rollout(status=PAUSED))
    running = Running(space, *command.split(), DETAILED)
    running.line("Paused")
    space.cluster.client.call("DELETE", ROLLOUTS.path(space.name, "web"))
    assert running.end() == (
        5,
        'Error: rollout.argoproj.io "web" not found\nIt was deleted while it was watched.\n',
    )


def test_the_screen_says_that_a_rollout_was_deleted_and_goes_on(space: Space) -> None:
    space.put(rollout(status=PAUSED))
    running = Running(space, "get", "rollout", "web", "--watch", "--no-color")
    running.line("CanaryPauseStep")
    space.cluster.client.call("DELETE", ROLLOUTS.path(space.name, "web"))
    running.line('rollout.argoproj.io "web" not found')
    space.put(rollout(status=PAUSED))
    running.line("CanaryPauseStep")
    assert running.interrupt() == (0, "")


def test_an_api_that_goes_away_while_it_is_watched_is_told_once_and_waited_for(space: Space) -> None:
    space.put(rollout(status=PAUSED))
    asked, back = 0, threading.Event()

    def away(request: Request) -> Response | None:
        """The watch and three lists after it fail; the first list of all does not."""
        nonlocal asked
        if "fieldSelector" not in request.query:
            return None
        asked += 1
        if asked == 5:
            back.set()
        return refuse(503, "ServiceUnavailable", "restarting") if 2 <= asked <= 4 else None

    space.cluster.before = away
    running = Running(space, "status", "web")
    running.line("Paused")
    assert back.wait(30)
    space.patch("Rollout", "web", {"status": {"phase": "Healthy", "message": None}}, "status")
    running.line("Healthy")
    code, err = running.end()
    assert (code, err) == (0, "restarting; trying again\n")


@pytest.mark.parametrize(
    ("kind", "name", "command"),
    [
        ("Rollout", "checkout", "status chekout"),
        ("Rollout", "checkout", "undo chekout"),
        ("Rollout", "checkout", "set image chekout web=web:2"),
        ("Rollout", "checkout", "why chekout"),
        ("Rollout", "checkout", "history chekout"),
        ("Experiment", "checkout", "get experiment chekout"),
        ("Experiment", "checkout", "retry experiment chekout"),
        ("Experiment", "checkout", "terminate experiment chekout"),
        ("AnalysisRun", "checkout", "terminate analysisrun chekout"),
        ("AnalysisTemplate", "checkout", "create analysisrun --from chekout"),
    ],
)
def test_a_misspelt_name_of_any_kind_is_answered_with_the_nearest(
    space: Space, kind: str, name: str, command: str
) -> None:
    metric = {"name": "m", "provider": {"web": {"url": "http://127.0.0.1", "jsonPath": "{$}"}}}
    spec = {"templates": []} if kind == "Experiment" else {"metrics": [metric]}
    space.put(rollout(name) if kind == "Rollout" else {"kind": kind, "metadata": {"name": name}, "spec": spec})
    done = space.run(*command.split(), DETAILED)
    assert (done.code, done.out) == (5, "")
    assert done.err.endswith("\nDid you mean checkout?\n")


def test_ctrl_c_has_a_code_of_its_own_if_failures_are_told_apart(space: Space) -> None:
    space.put(rollout(status=PAUSED))
    running = Running(space, "status", "web", DETAILED)
    running.line("Paused")
    assert running.interrupt()[0] == 130


def test_ctrl_c_on_a_terminal_says_that_the_rollout_goes_on(space: Space) -> None:
    space.put(rollout(status=PAUSED))
    screen, line = pty.openpty()
    process = subprocess.Popen(
        [PLUGIN, "-n", space.name, "status", "web"], stdout=line, stderr=line, env=environment(space)
    )
    # Our copy of the terminal's other end stays open: with the last one closed, Linux may drop text that was not read yet.
    seen = read_until(screen, "CanaryPauseStep")
    press_ctrl_c(process)
    seen += read_until(screen, "exceeded timeout")
    os.close(line)
    assert "No longer watching; rollout web goes on." in seen
    assert (process.wait(20), "Traceback" in seen) == (1, False)


def read_until(terminal: int, text: str) -> str:
    seen = ""
    while text not in seen:
        seen += os.read(terminal, 65536).decode()
    return seen


@pytest.mark.parametrize("command", ["get rollout web --no-color", "get rollout web -w --no-color", "list rollouts"])
def test_a_reader_that_leaves_after_a_line_leaves_no_complaint(space: Space, command: str) -> None:
    space.put(rollout(status=PAUSED))
    line = f"'{PLUGIN}' -n {space.name} {command} | head -1 >/dev/null; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, env=environment(space))
    assert (done.stdout, done.stderr) == ("0\n", "")


@pytest.mark.parametrize("command", ["get rollout web --no-color", "list rollouts", "why web", "--help"])
def test_a_terminal_of_40_columns_gets_whole_lines_to_copy(space: Space, command: str) -> None:
    """The terminal breaks them; a name that is cut could not be used in the next command."""
    space.put(rollout(status={**PAUSED, "message": "a message that is much longer than forty columns " * 3}))
    screen, line = pty.openpty()
    ioctl(line, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    env = {**environment(space), "COLUMNS": "40", "LINES": "24"}
    with subprocess.Popen([PLUGIN, "-n", space.name, *command.split()], stdout=line, stderr=line, env=env) as process:
        os.close(line)
        seen = b""
        with suppress(OSError):  # the end of a terminal
            while piece := os.read(screen, 65536):
                seen += piece
    assert process.returncode == 0
    known = space.run(*command.split()).out
    assert [ageless(row) for row in seen.decode().splitlines()] == [ageless(row) for row in known.splitlines()]


def ageless(row: str) -> str:
    return re.sub(r"\d+s|\d\d:\d\d:\d\d", "<age>", row)


MARKUP = "[bold]x[/bold] <b>{{ y }}</b> %s {0} \\n"
ODD = ("[bold]web[/bold]", "<b>", "{{ y }} {0}", "a b?watch=1#x", "wéb")
"""Names that no object has."""


def test_markup_in_other_people_s_texts_is_text(space: Space) -> None:
    labels = {"app": "web"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": f"web:{MARKUP}"}]}}
    space.put(rollout(spec={"template": pod}, status={**PAUSED, "message": MARKUP}))
    for command in (["get", "rollout", "web"], ["list", "rollouts", "-o", "wide"], ["status", "web", "--watch=false"]):
        assert MARKUP in space.run(*command).out


@pytest.mark.parametrize("name", [name.replace("/", "") for name in ODD], ids=str)
@pytest.mark.parametrize("command", ["get rollout", "status", "abort", "undo", "terminate analysisrun"])
def test_a_name_that_no_object_can_have_is_not_found_as_it_was_typed(space: Space, command: str, name: str) -> None:
    done = space.run(*command.split(), name)
    assert (done.code, done.out) == (1, "")
    assert f'"{name}" not found\n' in done.err


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "may not be empty"),
        ("..", "may not be '..'"),
        ("../../secrets/token", "may not contain '/'"),
        ("web/status", "may not contain '/'"),
        ("a%2fb", "may not contain '%'"),
    ],
)
@pytest.mark.parametrize("command", ["get rollout", "status", "abort", "undo", "pause", "terminate analysisrun"])
def test_a_name_never_leads_to_another_path_of_the_api(space: Space, command: str, name: str, why: str) -> None:
    asked: list[str] = []
    space.cluster.before = lambda request: asked.append(request.path)
    done = space.run(*command.split(), name)
    assert (done.code, done.out, asked) == (1, "", [])
    assert why in done.err


def test_a_namespace_never_leads_to_another_path_either(space: Space) -> None:
    command = [PLUGIN, "list", "rollouts", "-n", "a/../b"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment(space), check=False)
    assert (done.returncode, done.stderr) == (1, "Error: invalid namespace \"a/../b\": it may not contain '/'\n")


def test_escape_sequences_in_other_people_s_texts_do_not_reach_the_terminal(space: Space) -> None:
    space.put(rollout(status={**PAUSED, "message": "\x1b[2J\x1b[31mall is well\r\x07"}))
    for command in (["get", "rollout", "web"], ["list", "rollouts", "-o", "wide"], ["status", "web", "--watch=false"]):
        out = space.run(*command, *(["--no-color"] if command[0] == "get" else [])).out
        assert "\\x1b[2J\\x1b[31mall is well\\x0d\\x07" in out
        assert "\x1b" not in out
    space.cluster.before = lambda _: refuse(403, "Forbidden", "\x1b]0;owned\x07no")
    assert space.run("list", "rollouts").err.startswith("Error: \\x1b]0;owned\\x07no\n")


def test_a_flood_of_10000_changes_a_minute_is_drawn_five_times_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0)

    class Always:
        """A new change every 6 ms."""

        def wait(self, _: float) -> None:
            clock.now += 60 / 10_000

        def clear(self) -> None: ...

        def set(self) -> None: ...

    def sleep(seconds: float) -> None:
        clock.now += seconds

    mirror = SimpleNamespace(refusal=None, listed=True, trouble=None, objects=lambda: [{}], start=lambda: mirror)
    monkeypatch.setattr("serinus.kube.sync_informer.Mirror", lambda *_, **__: mirror)  # pyright: ignore[reportUnknownArgumentType]
    monkeypatch.setattr(watching, "time", SimpleNamespace(monotonic=lambda: clock.now, sleep=sleep))
    monkeypatch.setattr(watching, "threading", SimpleNamespace(Event=Always))
    session: Any = SimpleNamespace(client=None, namespace="n")
    scenes = list(watching.Watching(session, ROLLOUTS, "web", wide=True).scenes(until=60.0, at_most=0.2))
    assert 280 <= len(scenes) <= 301


@pytest.mark.parametrize(
    ("answer", "code"), [((401, "Unauthorized"), 4), ((403, "Forbidden"), 4), ((404, "NotFound"), 5), ((500, "Oh"), 1)]
)
@pytest.mark.parametrize("command", ["list rollouts", "get rollout web", "status web", "pause web", "undo web"])
def test_each_refusal_has_its_code(space: Space, command: str, answer: tuple[int, str], code: int) -> None:
    space.cluster.before = lambda _: refuse(*answer, "no")
    for words, expected in ((command.split(), 1), ([*command.split(), DETAILED], code)):
        done = space.run(*words)
        assert (done.code, done.out, done.err.split("\n")[0]) == (expected, "", "Error: no")


@pytest.mark.parametrize(
    "command",
    [
        "restart web --in 10",
        "status web --timeout never",
        "status web --until sunny",
        "list rollouts -o xml",
        "set image web web",
        "completion tcsh",
        "create analysisrun",
        "create analysisrun --from t -a x",
        "promote",
        "get pods",
        "nonsense",
        "abort web --revision two",
    ],
)
def test_a_wrong_command_line_is_code_2_if_failures_are_told_apart(space: Space, command: str) -> None:
    done = space.run(*command.split(), DETAILED)
    assert (done.code, done.out) == (2, "")
    assert space.run(*command.split()).code == 1


def test_time_that_is_up_has_its_code(space: Space) -> None:
    space.put(rollout(status={"phase": "Progressing", "message": "more"}))
    assert space.run("status", "web", "--timeout", "100ms", DETAILED).code == 124
