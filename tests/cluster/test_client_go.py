"""Runs the program of tests/clientgo, which the embedded API server passes, on a real API server: the checks hold there too.

A check that the embedded engine passes and a real control plane does not would be a promise that only ours keeps.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster.cluster import Cluster
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.network import outside

SOURCE = Path(__file__).parents[1] / "clientgo"

_REMEMBERS = "it remembers five minutes of changes, and the check makes some hundred: nothing expires"
_COUNTS = "it refuses a status with more ready pods than pods; the embedded engine believes what controllers write"
DIFFERENT = {
    "an expired version is told as such": _REMEMBERS,
    "a list whose pages expired can go on": _REMEMBERS,
    "watches end in time with a bookmark": "it sends a bookmark about once a minute, and the check's watch is shorter",
    "server-side apply of deployments, their status and scale": _COUNTS,
    "clients that prefer protobuf": _COUNTS,
    "protobuf and JSON mean the same": "it refuses loopback addresses as endpoints, which pods on one machine have",
}
"""Check -> why a real API server does not pass it here."""


@pytest.fixture
def alone(cluster: Cluster, tmp_path: Path) -> Iterator[Cluster]:
    """An API server for this test only, with our CRDs; in the network of `cluster`."""
    made = Cluster(ControlPlane(cluster.plane.program, tmp_path / "alone", alone=True))
    try:
        made.plane.start()
        made.install()
        yield made
    finally:
        made.plane.stop()


def test_client_go_sees_on_a_real_control_plane_what_it_sees_on_the_embedded_engine(
    alone: Cluster, tmp_path: Path
) -> None:
    go = shutil.which("go")
    assert go is not None, "the control plane was built with it"
    program = tmp_path / "clientgo-check"
    build = [go, "build", "-o", str(program), "."]
    built = outside(lambda: subprocess.run(build, cwd=SOURCE, capture_output=True, text=True, check=False))
    if built.returncode:
        pytest.skip(f"the modules of client-go cannot be had here: {built.stderr.strip()[-300:]}")
    done = subprocess.run(
        [str(program), "--kubeconfig", str(alone.plane.kubeconfig())], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert results, "the program checked nothing"
    flaws = {found["check"]: found["detail"] for found in results if not found["ok"]}
    assert {name: why for name, why in flaws.items() if name not in DIFFERENT} == {}
    assert set(DIFFERENT) <= set(flaws), "listed, but no longer so"
