"""Known answers through an AnalysisRun on a real Prometheus, whose counters are written before it starts."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from serinus.analysis.providers.http.client import Http
from tests.support.analysis.vendor import Cluster
from tests.support.analysis.verdict_run import VerdictRun, metric
from tests.support.instance.prometheus_binary import prometheus

STREAMS = [json.loads(line) for line in (Path(__file__).parent / "data" / "known_verdicts.jsonl").open()]
START, INTERVAL = 1_700_000_000, 30
COUNTERS = ("canary_requests", "canary_errors", "stable_requests", "stable_errors")


def open_metrics() -> str:
    """The totals of every stream, a sample for each look and one before the first."""
    lines: list[str] = []
    for place, counter in enumerate(COUNTERS):
        lines.append(f"# TYPE {counter} counter")
        for stream in STREAMS:
            total = 1000
            for at, row in enumerate([None, *stream["rows"]]):
                total += row[place] if row else 0
                lines.append(f'{counter}_total{{stream="{stream["name"]}"}} {total} {START + at * INTERVAL}')
    return "\n".join([*lines, "# EOF", ""])


@pytest.mark.timeout(300)
async def test_known_answers_on_a_real_prometheus(tmp_path: Path) -> None:
    program = prometheus(tmp_path)
    tool = program.with_name("promtool")
    if not tool.exists():
        pytest.skip("no promtool beside prometheus: it writes the counters of the past")
    (tmp_path / "past.txt").write_text(open_metrics())
    write = [str(tool), "tsdb", "create-blocks-from", "openmetrics", str(tmp_path / "past.txt"), str(tmp_path / "data")]
    await asyncio.to_thread(subprocess.run, write, check=True, capture_output=True)
    (tmp_path / "prometheus.yml").write_text("{}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        str(program),
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address=127.0.0.1:{port}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        await ready(f"{address}/-/ready")
        async with Http() as http:
            for stream in STREAMS:
                await same_answers(http, address, stream)
    finally:
        process.terminate()
        await process.wait()


async def ready(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        for _ in range(600):
            try:
                async with session.get(url) as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
    raise AssertionError("Prometheus is not ready after 60 s")


async def same_answers(http: Http, address: str, stream: dict[str, Any]) -> None:
    def query(counter: str) -> str:
        return f'sum({counter}_total{{stream="{stream["name"]}"}})'

    sides = {side: {name: query(f"{side}_{name}") for name in ("requests", "errors")} for side in ("canary", "stable")}
    counts = {"prometheus": {"address": address}, "totals": True, **sides}
    run = VerdictRun(http, Cluster(), metric(counts, count=41, **stream["settings"]), float(START))
    done = await run.play()
    values = run.values[1:]  # the first totals are where counting begins
    for row, value in zip(stream["rows"], values, strict=False):
        assert (value["logHarm"], value["logSafe"]) == pytest.approx(row[4:6], abs=1e-6), stream["name"]
    phase = {"h": "Failed", "s": "Successful", "u": "Inconclusive"}[stream["rows"][len(values) - 1][6]]
    assert done.status.phase == phase
    assert phase != "Inconclusive" or len(values) == 40
