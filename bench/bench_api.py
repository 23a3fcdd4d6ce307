"""The embedded API server over HTTPS: small reads, durable writes, and the latency of a change to 200 watchers.

The server has one core, the load the other. Requests go to loopback, bounded in count. Prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
import yaml

READS, WRITES, CONNECTIONS, WATCHERS, CHANGES = 6000, 2500, 16, 200, 20
SERINUS = Path(sys.executable).with_name("serinus")
PATH = "/api/v1/namespaces/default/configmaps"


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        up = [str(SERINUS), "up", "-d", "--port", "0", "--api-port", "0", "--data", directory]
        subprocess.run(up, check=True, stdout=subprocess.DEVNULL)
        try:
            status = json.loads(subprocess.check_output([str(SERINUS), "status", "-o", "json", "--data", directory]))
            os.sched_setaffinity(status["pid"], {0})
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
            print(json.dumps(asyncio.run(measure(status, token_of(status)))))
        finally:
            subprocess.run([str(SERINUS), "down", "--data", directory], check=True, stdout=subprocess.DEVNULL)


def token_of(status: dict[str, Any]) -> str:
    user = yaml.safe_load(Path(status["kubeconfig"]).read_text())["users"][0]["user"]
    return user.get("token") or Path(user["tokenFile"]).read_text().strip()


def memory_of(pid: int) -> float:
    """Resident megabytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


async def measure(status: dict[str, Any], token: str) -> dict[str, float]:
    connector = aiohttp.TCPConnector(limit=WATCHERS + CONNECTIONS, ssl=False)
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(status["api"], connector=connector, headers=headers) as session:
        await post(session, "seen")
        reads = await rate(READS, lambda i: get(session))
        writes = await rate(WRITES, lambda i: post(session, f"w-{i}"))
        heard = await watchers(session)
    return {
        "reads_per_second": round(reads),
        "durable_writes_per_second": round(writes),
        "watchers": WATCHERS,
        "last_watcher_ms_median": round(statistics.median(heard) * 1e3, 1),
        "last_watcher_ms_max": round(max(heard) * 1e3, 1),
        "memory_mb_after": round(memory_of(status["pid"]), 1),
    }


async def rate(count: int, call: Any) -> float:
    numbers = iter(range(count))

    async def work() -> None:
        for i in numbers:
            await call(i)

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
    return count / (time.perf_counter() - began)


async def get(session: aiohttp.ClientSession) -> None:
    async with session.get(f"{PATH}/seen") as answer:
        assert answer.status == 200
        await answer.read()


async def post(session: aiohttp.ClientSession, name: str) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": "value"}}
    async with session.post(PATH, json=body) as answer:
        assert answer.status == 201, await answer.text()
        await answer.read()


async def watchers(session: aiohttp.ClientSession) -> list[float]:
    """Seconds from the acknowledged change until the last of the watchers has it, for each change."""
    arrivals: asyncio.Queue[float] = asyncio.Queue()
    query = {"watch": "true", "fieldSelector": "metadata.name=seen"}
    ready = asyncio.Semaphore(0)

    async def follow() -> None:
        async with session.get(PATH, params=query, timeout=aiohttp.ClientTimeout(total=None)) as answer:
            await answer.content.readline()
            ready.release()
            while await answer.content.readline():
                arrivals.put_nowait(time.perf_counter())

    following = [asyncio.create_task(follow()) for _ in range(WATCHERS)]
    for _ in range(WATCHERS):
        await ready.acquire()
    heard: list[float] = []
    for i in range(CHANGES):
        began = time.perf_counter()
        kind = {"Content-Type": "application/merge-patch+json"}
        async with session.patch(f"{PATH}/seen", data=json.dumps({"data": {"key": str(i)}}), headers=kind) as answer:
            assert answer.status == 200
        heard.append(max([await arrivals.get() for _ in range(WATCHERS)]) - began)
    for task in following:
        task.cancel()
    return heard


if __name__ == "__main__":
    main()
