"""How long commands take from their start to their end, beside a Python that does nothing.

`bench_cli.py [ROUNDS]`: each round starts every program once, in a new order, so that other load of the machine affects
them alike. The API server is the embedded one over HTTPS with 20 Rollouts. Prints one line of JSON for each program: median
and best wall time and median processor time, in milliseconds, and medians as ratios to `python -c pass`.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from serinus.api.resources import ROLLOUTS
from serinus.kube.configuration.config import Flags, load
from serinus.kube.sync import SyncClient

ROUNDS, WARM = 21, 2
LIVE = 20
HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
PYTHON, SERINUS, PLUGIN = sys.executable, str(BIN / "serinus"), str(BIN / "kubectl-argo-rollouts")
PROGRAMS = {
    "python -c pass": ([PYTHON, "-c", "pass"], None),
    "python -I -S -c pass": ([PYTHON, "-I", "-S", "-c", "pass"], None),
    "serinus --help": ([SERINUS, "--help"], 100),
    "kubectl-argo-rollouts --help": ([PLUGIN, "--help"], 100),
    "kubectl-argo-rollouts get rollout --help": ([PLUGIN, "get", "rollout", "--help"], 100),
    "kubectl-argo-rollouts version": ([PLUGIN, "version"], 100),
    "kubectl-argo-rollouts completion bash": ([PLUGIN, "completion", "bash"], 100),
    "completion of a command": ([PLUGIN, "__complete", "pro"], 100),
    "completion of live names": ([PLUGIN, "__complete", "promote", ""], 100),
    "kubectl-argo-rollouts list rollouts": ([PLUGIN, "list", "rollouts"], 150),
    "kubectl-argo-rollouts get rollout web-1": ([PLUGIN, "get", "rollout", "web-1"], None),
}
"""name -> (command, milliseconds it may take, None where nothing is promised)."""


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with api_server() as kubeconfig, tempfile.TemporaryDirectory() as compiled:
        # As after an installation: the first rounds compile what they import, wherever the environment forbids it.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ |= {"KUBECONFIG": str(kubeconfig), "PYTHONPYCACHEPREFIX": compiled}
        fill(kubeconfig)
        times = measure(rounds)
    base = statistics.median(wall for wall, _ in times["python -c pass"])
    bare = statistics.median(wall for wall, _ in times["python -I -S -c pass"])
    for name, (_, most) in PROGRAMS.items():
        print(json.dumps(summary(name, times[name], most, base, bare)))


def summary(name: str, times: list[tuple[float, float]], most: int | None, base: float, bare: float) -> dict[str, Any]:
    wall = statistics.median(w for w, _ in times)
    return {
        "program": name,
        "ms": round(wall, 1),
        "best_ms": round(min(w for w, _ in times), 1),
        "cpu_ms": round(statistics.median(c for _, c in times), 1),
        "times_python": round(wall / base, 2),
        "times_bare_python": round(wall / bare, 2),
        "goal_ms": most,
    }


def measure(rounds: int) -> dict[str, list[tuple[float, float]]]:
    """name -> [(wall, processor) of each round]; the first rounds, which fill caches, are not counted."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in PROGRAMS}
    names, rng = list(PROGRAMS), random.Random(1)
    for turn in range(WARM + rounds):
        rng.shuffle(names)
        for name in names:
            took = once(PROGRAMS[name][0])
            if turn >= WARM:
                times[name].append(took)
    return times


def once(command: list[str]) -> tuple[float, float]:
    """(wall, processor) milliseconds of one run."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return wall * 1e3, (used.ru_utime + used.ru_stime) * 1e3


@contextmanager
def api_server() -> Generator[Path]:
    """The path of its kubeconfig."""
    with tempfile.TemporaryDirectory() as directory:
        command = [PYTHON, str(HERE / "api_alone.py"), directory]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                yield Path(process.stdout.readline().strip())
            finally:
                process.terminate()


def fill(kubeconfig: Path) -> None:
    client = SyncClient(load(Flags(kubeconfig=str(kubeconfig))))
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}
    canary = {"steps": [{"setWeight": 20}, {"pause": {}}]}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template, "strategy": {"canary": canary}}
    for n in range(LIVE):
        obj = {
            "apiVersion": ROLLOUTS.api_version,
            "kind": ROLLOUTS.kind,
            "metadata": {"name": f"web-{n}"},
            "spec": spec,
        }
        client.create(ROLLOUTS, "default", obj)
    client.close()


if __name__ == "__main__":
    main()
