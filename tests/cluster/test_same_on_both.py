"""The same programs query the embedded engine and a real control plane: the answers are the same.

differences.yaml lists each difference with a reason; an unlisted difference fails, and so does a listed one that is gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.cluster.cluster import Cluster
from tests.support.cluster.cluster_instance import ClusterInstance
from tests.support.cluster.script import changed, run_script, steps
from tests.support.instance.live import Instance

LISTED = Path(__file__).with_name("differences.yaml")


@pytest.fixture
def both(cluster: Cluster, tmp_path: Path) -> Iterator[tuple[Instance, ClusterInstance]]:
    embedded = Instance(tmp_path / "embedded")
    there = ClusterInstance(tmp_path / "there", cluster.plane.kubeconfig(), cluster.gateway)
    try:
        embedded.up()
        there.up()
        yield embedded, there
    finally:
        embedded.down()
        there.down()


def test_kubectl_sees_the_same(both: tuple[Instance, ClusterInstance]) -> None:
    embedded, there = both
    # The same name on both: it is part of hosts and of messages.
    embedded.shell(f"kubectl create namespace {there.namespace}")
    embedded.shell(f"kubectl config set-context --current --namespace {there.namespace}")
    ours, theirs = run_script(embedded, there.namespace), run_script(there, there.namespace)
    rows: list[dict[str, Any]] = yaml.safe_load(LISTED.read_text()) or []
    used: set[int] = set()
    wrong: list[str] = []
    for number, (step, mine, other) in enumerate(zip(steps(), ours, theirs, strict=True), start=1):
        for line in changed(mine, other):
            fitting = [i for i, row in enumerate(rows) if _fits(row, step.run, line)]
            used.update(fitting)
            if not fitting:
                wrong.append(f"{number}. kubectl {step.run}: {line}")
    wrong += [f"listed, but no longer so: {row}" for i, row in enumerate(rows) if i not in used | _moody(rows)]
    assert not wrong, "\n".join(wrong)


def _moody(rows: list[dict[str, Any]]) -> set[int]:
    return {i for i, row in enumerate(rows) if row.get("sometimes")}


def _fits(row: dict[str, Any], run: str, line: str) -> bool:
    return run.startswith(row.get("run", "")) and any(re.fullmatch(pattern, line) for pattern in row["lines"])
