"""Every failure gives a sentence with what to do, the right exit code, and no traceback."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from serinus.kube.transport import Request, Response
from tests.support.cli.cli_cluster import Result, Space, rollout, run
from tests.support.cli.refusals import refuse

Json = dict[str, Any]
BIN = Path(sys.executable).parent


def test_no_kubeconfig_says_how_to_get_one(tmp_path: Path) -> None:
    done = run("list", "rollouts", KUBECONFIG=str(tmp_path / "none"), HOME=str(tmp_path))
    assert done.code == 1
    assert done.err.startswith("Error: no API server is configured: there is no ")
    assert "serinus up" in done.err


def test_an_api_server_that_is_away_is_named_with_the_file_that_names_it(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    file = tmp_path / "config"
    file.write_text(json.dumps({
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "a"}}],
        "clusters": [{"name": "a", "cluster": {"server": f"https://127.0.0.1:{port}"}}],
    }))  # fmt: skip
    for command in (["list", "rollouts"], ["status", "web"], ["get", "rollout", "web", "-w"], ["abort", "web"]):
        done = run(*command, KUBECONFIG=str(file))
        assert done.code == 1
        assert done.err == (
            f"Error: the API server https://127.0.0.1:{port} cannot be reached: connection refused\n"
            f"This address comes from {file}. Choose another with --context, --kubeconfig or --server.\n"
        )


def test_a_server_whose_certificate_is_unknown_is_not_talked_to(space: Space) -> None:
    server = space.cluster.client.connection.server
    done = space.run("list", "rollouts", "--kubeconfig", "/dev/null", "--server", server)
    assert done.code == 1
    assert "its certificate was refused" in done.err


def test_an_expired_token_says_who_was_refused_and_what_to_try(space: Space) -> None:
    done = space.run("list", "rollouts", "--token", "expired")
    assert done.code == 1
    assert done.err.startswith("Error: You must be logged in to the server (Unauthorized)\n")
    assert "may have expired" in done.err


def test_missing_rights_are_told_in_the_server_s_words(space: Space) -> None:
    message = 'rollouts.argoproj.io "web" is forbidden: User "eve" cannot patch resource "rollouts/status"'
    space.put(rollout(status={"currentPodHash": "b"}))
    space.cluster.before = lambda request: refuse(403, "Forbidden", message) if request.method == "PATCH" else None
    done = space.run("abort", "web")
    assert (done.code, done.err.split("\n")[0]) == (1, f"Error: {message}")
    assert "administrator" in done.err


def test_get_shows_what_may_be_seen_where_rights_are_few(space: Space) -> None:
    space.put(rollout())

    def few(request: Request) -> Response | None:
        seen = "/rollouts" in request.path or request.method != "GET"
        return None if seen else refuse(403, "Forbidden", "no")

    space.cluster.before = few
    assert "✔ Healthy" in space.run("get", "rollout", "web", "--no-color").out
    assert "✔ Healthy" in space.run("get", "rollout", "web", "--no-color", "-w", "--timeout-seconds", "1").out


def test_a_cluster_without_the_definitions_says_that_they_are_missing(space: Space) -> None:
    space.cluster.before = lambda request: (
        Response(404, b"404 page not found\n", "text/plain") if "argoproj.io" in request.path else None
    )
    for command in (["list", "rollouts"], ["get", "rollout", "web"], ["status", "web"], ["promote", "web"]):
        done = space.run(*command)
        assert done.code == 1
        assert done.err.startswith("Error: the server could not find the requested resource\n")
        assert "CustomResourceDefinition is not installed" in done.err


def test_an_old_definition_without_a_status_subresource_is_patched_itself(space: Space) -> None:
    space.put(rollout(status={"currentPodHash": "b"}))
    space.cluster.before = lambda request: (
        refuse(404, "NotFound", "not found") if request.path.endswith("/status") else None
    )
    assert space.run("abort", "web").out == "rollout 'web' aborted\n"
    assert space.cluster.writes == [("PATCH", "rollouts/web", {"status": {"abort": True}})]


def test_a_reader_that_has_seen_enough_is_no_error(space: Space) -> None:
    space.put(rollout())
    command = (
        f"'{BIN / 'kubectl-argo-rollouts'}' list rollouts -n {space.name} --watch | head -1; echo ${{PIPESTATUS[0]}}"
    )
    process = subprocess.Popen(
        ["bash", "-c", command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "KUBECONFIG": str(space.cluster.kubeconfig)},
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("NAME")
    # The command detects a closed pipe only when it writes.
    for phase in ("Paused", "Progressing", "Degraded"):
        space.patch("Rollout", "web", {"status": {"phase": phase}}, "status")
    out, err = process.communicate(timeout=30)
    assert (out, err) == ("0\n", "")


@pytest.mark.parametrize(
    ("redirection", "code", "err"),
    [(">/dev/full", 1, "Error: No space left on device\n"), (">&-", 0, ""), (">&- 2>&- <&-", 0, "")],
)
def test_output_that_cannot_be_written_ends_in_a_sentence(space: Space, redirection: str, code: int, err: str) -> None:
    space.put(rollout())
    command = f"'{BIN / 'kubectl-argo-rollouts'}' get rollout web -n {space.name} {redirection}"
    env = {**os.environ, "KUBECONFIG": str(space.cluster.kubeconfig)}
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False, env=env)
    assert (done.returncode, done.stderr) == (code, err)


def test_the_tree_is_utf_8_whatever_the_locale(space: Space) -> None:
    space.put(rollout())
    env = {"KUBECONFIG": str(space.cluster.kubeconfig), "PYTHONIOENCODING": "latin-1", "LC_ALL": "C"}
    assert "⟳ web" in run("get", "rollout", "web", "-n", space.name, **env).out


@pytest.mark.parametrize("args", [["nonsense"], ["get"], ["get", "pods"], ["promote"], ["status", "web", "--nope"]])
def test_a_wrong_command_line_is_code_1_and_says_nothing_on_stdout(args: list[str]) -> None:
    done = run(*args)
    assert (done.code, done.out) == (1, "")
    assert done.err


def test_lint_names_the_file_and_the_line_of_each_finding(tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    file.write_text(
        """\
# nothing here
---
apiVersion: v1
kind: ConfigMap
metadata: {name: other}
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web}]}
  minReadySeconds: -1
  strategy:
    canary:
      steps:
      - setWeight: 20
      - pause: {duration: never}
"""
    )
    assert run("lint", "-f", str(file)).err.splitlines()[1:] == [
        f"{file}:15: Rollout web: spec.minReadySeconds",
        f"{file}:20: Rollout web: spec.strategy.steps[1].pause.duration",
    ]


@pytest.mark.parametrize(
    ("arg", "interval", "said"),
    [
        ({"name": "every", "value": "5s"}, "{{args.every}}", ""),
        ({"name": "every", "value": "often"}, "{{args.every}}", "metrics[0]: invalid interval string"),
        ({"name": "every"}, "{{args.every}}", "args.every was not resolved: template 'check' declares it"),
        ({"name": "other", "value": "5s"}, "{{args.every}}", "metric m: failed to resolve {{args.every}}"),
    ],
)
@pytest.mark.parametrize("kind", ["AnalysisTemplate", "ClusterAnalysisTemplate"])
def test_lint_checks_the_analyses_whose_templates_are_in_the_file(
    kind: str, arg: Json, interval: str, said: str, tmp_path: Path
) -> None:
    """The same finding as in the controller; a template that is not in the file is not missed."""
    good: Json = {"apiVersion": "argoproj.io/v1alpha1", **rollout()}
    del good["status"]
    reference = {"templateName": "check", "clusterScope": kind.startswith("Cluster")}
    analysis = {"templates": [reference]}
    good["spec"]["strategy"]["canary"]["steps"] = [{"setWeight": 20}, {"analysis": analysis}]
    metric = {"name": "m", "interval": interval, "count": 2, "provider": {"web": {"url": "{{ end }}"}}}
    template = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": "check"},
        "spec": {"args": [arg], "metrics": [metric]},
    }
    file = tmp_path / "r.yaml"
    file.write_text("\n---\n".join(json.dumps(obj) for obj in (good, template)))
    done = run("lint", "-f", str(file))
    assert (done.code, said in done.err) == (1 if said else 0, True)
    if said:
        assert done.err.splitlines()[-1].endswith("Rollout web: spec.strategy.canary.steps[1].analysis.templates")
    file.write_text(json.dumps(good))
    assert run("lint", "-f", str(file)).code == 0


def test_lint_finds_what_the_controller_would_refuse(tmp_path: Path) -> None:
    good: Json = {"apiVersion": "argoproj.io/v1alpha1", **rollout()}
    del good["status"]
    file = tmp_path / "r.yaml"
    file.write_text(json.dumps(good))
    assert run("lint", "-f", str(file)) == Result(0, "", "")
    good["spec"]["replicas"] = -1
    file.write_text(json.dumps(good))
    assert run("lint", "-f", str(file)) == Result(
        1,
        "Invalid value: -1: must be greater than or equal to 0\n",
        "Error: spec.replicas: Invalid value: -1: must be greater than or equal to 0\n"
        f"{file}:1: Rollout web: spec.replicas\n",
    )
    del good["spec"]["replicas"]
    good["spec"]["strategy"]["canary"]["stpes"] = []
    file.write_text(json.dumps(good))
    assert 'unknown field "spec.strategy.canary.stpes" (did you mean steps?)' in run("lint", "-f", str(file)).err
    assert run("lint", "-f", str(tmp_path / "none")).err == f"Error: {tmp_path / 'none'}: No such file or directory\n"
