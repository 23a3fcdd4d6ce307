"""The dashboard for a team on a real API server: two users with different rights, each seeing and doing what is his."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from serinus.install.dashboard import NAME, RULES
from serinus.local.apiserver.certs import write_kubeconfig
from tests.support.cluster.cluster import BIN, HOME, Cluster, answer
from tests.support.cluster.cluster_instance import ClusterInstance
from tests.support.cluster.control_plane import free_port
from tests.support.cluster.rights import given, refused
from tests.support.instance.live import eventually

Json = dict[str, Any]
ACCOUNT = f"system:serviceaccount:{HOME}:{NAME}"
SECRET = "the-secret-of-the-proxy-and-the-dashboard"
ROLLOUT = """
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "argoproj/rollouts-demo:blue"}]}
  strategy: {canary: {steps: [{setWeight: 50}, {pause: {}}]}}
"""


@dataclass
class Running:
    """`shop` and `pay`: namespaces with a Rollout `web` in a pause. ana may edit the first, ben may view the second."""

    cluster: Cluster
    there: ClusterInstance
    port: int
    shop: str
    pay: str

    def ask(
        self, user: str, method: str, path: str, body: Json | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """As this user, by his token, or by the headers of a proxy."""
        url = f"http://127.0.0.1:{self.port}/rollouts{path}"
        named = headers or {"Authorization": f"Bearer {self.cluster.plane.tokens[user]}"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, named, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def seen(self, user: str, headers: dict[str, str] | None = None) -> set[str]:
        status, found = self.ask(user, "GET", "/api/ui/v1/rollouts", headers=headers)
        assert status == 200, found
        return {row["ns"] for row in found["rows"]}

    def status(self, namespace: str) -> Json:
        found = json.loads(self.there.shell(f"kubectl get rollout web -n {namespace} -o json"))
        return found.get("status") or {}

    def paused(self, namespace: str) -> bool:
        return bool(self.status(namespace).get("pauseConditions"))


@pytest.fixture
def running(cluster: Cluster, there: ClusterInstance, tmp_path: Path) -> Iterator[Running]:
    shop, pay, port = there.namespace, f"{there.namespace}-pay", free_port()
    found = Running(cluster, there, port, shop, pay)
    proxy = ("--dashboard-flag=--proxy-address=127.0.0.1/32", "--dashboard-flag=--proxy-secret-file=/unused")
    cluster.apply_installation("--dashboard", *proxy, "--dashboard-group", "carriers")
    there.shell(f"kubectl create namespace {pay}")
    (tmp_path / "rollout.yaml").write_text(ROLLOUT)
    (tmp_path / "secret").write_text(SECRET)
    for namespace in (shop, pay):
        there.shell(f"kubectl apply -n {namespace} -f rollout.yaml", tmp_path)
        eventually(lambda ns=namespace: found.status(ns).get("phase") == "Healthy", 90)
        there.shell(f"kubectl argo rollouts set image web web=argoproj/rollouts-demo:green -n {namespace}")
    # No controller aggregates them to the roles `view` and `edit` here.
    for subject, role, namespace in (
        ("user=ana", "edit", shop),
        ("user=ben", "view", pay),
        ("group=carriers", "edit", pay),
    ):
        for name in (f"argo-rollouts-aggregate-to-{role}", "system:aggregate-to-view"):
            bind = f"kubectl create rolebinding {name.replace(':', '-')}-{subject.partition('=')[2]}"
            there.shell(f"{bind} --clusterrole={name} --{subject} -n {namespace}")
    token = cluster.kubectl("create", "token", NAME, "-n", HOME, "--duration", "1h").strip()
    config = tmp_path / "dashboard.kubeconfig"
    write_kubeconfig(config, cluster.plane.url, cluster.plane.identity.ca_pem, token)
    ways = ["--proxy-address", "127.0.0.1/32", "--proxy-secret-file", str(tmp_path / "secret")]
    command = [str(BIN / "serinus"), "dashboard-server", "--kubeconfig", str(config), *ways]
    command += ["--url", f"http://127.0.0.1:{port}/rollouts", "--address", "127.0.0.1", "--port", str(port)]
    with (tmp_path / "audit.jsonl").open("wb") as audit, (tmp_path / "dashboard.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=audit, stderr=log)
        try:
            eventually(lambda: answer(port, "/readyz") == "ok", 60)
            eventually(lambda: found.paused(shop) and found.paused(pay), 90)
            yield found
        finally:
            process.terminate()
            process.wait(30)
            print((tmp_path / "dashboard.log").read_text())


def own_requests(audit: Path) -> set[tuple[str, str, str]]:
    """The rights that the dashboard used for itself, by the API server's audit log."""
    found: set[tuple[str, str, str]] = set()
    for line in audit.read_text().splitlines():
        entry = json.loads(line)
        if entry["user"]["username"] == ACCOUNT and "impersonatedUser" not in entry and "objectRef" in entry:
            about = entry["objectRef"]
            found.add((about.get("apiGroup", ""), about["resource"], entry["verb"]))
    return found


def test_each_user_sees_and_does_what_is_his(running: Running, tmp_path: Path) -> None:
    shop, pay, audit = running.shop, running.pay, running.cluster.plane.audit_file
    change = "/api/ui/v1/rollouts/{}/web/promote"
    eventually(lambda: running.seen("ana") == {shop}, 30)
    eventually(lambda: running.seen("ben") == {pay}, 30)
    assert running.ask("ana", "GET", f"/api/ui/v1/rollouts/{pay}/web")[0] == 404
    assert running.ask("ben", "GET", f"/api/ui/v1/rollouts/{shop}/web")[0] == 404
    _, page = running.ask("ben", "GET", f"/api/ui/v1/rollouts/{pay}/web")
    (promote,) = [offer for offer in page["offers"] if offer["id"] == "promote"]
    assert promote["hidden"]
    assert "you may not patch rollouts.argoproj.io/status" in promote["blocked"]
    for user, namespace in (("ben", pay), ("ben", shop), ("ana", pay)):
        status, body = running.ask(user, "POST", change.format(namespace), {})
        assert status == 403
        assert f'User "{user}" cannot' in body["error"]
    assert running.paused(shop)
    assert running.paused(pay)
    assert running.ask("ana", "POST", change.format(shop), {})[0] == 200
    eventually(lambda: not running.paused(shop), 30)
    named = {"X-Forwarded-User": "carl", "X-Forwarded-Groups": "carriers", "X-Serinus-Proxy-Secret": SECRET}
    assert running.seen("carl", named) == {pay}
    named |= {"Origin": f"http://127.0.0.1:{running.port}"}
    assert running.ask("carl", "POST", change.format(pay), {}, named)[0] == 200
    eventually(lambda: not running.paused(pay), 30)
    for namespace, user in ((shop, "ana"), (pay, "carl")):
        events = running.there.shell(f"kubectl get events -n {namespace} -o jsonpath='{{.items[*].message}}'")
        assert f"by {user}" in events
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    done = {(line["user"], line["namespace"], line["status"]) for line in lines if line["audit"] == "change"}
    assert done == {("ben", pay, 403), ("ben", shop, 403), ("ana", pay, 403), ("ana", shop, 200), ("carl", pay, 200)}
    eventually(lambda: ("", "events", "create") in own_requests(audit), 30)
    assert own_requests(audit) <= given(RULES)
    assert refused(audit, ACCOUNT) == []
