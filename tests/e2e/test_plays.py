"""The recorded plays of Argo Rollouts, played by the recorder against a running instance with the real kubectl.

A few in `make test`; all of them, in groups, in `make conformance` (SERINUS_PLAYS=all; or names, with commas between them).
tests/plays has all in virtual time.
"""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest
import yaml
from live import BIN, REPOSITORY, Instance
from passing import only_passes_by
from recordings import ABSENT, RECORDINGS, compared, plays, scenario, surprises

SOME = (
    "nginx-walk",
    "nginx-abort-retry",
    "nginx-missing-parts",
    "nginx-metadata",
    "bluegreen-manual",
    "workload-onsuccess",
)
AT_ONCE = 6
"""Plays at the same time: each has nine watches of kubectl beside its pods. More, and pods become ready too late."""
TAGS = ("blue", "green", "yellow", "red", "purple")
"""One by one: the image `does-not-exist` must stay unknown."""

pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason=ABSENT)


def slow_pods(instance: Instance) -> None:
    """Pods become ready some 1.5 s after they appear, as in the recordings."""
    command = [sys.executable, "-m", "serinus.demo.app", "--start-delay", "1.3"]
    environment = {"PYTHONPATH": str(REPOSITORY)}
    rules = [{"image": f"argoproj/rollouts-demo:{tag}", "command": command, "env": environment} for tag in TAGS]
    images = {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": {"name": "serinus-images", "namespace": "kube-system"},
    }
    manifest = yaml.safe_dump({**images, "data": {"images.yaml": yaml.safe_dump(rules)}})
    instance.shell(f"kubectl apply -f - <<'EOF'\n{manifest}\nEOF")


def play_all(instance: Instance, out: Path, names: tuple[str, ...]) -> list[str]:
    """What went wrong with the recorder; all are played at once, each in its namespace."""
    recorder = [sys.executable, str(RECORDINGS / "record.py"), "--kubeconfig", instance.status["kubeconfig"]]
    recorder += ["--kubectl", str(BIN / "kubectl"), "--plugin", str(BIN / "kubectl-argo-rollouts"), "--out", str(out)]
    running: dict[str, subprocess.Popen[str]] = {}
    for name in names:
        script = out / f"{name}.yaml"
        script.write_text(yaml.safe_dump(scenario(name), sort_keys=False))
        running[name] = subprocess.Popen(
            [*recorder, str(script)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    printed = {name: process.communicate(timeout=300)[0] for name, process in running.items()}
    return [said for said in printed.values() if "FAILED" in said or "timed out" in said]


def test_the_recorded_plays_end_and_go_as_in_argo_rollouts(instance: Instance, tmp_path: Path):
    slow_pods(instance)
    wanted = os.environ.get("SERINUS_PLAYS") or ",".join(SOME)
    names = iter(plays() if wanted == "all" else wanted.split(","))
    wrong: list[str] = []
    while group := tuple(islice(names, AT_ONCE)):
        wrong += play_all(instance, tmp_path, group)
        for name in group:
            trace = tmp_path / f"{name}.jsonl"
            wrong += (
                surprises(name, compared(name, trace), passes_by=only_passes_by)
                if trace.exists()
                else [f"{name}: no trace"]
            )
    assert not wrong, "\n".join(wrong)
