"""Runs and updates continue under Serinus when it replaces Argo Rollouts: no pod is restarted, no run or experiment begins again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from tests.support.cluster.cluster import HOME, Cluster
from tests.support.cluster.cluster_instance import ClusterInstance
from tests.support.cluster.creations import made_by_controller
from tests.support.cluster.takeover_scene import checked, full, put_all, retold
from tests.support.instance.live import eventually
from tests.support.plays.left_running import left_when

Json = dict[str, Any]
UIDS = "kubectl get pods -l app=web -o jsonpath='{.items[*].metadata.uid}'"
RESTARTS = "kubectl get pods -o jsonpath='{.items[*].status.containerStatuses[*].restartCount}'"


class Metrics:
    """The monitoring system that the analyses query."""

    def __init__(self) -> None:
        self.asked = 0
        outer = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked += 1
                body = b'{"value": 0.99}'
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """The output is not read."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def metrics(cluster: Cluster) -> Iterator[Metrics]:
    made = Metrics()
    yield made
    made.server.shutdown()
    made.server.server_close()


class Taken:
    """A moment of a play, put on the cluster, checked to be safe, and then managed by Serinus."""

    def __init__(self, cluster: Cluster, there: ClusterInstance, metrics: Metrics) -> None:
        self.cluster, self.there, self.metrics = cluster, there, metrics
        self.before: set[str] = set()

    def over(self, play: str, key: str, field: str, holds: Callable[[Any], bool], *, moves: bool = False) -> None:
        """`moves`: whether its next step is due, so that a new controller continues at once; the check reports that too."""
        left = retold(left_when(play, key, field, holds), "$METRICS", self.metrics.address)
        self.cluster.kill("controller")
        try:
            put_all(self.there, left)
            eventually(lambda: full(self.there, left), 90)
            code, found = checked(self.cluster, "-n", HOME)
            (told,) = [one for one in found["rollouts"] if one["namespace"] == self.there.namespace]
            assert (found["lacking"], told.get("refused", "")) == ({}, "")
            assert (code, bool({"pods", "traffic"} & set(told["changes"]))) == (int(moves), moves)
            assert "analyses" not in told["changes"], told
            self.before = set(self.there.shell(UIDS).split())
        finally:
            self.cluster.start_controller()

    def phase(self, wanted: str) -> None:
        eventually(lambda: self.there.get("rollout", "web")["status"]["phase"] == wanted, 90)

    def all(self, kind: str) -> list[Json]:
        return json.loads(self.there.shell(f"kubectl get {kind} -o json"))["items"]

    def kept(self) -> set[str]:
        """Of the pods that were there, those that are."""
        assert set(self.there.shell(RESTARTS).split()) <= {"0"}, "no container was restarted"
        return self.before & set(self.there.shell(UIDS).split())


@pytest.fixture
def taken(cluster: Cluster, there: ClusterInstance, metrics: Metrics) -> Taken:
    return Taken(cluster, there, metrics)


def made(taken: Taken) -> dict[str, int]:
    return dict(made_by_controller(taken.cluster, taken.there))


def is_running(value: Any) -> bool:
    return value == "Running"


def test_a_step_s_analysis_goes_on_where_it_was(taken: Taken) -> None:
    """It has one measurement of three: two more follow."""
    taken.over("analysis-step", "Rollout/web", "status.canary.currentStepAnalysisRunStatus.status", is_running)
    eventually(lambda: taken.all("analysisruns")[0]["status"]["phase"] == "Successful", 60)
    assert len(taken.kept()) == 3, "a step with a larger weight adds pods, and takes none"
    taken.phase("Healthy")
    (run,) = taken.all("analysisruns")
    (result,) = run["status"]["metricResults"]
    assert (result["count"], result["successful"], taken.metrics.asked) == (3, 3, 2)
    assert made(taken) == {}


def test_a_background_analysis_goes_on_until_the_update_has_ended(taken: Taken) -> None:
    """Its pause of three seconds is long over."""
    field = "status.canary.currentBackgroundAnalysisRunStatus.status"
    taken.over("analysis-background", "Rollout/web", field, is_running, moves=True)
    taken.phase("Healthy")
    eventually(lambda: taken.all("analysisruns")[0]["status"]["phase"] == "Successful", 60)
    (run,) = taken.all("analysisruns")
    (result,) = run["status"]["metricResults"]
    assert result["count"] == 1 + taken.metrics.asked > 1
    assert run["status"]["message"] == "Run Terminated"
    assert made(taken) == {}
    new = "kubectl get pods -l rollouts-pod-template-hash=77f97bbcbf -o jsonpath='{.items[*].metadata.uid}'"
    assert taken.kept() & set(taken.there.shell(new).split()), "the new version's pod stayed"


def test_an_experiment_goes_on_with_its_pods_and_its_analysis(taken: Taken) -> None:
    name = "web-77f97bbcbf-2-0"
    field = "status.analysisRuns"
    taken.over(
        "experiment-step", f"Experiment/{name}", field, lambda runs: bool(runs) and runs[0]["phase"] == "Running"
    )
    eventually(lambda: taken.all("experiments")[0]["status"]["phase"] == "Successful", 60)
    assert len(taken.kept()) == 4, "baseline and candidate stay for their delay"
    assert taken.metrics.asked == 2
    taken.phase("Paused")
    weights = taken.there.get("rollout", "web")["status"]["canary"]["weights"]
    assert weights["canary"]["weight"] == 50
    taken.there.shell("kubectl argo rollouts promote web")
    taken.phase("Healthy")
    assert [e["metadata"]["name"] for e in taken.all("experiments")] == [name]
    assert [r["metadata"]["name"] for r in taken.all("analysisruns")] == [f"{name}-compare"]
    assert made(taken) == {}


@pytest.mark.parametrize("mode", ["onsuccess", "progressively"])
def test_an_update_of_a_workload_goes_on(taken: Taken, mode: str) -> None:
    """The Deployment stays empty, and its observed changes are not followed again."""
    taken.over(f"workload-{mode}", "Rollout/web", "status.phase", lambda phase: phase == "Paused")
    eventually(lambda: taken.cluster.metrics_port, 5)
    taken.there.shell("kubectl argo rollouts promote web")
    taken.phase("Healthy")
    new = "kubectl get pods -l rollouts-pod-template-hash=64fb5684dc -o jsonpath='{.items[*].metadata.uid}'"
    assert taken.kept() & set(taken.there.shell(new).split()), "the new version's pod stayed"
    assert taken.there.get("deployment", "web")["spec"]["replicas"] == 0
    assert made(taken) == {}
