"""Sequential verdicts on a real Prometheus whose counters hold the known streams: the same evidence to 1e-6."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from serinus.analysis.providers.http.client import Http
from serinus.demo.prometheus import running
from serinus.local.traefik.gateway import free_port
from tests.support.analysis.verdict_run import VerdictRun, metric
from tests.support.instance.live import BIN
from tests.support.instance.prometheus_binary import prometheus

pytestmark = pytest.mark.long

KNOWN = Path(__file__).parents[1] / "analysis" / "data" / "known_verdicts.jsonl"
STREAMS: dict[str, Any] = {stream["name"]: stream for stream in map(json.loads, KNOWN.open())}
STEP = 30
SIDES = {"canary": (0, 1), "stable": (2, 3)}
WORDS = {"h": "Failed", "s": "Successful", "u": "Inconclusive"}


def counters(stream: str, looks: Sequence[Sequence[float]], start: int) -> list[str]:
    """The totals of these looks, a sample each 30 s, in OpenMetrics."""
    lines: list[str] = []
    for side, (requests, errors) in SIDES.items():
        for name, place in (("requests", requests), ("errors", errors)):
            total = 0.0
            label = f'{{stream="{stream}",side="{side}",count="{name}"}}'
            lines.append(f"app_total{label} 0 {start}")
            for at, look in enumerate(looks, start=1):
                total += look[place]
                lines.append(f"app_total{label} {total:g} {start + STEP * at}")
    return lines


@asynccontextmanager
async def filled(directory: Path, streams: Mapping[str, Sequence[Sequence[float]]], start: int) -> AsyncGenerator[str]:
    """The address of a Prometheus with these counters."""
    program = prometheus(directory)
    promtool = program.with_name("promtool") if program.is_absolute() else Path("promtool")
    text = "\n".join(
        [
            "# TYPE app counter",
            *(line for name in streams for line in counters(name, streams[name], start)),
            "# EOF",
            "",
        ]
    )
    (directory / "past.txt").write_text(text)
    made = directory / "monitor" / "data"
    made.mkdir(parents=True)
    command = [str(promtool), "tsdb", "create-blocks-from", "openmetrics", str(directory / "past.txt"), str(made)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    port = free_port("127.0.0.1", 0)
    async with running(str(program), directory / "monitor", '{"scrape_configs": []}', port) as url:
        yield url


def counts(url: str, stream: str) -> dict[str, Any]:
    sides = {
        side: {
            name: f'sum(app_total{{stream="{stream}", side="{side}", count="{name}"}})'
            for name in ("requests", "errors")
        }
        for side in SIDES
    }
    return {"prometheus": {"address": url}, "totals": True, **sides}


@pytest.mark.parametrize("name", ["three-times", "budget", "strict"])
async def test_known_answers_through_a_template_on_a_real_prometheus(tmp_path: Path, name: str) -> None:
    stream = STREAMS[name]
    rows = stream["rows"]
    start = int(time.time()) // STEP * STEP - 6 * 3600
    async with filled(tmp_path, {name: [row[:4] for row in rows]}, start) as url:
        http = Http()
        asked = metric(counts(url, name), count=len(rows) + 1, **stream["settings"])
        run = VerdictRun(http, None, asked, float(start))
        done = await run.play(len(rows) + 2)
        await http.close()
    values = [value for value in run.values if value["looks"]]
    assert len(values) > 1
    for row, value in zip(rows, values, strict=False):
        assert (value["logHarm"], value["logSafe"]) == pytest.approx(row[4:6], abs=1e-6)
    assert done.status.phase == WORDS[rows[len(values) - 1][6]]


TEMPLATE = """
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: errors}
spec:
  args: [{name: canary}, {name: stable}]
  metrics:
  - name: errors
    interval: 30s
    provider:
      plugin:
        serinus.dev/sequential:
          counts: COUNTS
"""


async def test_calibration_reads_the_past_from_a_real_prometheus(tmp_path: Path) -> None:
    """Errors in threes: the same dispersion as from the looks themselves, and both sides where both are given."""
    chance = Random(5)

    def errors(requests: int) -> int:
        return 3 * sum(chance.random() < 0.01 / 3 for _ in range(requests))

    looks = [[100, errors(100), 900, errors(900)] for _ in range(300)]
    start = int(time.time()) // STEP * STEP - STEP * len(looks) - 600
    async with filled(tmp_path, {"past": looks}, start) as url:
        written = counts(url, "past")
        for side in SIDES:
            written[side] = {
                name: query.replace(f'"{side}"', f'"{{{{args.{side}}}}}"') for name, query in written[side].items()
            }
        file = tmp_path / "errors.yaml"
        file.write_text(TEMPLATE.replace("COUNTS", json.dumps(written)))
        both = calibrated("-f", str(file), "--past", "12h", "--arg", "canary=canary", "--arg", "stable=stable")
        alone = calibrated("-f", str(file), "--past", "12h", "--arg", "stable=stable")
    lines = "".join(f"{json.dumps(look)}\n" for look in looks)
    direct = calibrated(text=lines)
    # Prometheus repeats the last total for 5 minutes: ten looks of nothing.
    assert both["looks"] == pytest.approx(len(looks), abs=11)
    assert both["dispersion"] == pytest.approx(direct["dispersion"], rel=0.05)
    assert both["falseAborts"] is not None
    assert alone["falseAborts"] is None
    assert alone["dispersion"] == both["dispersion"]


def calibrated(*words: str, text: str = "") -> dict[str, Any]:
    command = [str(BIN / "serinus"), "verdict", "calibrate", *words]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
