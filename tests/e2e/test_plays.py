"""The recorded plays of Argo Rollouts, played against a running instance: what differs must be on our list, and nothing else.

The recorder and the comparer lie beside the repository with the traces (`shared/recordings`).
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from live import BIN, REPOSITORY, Instance

RECORDINGS = REPOSITORY.parent / "shared" / "recordings"
PLAYS = (
    "nginx-walk",
    "nginx-abort-retry",
    "nginx-missing-parts",
    "nginx-metadata",
    "nginx-delete",
    "same-template",
)

pytestmark = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason="the recordings (shared/recordings) do not lie beside this repository"
)


def slow_pods(instance: Instance) -> None:
    """Pods become ready some 1.5 s after they appear, as in the recordings."""
    command = [sys.executable, "-m", "serinus.demo.app", "--start-delay", "1.3"]
    rule = {"image": "argoproj/rollouts-demo:*", "command": command, "env": {"PYTHONPATH": str(REPOSITORY)}}
    images = {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": {"name": "serinus-images", "namespace": "kube-system"},
    }
    manifest = yaml.safe_dump({**images, "data": {"images.yaml": yaml.safe_dump([rule])}})
    instance.shell(f"kubectl apply -f - <<'EOF'\n{manifest}\nEOF")


def play_all(instance: Instance, out: Path, plays: tuple[str, ...]) -> dict[str, str]:
    """What the comparer says of each play; all are played at once, each in its namespace."""
    recorder = [sys.executable, str(RECORDINGS / "record.py"), "--kubeconfig", instance.status["kubeconfig"]]
    recorder += ["--kubectl", str(BIN / "kubectl"), "--plugin", str(BIN / "kubectl-argo-rollouts"), "--out", str(out)]
    running = [
        subprocess.Popen(
            [*recorder, str(RECORDINGS / "scenarios" / f"{name}.yaml")],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name in plays
    ]
    for process in running:
        printed, _ = process.communicate(timeout=180)
        assert "FAILED" not in printed, printed
        assert "timed out" not in printed, printed
    return {name: compared(out, name) for name in plays}


def compared(out: Path, name: str) -> str:
    reference = RECORDINGS / "argo-rollouts" / f"{name}.jsonl"
    command = [sys.executable, str(RECORDINGS / "compare.py"), str(reference), str(out / f"{name}.jsonl")]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout


def differences(report: str) -> list[str]:
    """The lines that count: ends, ways and prints, each with what both did."""
    found: list[str] = []
    for line in report.splitlines():
        if re.match(r"(END|WAY|PRINT)\b", line):
            found.append(line)
        elif line.startswith("        ") and found:
            found[-1] += f" | {line.strip()}"
    return found


def listed(name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = yaml.safe_load((REPOSITORY / "docs" / "differences.yaml").read_text())
    return [r for r in rows if name in (r["play"] if isinstance(r["play"], list) else [r["play"]])]


def test_the_recorded_plays_end_and_go_as_in_argo_rollouts(instance: Instance, tmp_path: Path):
    slow_pods(instance)
    reports = play_all(instance, tmp_path / "traces", PLAYS)
    surprises: list[str] = []
    for name, report in reports.items():
        rows, seen = listed(name), differences(report)
        surprises += [f"{name}: {d}" for d in seen if not any(re.match(r["line"], d) for r in rows)]
        gone = [r for r in rows if not r.get("sometimes") and not any(re.match(r["line"], d) for d in seen)]
        surprises += [f"{name}: listed, but no longer so: {r['line']}" for r in gone]
    assert not surprises, "\n".join(surprises)
