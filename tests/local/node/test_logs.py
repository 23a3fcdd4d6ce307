from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from serinus.local.node.container_logs.logs import Logs, NoLog, last_line
from tests.support.kube.loop_clock import LoopClock


class Box:
    def __init__(self, directory: Path) -> None:
        self.place = directory / "default_web_u1" / "c"
        self.place.mkdir(parents=True)
        self.logs = Logs(directory, LoopClock())

    def write(self, text: str, attempt: int = 0) -> None:
        with (self.place / f"{attempt}.log").open("a") as file:
            file.write(text)

    def rotate(self) -> None:
        (self.place / "0.log").rename(self.place / "0.log.1")
        self.write("")

    async def read(self, **options: Any) -> str:
        return b"".join([p async for p in self.logs.read("default", "web", "c", **options)]).decode()


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


async def test_the_last_lines_can_be_asked_for(box: Box) -> None:
    box.write("".join(f"line {i}\n" for i in range(100)))
    assert await box.read(tail_lines=2) == "line 98\nline 99\n"
    assert await box.read(tail_lines=0) == ""
    assert (await box.read(tail_lines=500)).startswith("line 0\n")


async def test_the_size_of_an_answer_can_be_limited(box: Box) -> None:
    box.write("0123456789\n")
    assert await box.read(limit_bytes=4) == "0123"


async def test_the_log_before_the_last_restart_can_be_read(box: Box) -> None:
    box.write("first\n", 0)
    box.write("second\n", 1)
    assert await box.read(previous=True) == "first\n"
    assert await box.read() == "second\n"


async def test_a_log_that_is_not_there_is_said_to_be_missing(box: Box) -> None:
    with pytest.raises(NoLog, match='container "c" in pod "web" not found: it has not been started yet'):
        box.logs.read("default", "web", "c")
    with pytest.raises(NoLog, match='container "d" in pod "web" has not started yet'):
        box.logs.read("default", "web", "d")
    box.write("only\n")
    with pytest.raises(NoLog, match="previous terminated container"):
        box.logs.read("default", "web", "c", previous=True)


async def test_what_was_before_the_rotation_is_still_shown(box: Box) -> None:
    box.write("old\n" * 300)
    box.rotate()
    box.write("new\n")
    assert await box.read() == "old\n" * 300 + "new\n"


@pytest.mark.looptime
async def test_following_shows_what_comes_and_ends_with_the_container(box: Box) -> None:
    alive = True
    box.logs.running = lambda *_: alive
    box.write("one\n")
    seen: list[bytes] = []

    async def follow() -> None:
        async for piece in box.logs.read("default", "web", "c", follow=True):
            seen.append(piece)

    task = asyncio.create_task(follow())
    await asyncio.sleep(1)
    box.write("two\n")
    await asyncio.sleep(1)
    assert b"".join(seen) == b"one\ntwo\n"
    box.write("three\n")
    alive = False
    await task
    assert b"".join(seen) == b"one\ntwo\nthree\n"


@pytest.mark.looptime
async def test_following_goes_on_after_a_rotation(box: Box) -> None:
    box.logs.running = lambda *_: True
    box.write("old\n" * 300)
    seen: list[bytes] = []

    async def follow() -> None:
        async for piece in box.logs.read("default", "web", "c", follow=True, tail_lines=1):
            seen.append(piece)

    task = asyncio.create_task(follow())
    await asyncio.sleep(1)
    box.write("last before\n")
    box.rotate()
    box.write("new\n")
    await asyncio.sleep(1)
    task.cancel()
    assert b"".join(seen) == b"old\nlast before\nnew\n"


@pytest.mark.looptime
async def test_lines_have_the_time_at_which_they_were_seen(box: Box) -> None:
    box.write("one\n")
    box.logs.look()
    await asyncio.sleep(60)
    box.write("two\n")
    box.logs.look()
    assert await box.read(timestamps=True) == "2026-01-01T00:00:00.000000Z one\n2026-01-01T00:01:00.000000Z two\n"
    assert await box.read(since_seconds=30) == "two\n"


def test_the_last_line_that_says_something_is_found(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("one\ntwo\n\n")
    assert last_line(tmp_path / "x") == "two"
    assert last_line(tmp_path / "none") == ""


async def test_a_pod_whose_directory_goes_while_logs_are_looked_at_harms_nothing(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python's glob fails as a whole when a directory vanishes under it; this once stopped the node."""
    box.write("hello\n")
    real, failures = Path.glob, iter([True])

    def glob(self: Path, pattern: str) -> Any:
        if next(failures, False):
            raise FileNotFoundError(2, "No such file or directory", str(self / "gone"))
        return real(self, pattern)

    monkeypatch.setattr(Path, "glob", glob)
    box.logs.look()
    assert await box.read() == "hello\n"
