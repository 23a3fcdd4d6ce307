"""Logs stay within limits however fast a container writes, and no process's end breaks its pipe."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from serinus.kube.clock import SystemClock
from serinus.local import processes
from serinus.local.node.container_logs.log_pipes import LogPipes
from serinus.local.node.container_logs.log_writer import LONGEST_LINE, ContainerLog
from serinus.local.node.containers.process import ProcessRuntime
from serinus.local.node.containers.runtime import Launch, PodRef

LIMIT = 1 << 20
POD = PodRef("default", "web", "u1")


@pytest.fixture
async def runtime(tmp_path: Path) -> AsyncIterator[ProcessRuntime]:
    made = ProcessRuntime(tmp_path, SystemClock(), log_limit=LIMIT)
    yield made
    await made.stop_all(0.1)


def launch(script: str, attempt: int = 0, container: str = "c") -> Launch:
    return Launch(POD, container, attempt, ("sh", "-c", script), {}, "", "127.77.255.1", "x")


def log(directory: Path, name: str = "0.log", container: str = "c") -> Path:
    return directory / "default_web_u1" / container / name


async def test_a_log_is_bounded_at_any_rate_and_loses_nothing_of_its_end(runtime: ProcessRuntime, tmp_path: Path):
    """64 MiB at full speed; the last lines are kept, whole and in order."""
    running = await runtime.start(launch("seq 1 8000000"))
    while not log(tmp_path, "0.log.1").exists():  # noqa: ASYNC110 - the writer sends no event
        await asyncio.sleep(0.001)
    assert (await runtime.ended(running)).code == 0
    kept = [log(tmp_path, name).read_text() for name in ("0.log.1", "0.log")]
    assert all(len(text) <= LIMIT for text in kept)
    assert all(text.endswith("\n") for text in kept)
    numbers = [int(line) for line in "".join(kept).splitlines()]
    assert numbers == list(range(numbers[0], 8000001))


async def test_a_line_without_an_end_is_bounded_too(runtime: ProcessRuntime, tmp_path: Path):
    await runtime.ended(await runtime.start(launch("head -c 20000000 /dev/zero")))
    sizes = [log(tmp_path, name).stat().st_size for name in ("0.log", "0.log.1")]
    assert max(sizes) <= LIMIT + 2 * LONGEST_LINE + 65536


async def test_one_that_writes_for_ever_holds_up_no_other(runtime: ProcessRuntime, tmp_path: Path):
    await runtime.start(launch("exec yes", container="loud"))
    while not log(tmp_path, "0.log.1", "loud").exists():  # noqa: ASYNC110 - the writer sends no event
        await asyncio.sleep(0.001)
    assert all(log(tmp_path, container="loud").exists() for _ in range(20_000)), "a log is there while it is rotated"
    for attempt in range(3):
        async with asyncio.timeout(20):
            await runtime.ended(await runtime.start(launch("echo quiet", attempt, "quiet")))
        assert log(tmp_path, f"{attempt}.log", "quiet").read_text() == "quiet\n"
    assert sum(p.stat().st_size for p in log(tmp_path, container="loud").parent.glob("*.log*")) <= 2 * LIMIT


async def test_what_was_said_last_is_there_when_the_end_is_told(runtime: ProcessRuntime, tmp_path: Path):
    for attempt in range(20):
        await runtime.ended(await runtime.start(launch(f"echo {attempt}; exit 1", attempt)))
        assert runtime.last_line(POD, "c", attempt) == str(attempt)


@pytest.mark.parametrize("together", [False, True], ids=["alone", "with up"])
async def test_a_container_survives_the_end_of_the_writer_and_its_log_goes_on(
    runtime: ProcessRuntime, tmp_path: Path, together: bool
):
    running = await runtime.start(launch("while :; do echo x; sleep 0.01; done"))
    mark = processes.Mark(tmp_path / "logs.json")
    pid, started = mark.read()
    os.kill(pid, signal.SIGKILL)
    await processes.ended(pid, started)
    if together:
        runtime = ProcessRuntime(tmp_path, SystemClock(), log_limit=LIMIT)
    keeping = asyncio.create_task(runtime.keep())
    assert await runtime.still_running(POD)
    async with asyncio.timeout(20):
        while mark.read()[0] == pid:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
        before = log(tmp_path).stat().st_size
        while log(tmp_path).stat().st_size <= before:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    keeping.cancel()
    await asyncio.wait([keeping])
    assert [r.id for r in await runtime.still_running(POD)] == [running.id]


async def test_the_socket_and_the_pipes_are_for_their_user_alone(runtime: ProcessRuntime, tmp_path: Path):
    await runtime.start(launch("exec sleep 100"))
    for path in (tmp_path / "logs.sock", log(tmp_path, "output"), log(tmp_path)):
        assert path.stat().st_mode & 0o077 == 0, path


async def test_a_path_longer_than_an_address_of_a_socket_will_do(tmp_path: Path):
    directory = tmp_path / ("d" * 120)
    pipes = LogPipes(directory)
    place = directory / "a_b_c" / "x"
    place.mkdir(parents=True)
    try:
        descriptor = await pipes.open(place, 0)
        assert stat.S_ISFIFO(os.fstat(descriptor).st_mode)
        os.write(descriptor, b"hello\n")
        await pipes.drained(place)
        os.close(descriptor)
        assert (place / "0.log").read_text() == "hello\n"
    finally:
        await pipes.stop()


async def test_the_writer_ends_though_its_directory_was_removed(tmp_path: Path):
    directory = tmp_path / "pods"
    pipes = LogPipes(directory)
    place = directory / "a_b_c" / "x"
    place.mkdir(parents=True)
    os.close(await pipes.open(place, 0))
    pid, started = processes.Mark(directory / "logs.json").read()
    shutil.rmtree(directory)
    async with asyncio.timeout(60):
        await pipes.stop()
    assert not processes.is_running(pid, started)


def test_a_log_that_cannot_be_written_holds_up_nobody(tmp_path: Path):
    """A full disk, or a missing directory: lines are lost, and the container keeps running."""
    place = tmp_path / "c"
    place.mkdir()
    os.mkfifo(place / "output")
    descriptor = os.open(place / "output", os.O_RDWR)
    found = ContainerLog(str(place), 0, 10)
    subprocess.run(["rm", "-rf", place], check=True)
    os.write(descriptor, b"a line that is too long\n" * 3)
    assert found.read() > 0
    os.close(descriptor)
    assert found.read() == 0
    found.close()
