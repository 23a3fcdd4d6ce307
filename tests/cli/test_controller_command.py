"""`serinus controller`: what it says of an environment that it cannot work with."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from serinus.cli.controller import JOB_KUBECONFIG, command


@pytest.mark.parametrize(
    ("value", "why"),
    [("/nowhere/kubeconfig", "/nowhere/kubeconfig"), ("in-cluster", "$KUBERNETES_SERVICE_HOST is not set")],
)
def test_another_cluster_for_jobs_that_cannot_be_found_ends_it_with_the_variable(
    tmp_path: Path, value: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(
        "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]\n"
        "contexts: [{name: c, context: {cluster: c}}]\ncurrent-context: c\n"
    )
    monkeypatch.setenv(JOB_KUBECONFIG, value)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    done = CliRunner().invoke(command, ["--kubeconfig", str(kubeconfig)])
    assert done.exit_code == 1
    assert f"Error: ${JOB_KUBECONFIG}: " in done.output
    assert why in done.output
