"""Runs a real Prometheus for the demo: an installed binary, with a file of pods to scrape."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

HOW_TO_GET_ONE = """\
No Prometheus here. To see the same with one:
  apt-get install prometheus      (on Debian and Ubuntu; it is then found by itself)
or, without root and without installing:
  apt-get download prometheus && dpkg -x prometheus_*.deb prometheus
  serinus demo --analysis --prometheus prometheus/usr/bin/prometheus
or from https://prometheus.io/download/."""
READY_SECONDS = 30.0
STOP_SECONDS = 5.0


class NoPrometheus(Exception):
    """Prometheus is unavailable: a sentence with the reason."""


def find(given: str) -> str | None:
    """The program: the given one, else the one on PATH, else None. Raises NoPrometheus if the given one cannot run."""
    if not given:
        return shutil.which("prometheus")
    program = shutil.which(given) or shutil.which(str(Path(given).expanduser().absolute()))
    if program is None:
        raise NoPrometheus(f"{given!r} is no program that can be run: give the path of a Prometheus binary")
    return program


def configuration(targets: Path) -> str:
    """JSON, which is valid YAML. Prometheus reads the target file once a second."""
    job = {"job_name": "pods", "file_sd_configs": [{"files": [str(targets)], "refresh_interval": "1s"}]}
    return json.dumps({"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [job]}, indent=1)


@asynccontextmanager
async def running(program: str, directory: Path, config: str, port: int) -> AsyncGenerator[str]:
    """Runs it beside the block and yields its URL once it answers. Raises NoPrometheus if it does not."""
    log = _prepared(directory, config)
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            program,
            f"--config.file={directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # The API is on this machine, so no proxy applies.
            env={**os.environ, "NO_PROXY": "*", "no_proxy": "*"},
        )
    try:
        url = f"http://127.0.0.1:{port}"
        await _ready(process, f"{url}/-/ready", log)
        yield url
    finally:
        if process.returncode is None:
            process.terminate()
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()


async def scraped(url: str) -> int:
    """The number of pods that the Prometheus at this URL scrapes; 0 if it does not answer."""
    import aiohttp

    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
            session.get(f"{url}/api/v1/query", params={"query": "sum(up)"}) as answer,
        ):
            result = (await answer.json())["data"]["result"]
            return int(result[0]["value"][1]) if result else 0
    except (aiohttp.ClientError, TimeoutError, KeyError, ValueError):
        return 0


def _prepared(directory: Path, config: str) -> Path:
    """Creates its directory and configuration and returns its log file."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "prometheus.yml").write_text(config)
    return directory / "prometheus.log"


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "(none)"


async def _ready(process: asyncio.subprocess.Process, url: str, log: Path) -> None:
    import aiohttp

    loop = asyncio.get_running_loop()
    end = loop.time() + READY_SECONDS
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
        while process.returncode is None and loop.time() < end:
            with suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(url) as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.05)
    happened = "did not answer" if process.returncode is None else f"ended with code {process.returncode}"
    raise NoPrometheus(f"Prometheus {happened}; its last line: {_last_line(log)}")
