"""Real processes of this machine."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from serinus.kube.clock import SystemClock
from serinus.local import processes
from serinus.local.node.containers import pod_processes
from serinus.local.node.containers.limits import MemoryLimits
from serinus.local.node.containers.process import ProcessRuntime
from serinus.local.node.containers.runtime import CannotStart, ExecCheck, Launch, Listens, PodRef, Running

POD = PodRef("default", "web", "u1")


@pytest.fixture
async def runtime(tmp_path: Path) -> AsyncIterator[ProcessRuntime]:
    made = ProcessRuntime(tmp_path, SystemClock())
    yield made
    await made.stop_all(0.1)


def launch(*argv: str, attempt: int = 0, env: dict[str, str] | None = None, **more: Any) -> Launch:
    return Launch(
        POD, "c", attempt, argv, env or {}, more.pop("working_dir", ""), more.pop("ip", "127.77.255.1"), "x", **more
    )


def pid_of(running: Running) -> int:
    return int(running.id.partition("@")[0])


async def until(true: Any) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - a process of another program sends no event
            await asyncio.sleep(0.01)


async def test_a_process_has_its_environment_and_writes_its_own_log(runtime: ProcessRuntime, tmp_path: Path) -> None:
    running = await runtime.start(launch("sh", "-c", "echo $A; echo oops >&2; exit 3", env={"A": "1"}))
    assert (await runtime.ended(running)).code == 3
    assert (tmp_path / "default_web_u1/c/0.log").read_text() == "1\noops\n"
    assert runtime.last_line(POD, "c", 0) == "oops"


async def test_secrets_of_this_machine_are_not_passed_on(
    runtime: ProcessRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    await runtime.ended(await runtime.start(launch("env")))
    assert "hush" not in (tmp_path / "default_web_u1/c/0.log").read_text()


async def test_a_signal_that_ends_a_process_is_in_its_exit_code(runtime: ProcessRuntime) -> None:
    running = await runtime.start(launch("sleep", "100"))
    await runtime.signal(running, kill=False)
    assert (await runtime.ended(running)).code == 143


async def test_with_a_container_ends_all_that_it_started(runtime: ProcessRuntime, tmp_path: Path) -> None:
    running = await runtime.start(launch("sh", "-c", "sleep 100 & echo $!; exec sleep 100"))
    log = tmp_path / "default_web_u1/c/0.log"
    await until(lambda: log.read_text().strip())
    child = int(log.read_text())
    await runtime.signal(running, kill=True)
    assert (await runtime.ended(running)).code == 137
    await until(lambda: not processes.started_at(child))


@pytest.mark.parametrize(
    ("argv", "working_dir", "says"),
    [
        (("no-such-program",), "", "not found in PATH"),
        (("./nothing",), "", "there is no file"),
        (("sleep", "1"), "/no/such/place", "workingDir '/no/such/place' is no directory"),
    ],
)
async def test_what_cannot_be_started_says_why(
    runtime: ProcessRuntime, argv: tuple[str, ...], working_dir: str, says: str
) -> None:
    with pytest.raises(CannotStart, match=says):
        await runtime.start(launch(*argv, working_dir=working_dir))


async def test_a_file_that_may_not_be_run_says_how_to_change_that(runtime: ProcessRuntime, tmp_path: Path) -> None:
    (tmp_path / "web").write_text("#!/bin/sh\n")
    with pytest.raises(CannotStart, match=r"chmod \+x"):
        await runtime.start(launch("./web", working_dir=str(tmp_path)))


async def test_processes_outlive_a_killed_node_and_are_found_again_by_the_next(tmp_path: Path) -> None:
    """kill -9 of `serinus up` stops nothing: neither the program nor its log."""
    parent = (
        "import asyncio, os, sys, signal\nfrom pathlib import Path\n"
        "from serinus.kube.clock import SystemClock\nfrom serinus.local.node.containers.process import ProcessRuntime\n"
        "from serinus.local.node.containers.runtime import Launch, PodRef\n"
        "r = ProcessRuntime(Path(sys.argv[1]), SystemClock())\n"
        "l = Launch(PodRef('default', 'web', 'u1'), 'c', 4, ('sh', '-c', 'while :; do echo alive; sleep 0.01; done'), {}, '', '', 'x')\n"
        "asyncio.run(r.start(l))\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", parent, str(tmp_path)], check=False)  # noqa: ASYNC221
    runtime = ProcessRuntime(tmp_path, SystemClock())
    (running,) = await runtime.still_running(POD)
    assert (running.container, running.attempt) == ("c", 4)
    log = tmp_path / "default_web_u1/c/4.log"
    before = log.stat().st_size
    await until(lambda: log.stat().st_size > before)
    await runtime.stop_all(5)
    assert await runtime.still_running(POD) == []
    ended = await runtime.ended(running)
    assert not ended.known


async def test_a_stranger_with_the_number_of_an_old_process_is_left_alone(tmp_path: Path) -> None:
    place = tmp_path / "default_web_u1/c"
    place.mkdir(parents=True)
    (place / "process.json").write_text(f'{{"attempt": 0, "pid": {os.getpid()}, "started": "long ago/1", "at": 1}}')
    runtime = ProcessRuntime(tmp_path, SystemClock())
    assert await runtime.still_running(POD) == []
    await runtime.stop_all(0.1)


async def test_a_record_that_is_torn_is_no_reason_to_fail(tmp_path: Path) -> None:
    place = tmp_path / "default_web_u1/c"
    place.mkdir(parents=True)
    (place / "process.json").write_text("{")
    runtime = ProcessRuntime(tmp_path, SystemClock())
    for record in ("", "{", "[]", "\xff", '{"pid": "1"}', '{"pid": 1e999}', '{"pid": -1}'):
        (place / "process.json").write_bytes(record.encode("latin-1"))
        assert (await runtime.still_running(POD), await runtime.pods()) == ([], [POD])


async def test_forgetting_a_pod_ends_it_and_removes_its_files(runtime: ProcessRuntime, tmp_path: Path) -> None:
    running = await runtime.start(launch("sh", "-c", "trap '' TERM; sleep 100"))
    await runtime.forget(POD)
    assert not processes.started_at(pid_of(running))
    assert [p for p in tmp_path.iterdir() if p.is_dir()] == []  # noqa: ASYNC240


async def test_logs_of_long_gone_restarts_are_removed(runtime: ProcessRuntime, tmp_path: Path) -> None:
    for attempt in range(4):
        await runtime.ended(await runtime.start(launch("true", attempt=attempt)))
    assert sorted(p.name for p in (tmp_path / "default_web_u1/c").glob("*.log")) == ["2.log", "3.log"]


async def test_an_exec_check_tells_its_exit_code_and_its_time_limit(runtime: ProcessRuntime) -> None:
    running = Running("1@x", "c", 0, 0.0)
    assert (await runtime.check(running, ExecCheck(("sh", "-c", "test $A = 1"), {"A": "1"}), 5)).ok
    assert (await runtime.check(running, ExecCheck(("sh", "-c", "echo no; exit 1")), 5)).message == "no"
    assert "timed out" in (await runtime.check(running, ExecCheck(("sleep", "10")), 0.05)).message
    assert "cannot be run" in (await runtime.check(running, ExecCheck(("no-such-program",)), 5)).message


SERVE = (
    sys.executable,
    "-c",
    "import socket, sys, time; s = socket.create_server((sys.argv[1], int(sys.argv[2]))); time.sleep(100)",
)


async def test_only_the_containers_own_listener_counts(runtime: ProcessRuntime) -> None:
    """A process that listens on every address would answer for every pod."""
    with socket.create_server(("0.0.0.0", 0)) as stranger:
        port = stranger.getsockname()[1]
        running = await runtime.start(launch("sleep", "100"))
        result = await runtime.check(running, Listens("127.77.255.7", port), 1)
        assert not result.ok
        assert "another program listens" in result.message


@pytest.mark.parametrize("host", ["127.77.255.8", "0.0.0.0"])
async def test_a_program_may_listen_on_its_own_address_or_on_all(runtime: ProcessRuntime, host: str) -> None:
    with socket.create_server(("127.77.255.9", 0)) as free:
        port = free.getsockname()[1]
    running = await runtime.start(launch(*SERVE, host, str(port)))
    ip = "127.77.255.8"
    async with asyncio.timeout(10):
        while not (await runtime.check(running, Listens(ip, port), 1)).ok:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("errno_", "ports", "named"),
    [
        (errno.EACCES, (80, 8080), [80]),
        (errno.EACCES, (443, 80), [443, 80]),
        (errno.EADDRINUSE, (80,), []),
        (0, (80,), []),
    ],
)
def test_a_port_that_this_user_may_not_listen_on_is_named_with_what_to_do(
    runtime: ProcessRuntime, monkeypatch: pytest.MonkeyPatch, errno_: int, ports: tuple[int, ...], named: list[int]
) -> None:
    """nginx declares port 80, which only root may have; its program would end with a bare `Permission denied`."""

    def bind(self: socket.socket, address: tuple[str, int]) -> None:
        if errno_:
            raise OSError(errno_, os.strerror(errno_))

    monkeypatch.setattr(
        "serinus.local.node.containers.listeners.socket.socket", type("S", (socket.socket,), {"bind": bind})
    )
    remarks = runtime.remarks(launch("x", ports=ports))
    assert [int(remark.split()[1]) for remark in remarks] == named
    for remark, port in zip(remarks, named, strict=True):
        assert "Declare a containerPort from 1024 on" in remark
        assert f"ip_unprivileged_port_start={port}`" in remark


ESCAPES = {
    "a session of its own": "setsid sh -c 'echo $$; exec sleep 100' & wait",
    "a double fork": "(setsid sh -c 'echo $$; exec sleep 100' &) ; sleep 100",
    "nohup": "nohup sh -c 'echo $$; exec sleep 100' 2>&1 & exec sleep 100",
    "an empty environment": "env -i setsid sh -c 'echo $$; exec sleep 100' & exec sleep 100",
    "other files": "setsid sh -c 'echo $$; exec sleep 100 >/dev/null 2>&1 </dev/null' & exec sleep 100",
    "many": "for i in 1 2 3 4 5; do (setsid sh -c 'echo $$; sleep 100; sleep 100' &); done; exec sleep 100",
}


@pytest.mark.parametrize("how", ESCAPES)
@pytest.mark.parametrize("end", ["its first process ends", "stop_all", "forget", "after a crash"])
async def test_no_process_of_a_pod_outlives_it(runtime: ProcessRuntime, tmp_path: Path, how: str, end: str) -> None:
    running = await runtime.start(launch("sh", "-c", ESCAPES[how]))
    log = tmp_path / "default_web_u1/c/0.log"
    count = 5 if how == "many" else 1
    await until(lambda: len([line for line in log.read_text().splitlines() if line.isdigit()]) == count)
    escaped = [int(line) for line in log.read_text().splitlines() if line.isdigit()]
    assert all(processes.started_at(pid) for pid in escaped)
    match end:
        case "stop_all":
            await runtime.stop_all(0.05)
        case "forget":
            await runtime.forget(POD)
        case "its first process ends":
            os.kill(pid_of(running), signal.SIGKILL)
            await runtime.ended(running)
        case _:
            os.kill(pid_of(running), signal.SIGKILL)
            os.waitpid(pid_of(running), 0)  # noqa: ASYNC222 - it is gone
            await ProcessRuntime(tmp_path, SystemClock()).stop_all(0.05)
    # The system ends a killed process a moment later, and this one may have been killed with its group.
    await until(lambda: not [pid for pid in escaped if processes.started_at(pid)])


async def test_processes_of_another_pod_and_of_the_user_go_on(runtime: ProcessRuntime) -> None:
    stranger = subprocess.Popen(["sleep", "100"])  # noqa: ASYNC220
    other = Launch(PodRef("default", "web", "u2"), "c", 0, ("sleep", "100"), {}, "", "127.77.255.1", "x")
    running = await runtime.start(other)
    await runtime.ended(await runtime.start(launch("true")))
    await runtime.forget(POD)
    assert stranger.poll() is None
    assert processes.started_at(pid_of(running))
    stranger.kill()
    stranger.wait()


async def test_a_process_that_was_given_the_id_of_an_ended_container_goes_on(runtime: ProcessRuntime) -> None:
    stranger = subprocess.Popen(["sleep", "100"], start_new_session=True)  # noqa: ASYNC220
    ended = Running(f"{stranger.pid}@{processes.started_at(1)}", "c", 0, 0.0)
    await runtime.signal(ended, kill=True)
    await runtime.ended(ended)
    stranger.terminate()
    assert stranger.wait() == -signal.SIGTERM


@pytest.mark.parametrize("again", [False, True], ids=["at first", "found again after a crash"])
async def test_a_container_beyond_its_memory_is_ended_and_says_so(
    runtime: ProcessRuntime, tmp_path: Path, again: bool
) -> None:
    """Python holds 200 MB in a child process, of which the limit counts all."""
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; x = bytearray(200_000_000); time.sleep(100)'])"
    greedy = f'{sys.executable} -c "{code}"; sleep 100'
    running = await runtime.start(launch("sh", "-c", greedy, memory=100_000_000))
    if again:
        runtime = ProcessRuntime(tmp_path, SystemClock())
        (running,) = await runtime.still_running(POD)
    keeping = asyncio.create_task(runtime.keep())
    async with asyncio.timeout(30):
        ended = await runtime.ended(running)
    keeping.cancel()
    assert (ended.code, ended.reason, ended.known) == (137, "OOMKilled", True)
    assert "resources.limits.memory is 100000000" in ended.message


async def test_one_within_its_memory_goes_on_however_much_it_reserves(runtime: ProcessRuntime, tmp_path: Path) -> None:
    code = "import mmap; m = mmap.mmap(-1, 8 << 30); print('there', flush=True); input()"
    running = await runtime.start(launch("sh", "-c", f'sleep 100 | {sys.executable} -c "{code}"', memory=100_000_000))
    await until(lambda: "there" in (tmp_path / "default_web_u1/c/0.log").read_text())
    assert MemoryLimits(tmp_path).look({tmp_path / "default_web_u1/c": 100_000_000}) == {}
    assert processes.started_at(pid_of(running))


async def test_a_container_with_too_many_processes_is_named(runtime: ProcessRuntime, tmp_path: Path) -> None:
    await runtime.start(launch("sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 100 & done; echo there; wait"))
    await until(lambda: "there" in (tmp_path / "default_web_u1/c/0.log").read_text())
    found = MemoryLimits(tmp_path, most=8).look({tmp_path / "default_web_u1/c": 0})
    assert [v.reason for v in found.values()] == ["TooManyProcesses"]


async def test_pods_and_their_checks_keep_the_umask_of_their_user(
    runtime: ProcessRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Serinus itself makes files that only its user can read."""
    monkeypatch.setattr("serinus.local.umask._given", [0o027])
    await runtime.ended(await runtime.start(launch("sh", "-c", "umask")))
    assert (tmp_path / "default_web_u1/c/0.log").read_text() == "0027\n"
    assert (await runtime.check(Running("1@x", "c", 0, 0.0), ExecCheck(("sh", "-c", "umask")), 5)).message == "0027"


async def test_what_a_check_says_is_bounded(runtime: ProcessRuntime) -> None:
    """`yes` in a probe took a gigabyte a second in the process of the API."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    said = await runtime.check(Running("1@x", "c", 0, 0.0), ExecCheck(("sh", "-c", "yes | head -c 300000000")), 60)
    assert said.ok
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


async def test_many_that_end_at_once_are_looked_for_together(
    runtime: ProcessRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One pass over all processes takes milliseconds; `down` with hundreds of pods must not need one for each."""
    passes: list[int] = []

    def counted(directory: Path) -> dict[Path, list[pod_processes.Process]]:
        passes.append(1)
        return of_containers(directory)

    of_containers = pod_processes.of_containers
    started = [await runtime.start(replace(launch("sleep", "100"), container=f"c{i}")) for i in range(40)]
    monkeypatch.setattr(pod_processes, "of_containers", counted)
    for one in started:
        await runtime.signal(one, kill=True)
    await asyncio.gather(*(runtime.ended(one) for one in started))
    assert len(passes) < 20
