"""The cost of automatic verdicts: endless runs of web metrics, and one condition.

    bench_analysis.py [SECONDS]     60 by default

500 runs of 3 metrics every 5 s, on the embedded API server; CPU and memory of the controller's process alone. Lateness:
how much longer than 5 s the intervals between two queries of a metric were. The monitoring system measures them, so the
time of a call counts. Prints a line of JSON for each measurement.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from controller_meter import Meter

from serinus.analysis.expr.condition import CompiledCondition
from serinus.analysis.expr.values import Floats
from serinus.api.resources import ANALYSIS_RUNS
from serinus.kube.client import Client
from serinus.kube.configuration.config import Flags, load
from serinus.kube.http.https import HttpsHandler

RUNS, METRICS, INTERVAL = 500, 3, 5.0
WARM_UP = 15.0
SAMPLES = 12
"""Of resident memory, spread over the time: an hour (3600) shows whether it grows."""
HERE = Path(__file__).parent
SERINUS = Path(sys.executable).with_name("serinus")
CONDITIONS: dict[str, tuple[str, Any]] = {
    "a number of a vector": ("len(result) > 0 && result[0] >= 0.95", Floats([0.97])),
    "no data": ("len(result) == 0 || isNaN(result[0]) || result[0] >= 0.95", Floats([float("nan")])),
    "fields": ("result.requests < 50 || result.successRate >= 0.95", {"requests": 1000.0, "successRate": 0.99}),
    "a predicate over 5": ("all(result, .ok && .ms < 250)", [{"ok": True, "ms": 100.0}] * 5),
}


def conditions() -> dict[str, Any]:
    """Microseconds of one evaluation, compiled before; the best of 5."""
    found: dict[str, float] = {}
    for name, (text, result) in CONDITIONS.items():
        condition = CompiledCondition(text)
        assert condition.holds(result, 0.0)
        best = float("inf")
        for _ in range(5):
            began = time.process_time()
            for _ in range(2000):
                condition.holds(result, 0.0)
            best = min(best, (time.process_time() - began) / 2000)
        found[name] = round(best * 1e6, 1)
    return {"condition_us": found}


@contextmanager
def process(*command: str, speaks: bool = True) -> Generator[tuple[int, str]]:
    """(pid, its first line if it speaks)."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=sys.stderr, text=True) as running:
        assert running.stdout is not None
        try:
            yield running.pid, running.stdout.readline().strip() if speaks else ""
        finally:
            running.terminate()
            running.stdout.read()  # drain its last output, so that its write does not fail


def run_of(number: int, url: str) -> dict[str, Any]:
    metrics = [
        {
            "name": f"metric-{m}",
            "interval": f"{INTERVAL:.0f}s",
            "successCondition": "result.requests < 50 || result.successRate >= {{args.least}}",
            "provider": {"web": {"url": f"{url}/asked?run={number}&metric={m}"}},
        }
        for m in range(METRICS)
    ]
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": {"name": f"run-{number}"},
        "spec": {"args": [{"name": "least", "value": "0.95"}], "metrics": metrics},
    }


async def create(kubeconfig: str, runs: Sequence[dict[str, Any]]) -> None:
    """All runs, spread over one interval: releases do not begin in the same second."""
    handler = HttpsHandler(load(Flags(kubeconfig=kubeconfig)))
    try:
        for run in runs:
            await Client(handler).create(ANALYSIS_RUNS, run, "default")
            await asyncio.sleep(INTERVAL / len(runs))
    finally:
        await handler.close()


def late(url: str) -> dict[str, Any]:
    at = urlsplit(url)
    connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=30)
    connection.request("GET", f"/late?interval={INTERVAL}")
    try:
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def endless(seconds: float, run_of: Callable[[int, str], dict[str, Any]] = run_of, runs: int = RUNS) -> dict[str, Any]:
    """CPU and memory of a controller with so many runs. `run_of`: a run by its number and the URL of the monitoring."""
    port = 18193
    with (
        tempfile.TemporaryDirectory() as directory,
        process(sys.executable, str(HERE / "monitoring.py")) as (_, said),
        process(sys.executable, str(HERE / "api_alone.py"), directory) as (_, kubeconfig),
        process(
            *(str(SERINUS), "controller", "--kubeconfig", kubeconfig, "--leader-elect=false"),
            *("--metricsPort", str(port), "--healthzPort", "0"),
            speaks=False,
        ) as (pid, _),
    ):
        url = said.split()[-1]
        every = [run_of(number, url) for number in range(runs)]
        asyncio.run(create(kubeconfig, every))
        time.sleep(WARM_UP)
        meter = Meter(pid, port)
        late(url)
        calls = meter.calls()  # reading the metrics of so many runs has a cost of its own
        cpu, began = meter.cpu(), time.monotonic()
        memory = [round(meter.memory("VmRSS"), 1)]
        for _ in range(SAMPLES):
            time.sleep(seconds / SAMPLES)
            memory.append(round(meter.memory("VmRSS"), 1))
        cpu, wall = meter.cpu() - cpu, time.monotonic() - began
        spent = meter.calls() - calls
        seen = late(url)
        asked = seen["asked"] - seen["series"]
        rounds = asked / len(every[0]["spec"]["metrics"])
        return {
            "runs": runs,
            "measurements_a_second": round(asked / wall, 1),
            "cpu_ms_a_measurement": round(1000 * cpu / asked, 3),
            "writes_a_round": round(spent["Patch analysisruns"] / rounds, 3),
            "calls": dict(spent.most_common(5)),
            "peak_memory_mb": round(meter.memory(), 1),
            "memory_mb": memory,
            "late": seen,
            "load_average": round(os.getloadavg()[0], 1),
        }


def taken_back() -> dict[str, Any]:
    """The demo, three times: seconds from the measurement that decided to weight 0, and to the last request that failed."""
    command = [str(SERINUS), "demo", "--analysis", "--once", "--port", "0", "--prometheus", "none"]
    found = [json.loads(subprocess.check_output(command, text=True).splitlines()[-1]) for _ in range(3)]
    names = ("verdict_seconds", "taken_back_seconds", "last_failure_seconds", "failed_meanwhile", "requests")
    return {name: [one[name] for one in found] for name in names}


def main() -> None:
    print(json.dumps(conditions()), flush=True)
    print(json.dumps(taken_back()), flush=True)
    print(json.dumps(endless(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0)), flush=True)


if __name__ == "__main__":
    main()
