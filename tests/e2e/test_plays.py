"""The recorded plays of Argo Rollouts, played by the recorder against a running instance with the real kubectl.

All of them in `make conformance` (SERINUS_PLAYS=all; or names, with commas between them). A run on both engines plays
all of nginx, and a few of other routers. tests/plays has all in virtual time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from tests.support.instance.engines import ENGINES, OWN, THEIRS
from tests.support.instance.live import BIN, REPOSITORY, Instance
from tests.support.plays.passing import only_passes_by
from tests.support.plays.recordings import (
    RECORDINGS,
    ROUTERS,
    compared,
    plays,
    reference,
    router_plays,
    scenario,
    surprises,
)

SOME_OF_ROUTERS = ("istio-subsets", "gateway-header")
SOME = (
    "nginx-walk",
    "nginx-abort-retry",
    "nginx-missing-parts",
    "nginx-metadata",
    "bluegreen-manual",
    "workload-onsuccess",
    *SOME_OF_ROUTERS,
)
AT_ONCE = 6
"""Plays at the same time: each has nine watches of kubectl beside its pods. More, and pods become ready too late."""
MOST_AGAIN = 5
"""Plays that may be repeated alone: if more differ, the cause is not a busy machine."""
TAGS = ("blue", "green", "yellow", "red", "purple")
"""One by one: the image `does-not-exist` must stay unknown."""


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


def play(instance: Instance, out: Path, name: str) -> str:
    """Plays one in its namespace, into a trace in `out`; returns the recorder's errors, or nothing."""
    script = out / f"{name}.yaml"
    script.write_text(yaml.safe_dump(scenario(name), sort_keys=False))
    recorder = [sys.executable, str(RECORDINGS / "record.py"), "--kubeconfig", instance.status["kubeconfig"]]
    recorder += ["--kubectl", str(BIN / "kubectl"), "--plugin", str(BIN / "kubectl-argo-rollouts"), "--out", str(out)]
    try:
        done = subprocess.run([*recorder, str(script)], capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        return f"{name}: the recorder did not end within 300 s"
    said = done.stdout + done.stderr
    return said if done.returncode or "FAILED" in said or "timed out" in said else ""


def wanted(instance: Instance) -> list[str]:
    """All selected plays; where the same run has another engine that plays them, a few."""
    asked = os.environ.get("SERINUS_PLAYS")
    if not asked or (type(instance) is Instance and OWN in ENGINES):
        return [*SOME]
    if asked != "all":
        return asked.split(",")
    if THEIRS:
        return plays()  # another user's cluster keeps its definitions of routers, and their objects
    return [*plays(), *(SOME_OF_ROUTERS if len(ENGINES) > 1 else router_plays())]


def definitions_of_routers(instance: Instance) -> None:
    """Those of the recordings, with open schemas: no API server of theirs had set a default. They replace those that are installed."""
    file = ROUTERS / "crds.yaml"
    instance.shell(f"kubectl delete --ignore-not-found -f {file}")
    instance.shell(f"kubectl create -f {file}")
    instance.shell(f"kubectl wait --for=condition=Established --timeout=60s -f {file}")


def differing(name: str, out: Path, said: str) -> list[str]:
    """Differences from Argo Rollouts, or failures of the recorder."""
    trace = out / f"{name}.jsonl"
    if said or not trace.exists():
        return [said or f"{name}: no trace"]
    return surprises(name, compared(name, trace), passes_by=only_passes_by)


def again(instance: Instance, out: Path, name: str) -> list[str]:
    """The same when it is played alone; on a busy machine a command may come too late for its purpose."""
    instance.shell(f"kubectl wait --for=delete namespace/rec-{name} --timeout=90s")
    return differing(name, out, play(instance, out, name))


@pytest.mark.long
@pytest.mark.usefixtures("one_at_a_time")
def test_the_recorded_plays_end_and_go_as_in_argo_rollouts(instance: Instance, tmp_path: Path):
    slow_pods(instance)
    names = wanted(instance)
    if not THEIRS and set(names) & set(router_plays()):
        definitions_of_routers(instance)
    names.sort(key=lambda name: reference(name)[-1]["t"], reverse=True)  # no wait for a long one at the end
    with ThreadPoolExecutor(AT_ONCE) as pool:
        said = dict(zip(names, pool.map(lambda name: play(instance, tmp_path, name), names), strict=True))
    first = {name: wrong for name in names if (wrong := differing(name, tmp_path, said[name]))}
    lines = [line for wrong in first.values() for line in wrong]
    assert len(first) <= MOST_AGAIN, "\n".join(lines)
    (alone := tmp_path / "alone").mkdir()
    second = [line for name in first for line in again(instance, alone, name)]
    assert not second, "\n".join([*second, "When it was not played alone:", *lines])
    if lines:
        warnings.warn("Only alone as in Argo Rollouts: " + "\n".join(lines), stacklevel=1)
