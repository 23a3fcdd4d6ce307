"""`serinus node` reports an error in one sentence before it accepts a single pod."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from serinus.local.cannot_run import CannotRun
from serinus.local.node.node_process import check_pool


@pytest.mark.parametrize(
    ("pool", "says"),
    [
        ("ten", "--pool ten is no range of addresses"),
        ("10.200.0.1/16", "has host bits set"),
        ("10.200.0.0/31", "has no room for pods"),
        ("192.0.2.0/24", r"not this machine's\. Make them so, as root: ip route add local 192\.0\.2\.0/24 dev lo"),
    ],
)
def test_a_pool_that_cannot_be_used_is_refused_with_what_to_do(pool: str, says: str) -> None:
    with pytest.raises(CannotRun, match=says):
        check_pool(pool)


def test_a_pool_of_this_machine_is_taken() -> None:
    check_pool("127.99.0.0/24")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--kubeconfig", "none"], "none"),
        (
            ["--server", "http://127.0.0.1:1"],
            "This node cannot join: the API server http://127.0.0.1:1 cannot be reached",
        ),
    ],
)
def test_a_cluster_that_is_not_there_is_named(tmp_path: Path, options: list[str], says: str) -> None:
    command = [
        sys.executable,
        "-c",
        "from serinus.cli.main import main; main()",
        "node",
        "--data",
        str(tmp_path / "data"),
    ]
    done = subprocess.run(
        [*command, "--pool", "127.99.0.0/24", *options],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path)},
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr
