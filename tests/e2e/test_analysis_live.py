"""Versions judged while they serve: the demo with and without a real Prometheus, a Job as a metric, the example as typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.instance.engines import ENGINES, UP
from tests.support.instance.live import BIN, Instance, eventually, run
from tests.support.instance.prometheus_binary import prometheus
from tests.support.instance.readme import GATEWAY, Readme

needs_up = pytest.mark.skipif(UP not in ENGINES, reason="the demo starts a `serinus up` of its own")


def demo(monitor: str, *, check: bool = True) -> tuple[str, dict[str, Any]]:
    """(its output, its summary)."""
    done = run(
        [str(BIN / "serinus"), "demo", "--analysis", "--once", "--port", "0", "--prometheus", monitor], check=check
    )
    assert done.stderr == "", "it ends in order, and removes its files"
    return done.stdout, json.loads(done.stdout.splitlines()[-1])


def was_taken_back(found: dict[str, Any]) -> bool:
    """By the threshold in the first act, and by the sequential verdict in the second, where the same threshold is a dry run."""
    second = found["second_act"]
    looks = second["thresholds"]["95-percent-of-new"][1]
    assert (second["verdict"], looks > 0) == ("harm", True)
    return found["value"] < found["threshold"] == 0.95 and found["failed_meanwhile"] > 0 and found["failed_after"] == 0


@pytest.mark.long
@needs_up
def test_without_a_prometheus_the_demo_asks_the_application_and_says_how_to_get_one():
    said, found = demo("none")
    assert (found["provider"], was_taken_back(found)) == ("web", True), said
    assert "apt-get download prometheus" in said


@pytest.mark.long
@needs_up
def test_a_real_prometheus_finds_the_bad_version_out(tmp_path: Path):
    said, found = demo(str(prometheus(tmp_path)))
    assert (found["provider"], was_taken_back(found)) == ("prometheus", True), said


@pytest.mark.long
def test_the_example_is_what_its_readme_says(instance: Instance, tmp_path: Path):
    with Readme("examples/analysis", instance, tmp_path) as readme:
        templates = readme.folder / "templates.yaml"
        templates.write_text(templates.read_text().replace(GATEWAY, instance.status["gateway"]))
        readme.type("kubectl apply")
        readme.type("sleep 2\ncurl")
        readme.type("kubectl argo rollouts set image score score=argoproj/rollouts-demo:green")
        readme.type("sleep 2\ncurl")
        readme.type("kubectl argo rollouts set image score score=argoproj/rollouts-demo:bad-red")
        readme.type("kubectl get analysisruns")
        readme.type("sleep 2\ncurl")
        readme.type("kubectl delete")
        eventually(lambda: not instance.shell("kubectl get analysisruns,jobs -o name"), 60)


JUDGED_BY_A_JOB = """
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: verdict}
spec:
  args: [{name: code}]
  metrics:
  - name: job
    provider:
      job:
        spec:
          backoffLimit: 0
          template:
            spec:
              restartPolicy: Never
              containers: [{name: test, image: busybox, command: [sh, -c, "exit {{args.code}}"]}]
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: judged}
spec:
  replicas: 1
  selector: {matchLabels: {app: judged}}
  template:
    metadata: {labels: {app: judged}}
    spec:
      containers: [{name: web, image: "argoproj/rollouts-demo:COLOR"}]
  strategy:
    canary:
      steps:
      - setWeight: 50
      - analysis: {templates: [{templateName: verdict}], args: [{name: code, value: "CODE"}]}
"""


def release(instance: Instance, folder: Path, color: str, code: int) -> None:
    (folder / "judged.yaml").write_text(JUDGED_BY_A_JOB.replace("COLOR", color).replace("CODE", str(code)))
    instance.shell("kubectl apply -f judged.yaml", folder)


def test_the_end_of_a_job_is_the_verdict(instance: Instance, tmp_path: Path):
    release(instance, tmp_path, "blue", 0)
    eventually(lambda: instance.get("rollout", "judged").get("status", {}).get("phase") == "Healthy")
    release(instance, tmp_path, "green", 0)
    eventually(lambda: newest(instance) == {"phase": "Successful", "metric": "Successful"})
    eventually(lambda: instance.get("rollout", "judged")["status"]["phase"] == "Healthy")
    release(instance, tmp_path, "red", 3)
    eventually(lambda: instance.get("rollout", "judged")["status"]["phase"] == "Degraded")
    assert newest(instance) == {"phase": "Failed", "metric": "Failed"}
    assert "job" in instance.get("rollout", "judged")["status"]["message"]
    # Without a router the pods are the weight: the red one is removed.
    red = (
        "kubectl get rs -o jsonpath='{range .items[*]}{.spec.template.spec.containers[0].image} {.spec.replicas};{end}'"
    )
    eventually(lambda: "rollouts-demo:red 0;" in instance.shell(red))


def newest(instance: Instance) -> dict[str, str]:
    """Phase of the newest revision's run and of its metric: two may be of the same second."""
    runs = json.loads(instance.shell("kubectl get analysisruns -o json"))["items"]
    runs.sort(key=lambda run: int(run["metadata"]["annotations"]["rollout.argoproj.io/revision"]))
    status = runs[-1].get("status", {}) if runs else {}
    results = status.get("metricResults") or []
    return {"phase": status["phase"], "metric": results[0]["phase"]} if results else {}
