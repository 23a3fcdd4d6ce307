"""A team's dashboard under load: 200 pages of 200 users, and 50 changes a second.

Each page is the stream of a browser's list, read as fast as it comes. All users come in through the trusted proxy. Every change
gives a Rollout a new message. The memory of the server is read each 10 seconds. At the end each page must have the last message of
each Rollout: otherwise a change was lost.

`--minutes` for the length, 60 for the hour of the promise; `--rollouts`, `--pages`, `--rate` for another load. `--focused N`: N
of the pages show a Rollout each instead of the list. All pages open in one moment, or `--at-once N` of them. Needs the dev tools.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from bench.bench_dashboard import BIN, fill, memory_of
from serinus.api.resources import ROLLOUTS
from serinus.dashboard.process import bound
from serinus.kube.client import Client
from serinus.kube.configuration.config import Flags, load
from serinus.kube.http.https import HttpsHandler

SECRET = "s" * 40
SAMPLE_SECONDS = 10.0
AGAIN_SECONDS = 0.25


class _Row(msgspec.Struct):
    name: str
    message: str


class _Rows(msgspec.Struct):
    rows: list[_Row]
    all: bool


@dataclass
class Page:
    """One user's list, or his page of the Rollout `focus`: the messages that it shows."""

    user: str
    focus: str = ""
    messages: dict[str, str] = field(default_factory=dict[str, str])
    complete: asyncio.Event = field(default_factory=asyncio.Event)
    streams: int = 0

    async def follow(self, port: int) -> None:
        """Until cancelled. A proxy's stream ends after a quarter of an hour, and a browser opens it again."""
        while True:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                await self._connected(port)
            await asyncio.sleep(AGAIN_SECONDS)

    async def _connected(self, port: int) -> None:
        self.streams += 1
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
        query = f"?rollout=default/{self.focus}" if self.focus else ""
        head = f"GET /rollouts/api/ui/v1/stream{query} HTTP/1.1\r\nHost: localhost:{port}\r\n"
        head += f"X-Serinus-Proxy-Secret: {SECRET}\r\nX-Forwarded-User: {self.user}\r\n\r\n"
        writer.write(head.encode())
        try:
            while True:
                event = await reader.readuntil(b"\n\n")
                if (at := event.find(b"event: rows\ndata: ")) >= 0:
                    self.take(msgspec.json.decode(event[at + 18 :].split(b"\n")[0], type=_Rows))
                elif (at := event.find(b"event: rollout\ndata: ")) >= 0:
                    self.take(_Rows([msgspec.json.decode(event[at + 21 :].split(b"\n")[0], type=_Row)], all=True))
        finally:
            writer.close()

    def take(self, told: _Rows) -> None:
        self.messages |= {row.name: row.message for row in told.rows}
        if told.all:
            self.complete.set()

    def lacks(self, last: dict[str, str]) -> int:
        """Rollouts of which it shows another message than the last one."""
        names = [self.focus] if self.focus in last else [] if self.focus else last
        return sum(self.messages.get(name) != last[name] for name in names)


async def loaded(kubeconfig: str, pid: int, port: int, given: argparse.Namespace) -> dict[str, Any]:
    empty = memory_of(pid)
    focused = [f"app-{number:04}" for number in range(given.focused)] + [""] * (given.pages - given.focused)
    pages = [Page(f"user-{number}", focus) for number, focus in enumerate(focused)]
    async with asyncio.TaskGroup() as group:
        following: list[asyncio.Task[None]] = []
        for first in range(0, len(pages), given.at_once or len(pages)):
            now = pages[first : first + (given.at_once or len(pages))]
            following += [group.create_task(page.follow(port)) for page in now]
            for page in now:
                await page.complete.wait()
        opened = memory_of(pid)
        last, memory, rate = await changed(kubeconfig, pid, given)
        while any(page.lacks(last) for page in pages):
            await asyncio.sleep(0.1)
            if time.monotonic() > given.until:
                break
        lost = sum(page.lacks(last) for page in pages)
        for task in following:
            task.cancel()
    return {
        "rollouts": given.rollouts,
        "pages": given.pages,
        "of_which_show_a_rollout": given.focused,
        "minutes": given.minutes,
        "changes_per_second": round(rate, 1),
        "memory_mb_without_a_page": round(empty, 1),
        "memory_mb_with_the_pages": round(opened, 1),
        "memory_mb_in_the_first_and_last_minute": [round(max(memory[:6]), 1), round(max(memory[-6:]), 1)],
        "memory_mb_at_most": round(max(memory), 1),
        "lost": lost,
        "streams_opened": sum(page.streams for page in pages),
        "load_average": os.getloadavg(),
    }


async def changed(kubeconfig: str, pid: int, given: argparse.Namespace) -> tuple[dict[str, str], list[float], float]:
    """(the last message of each changed Rollout, samples of the memory, changes a second)."""
    handler, rng = HttpsHandler(load(Flags(kubeconfig=kubeconfig))), random.Random(1)
    client, last, memory = Client(handler), dict[str, str](), [memory_of(pid)]
    began = sampled = time.monotonic()
    written = 0
    while (now := time.monotonic()) - began < given.minutes * 60:
        if now - sampled >= SAMPLE_SECONDS:
            sampled = now
            memory.append(memory_of(pid))
            if len(memory) % 6 == 1:
                print(
                    f"{(now - began) / 60:.0f} min: {memory[-1]:.1f} MB, {written} changes", file=sys.stderr, flush=True
                )
        if written >= (now - began) * given.rate:
            await asyncio.sleep(0.005)
            continue
        name, text = f"app-{rng.randrange(given.rollouts):04}", f"change {written}"
        await client.patch(ROLLOUTS, name, {"status": {"message": text}}, "default", subresource="status")
        last[name], written = text, written + 1
    given.until = time.monotonic() + 30
    await handler.close()
    return last, memory, written / (time.monotonic() - began)


def measured(kubeconfig: str, directory: Path, given: argparse.Namespace) -> dict[str, Any]:
    secret = directory / "proxy-secret"
    secret.write_text(SECRET)
    with bound(0) as free:
        port = int(free.getsockname()[1])
    command = [
        str(BIN / "serinus"),
        "dashboard-server",
        "--kubeconfig",
        kubeconfig,
        "--address",
        "127.0.0.1",
        f"--port={port}",
    ]
    command += [
        f"--url=http://localhost:{port}/rollouts",
        "--proxy-address=127.0.0.1/32",
        f"--proxy-secret-file={secret}",
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as dashboard:
        try:
            assert dashboard.stderr is not None
            while "dashboard for" not in dashboard.stderr.readline():
                pass
            asyncio.run(ready(port, given.rollouts))
            return asyncio.run(loaded(kubeconfig, dashboard.pid, port, given))
        finally:
            dashboard.terminate()


async def ready(port: int, count: int) -> None:
    """Once the dashboard has every Rollout."""
    while True:
        page = Page("first")
        following = asyncio.ensure_future(page.follow(port))
        await asyncio.wait(
            [following, asyncio.ensure_future(page.complete.wait())], return_when=asyncio.FIRST_COMPLETED
        )
        following.cancel()
        if len(page.messages) == count:
            return
        await asyncio.sleep(0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollouts", type=int, default=5000)
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--focused", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=0)
    parser.add_argument("--rate", type=float, default=50.0)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--kubeconfig", help="an API server that this bench has filled, instead of one of its own")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        if given.kubeconfig:
            print(json.dumps(measured(given.kubeconfig, Path(directory), given), indent=2))
            return
        command = [sys.executable, "-m", "serinus.local.apiserver", "--data", directory, "--memory"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as api:
            try:
                assert api.stdout is not None
                api.stdout.readline()
                kubeconfig = str(Path(directory) / "kubeconfig")
                asyncio.run(fill(kubeconfig, given.rollouts))
                print(json.dumps(measured(kubeconfig, Path(directory), given), indent=2))
            finally:
                api.terminate()


if __name__ == "__main__":
    main()
