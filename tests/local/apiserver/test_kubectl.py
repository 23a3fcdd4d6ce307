"""The real kubectl against the server on a socket, with a store in a file: users' commands and their output."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from serinus.kube.clock import SystemClock
from serinus.local.apiserver.certs import identity, write_kubeconfig
from serinus.local.apiserver.http import HttpsServer
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.storage.sqlite import open_store
from serinus.local.schema.kinds import Schemas

KUBECTL = shutil.which("kubectl", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
pytestmark = pytest.mark.skipif(KUBECTL is None, reason="needs kubectl (make setup installs it)")
Kubectl = Callable[..., str]
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "web:1", ports: [{containerPort: 80}]}
"""


class Lines:
    async def read(self, namespace: str, pod: str, container: str, **options: object) -> AsyncIterator[bytes]:
        async def lines() -> AsyncIterator[bytes]:
            yield f"hello from {pod}\n".encode()

        return lines()


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A server in a thread of its own, so that kubectl can be waited for."""
    home = tmp_path_factory.mktemp("server")
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        store = open_store(home / "objects.db")
        api = ApiServer(store, Schemas(), SystemClock(), rng=random.Random(1), logs=Lines())
        await api.start()
        who = identity(home / "pki", time.time())
        server = HttpsServer(api.handle, who.token, who.ssl_context())
        await server.start()
        write_kubeconfig(home / "kubeconfig", f"https://127.0.0.1:{server.port}", who.ca_pem, who.token)
        ready.set()
        await stop.wait()
        api.close()
        await server.close()
        store.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(20)
    yield home / "kubeconfig"
    loop.call_soon_threadsafe(stop.set)
    thread.join()


@pytest.fixture
def kubectl(kubeconfig: Path, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kubectl]:
    """kubectl in a namespace of the test's own; returns its output (with `fails`, its error)."""
    assert KUBECTL is not None
    environment = {"KUBECONFIG": str(kubeconfig), "HOME": str(kubeconfig.parent), "PATH": os.environ["PATH"]}
    namespace = f"t{abs(hash(request.node.name)) % 10**8}"

    def run(*args: str, stdin: str = "", fails: bool = False) -> str:
        command = [str(KUBECTL), "-n", namespace, *args]
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, env=environment, timeout=30, check=False
        )
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return (done.stderr if fails else done.stdout).strip()

    run("create", "namespace", namespace)
    yield run
    run("delete", "namespace", namespace, "--wait=false")


def test_apply_says_created_unchanged_configured(kubectl: Kubectl) -> None:
    assert kubectl("apply", "-f", "-", stdin=DEPLOYMENT) == "deployment.apps/web created"
    assert kubectl("apply", "-f", "-", stdin=DEPLOYMENT) == "deployment.apps/web unchanged"
    changed = DEPLOYMENT.replace("web:1", "web:2")
    assert kubectl("diff", "-f", "-", stdin=DEPLOYMENT) == ""
    assert (
        kubectl("apply", "--dry-run=server", "-f", "-", stdin=changed)
        == "deployment.apps/web configured (server dry run)"
    )
    assert kubectl("apply", "-f", "-", stdin=changed) == "deployment.apps/web configured"
    assert kubectl("get", "deploy", "web", "-o", "jsonpath={.spec.template.spec.containers[*].image}") == "web:2"


def test_server_side_apply_names_who_owns_a_field(kubectl: Kubectl) -> None:
    kubectl("apply", "--server-side", "--field-manager=one", "-f", "-", stdin=DEPLOYMENT)
    other = DEPLOYMENT.replace("replicas: 2", "replicas: 3")
    error = kubectl("apply", "--server-side", "--field-manager=two", "-f", "-", stdin=other, fails=True)
    assert 'Apply failed with 1 conflict: conflict with "one": .spec.replicas' in error
    kubectl("apply", "--server-side", "--field-manager=two", "--force-conflicts", "-f", "-", stdin=other)
    assert kubectl("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}") == "3"


@pytest.mark.long
@pytest.mark.parametrize(
    "command",
    [
        "role one --verb=get --resource=pods",
        "rolebinding one --role=one --serviceaccount=a:b",
        "clusterrole kubectl-one --verb=get --non-resource-url=/metrics",
        "clusterrolebinding kubectl-one --clusterrole=one --user=jane",
        "cronjob one --image=a:1 --schedule=@hourly",
        "quota one --hard=pods=1",
        "priorityclass kubectl-one --value=5",
        "poddisruptionbudget one --selector=a=b --min-available=1",
    ],
)
def test_typed_commands_create_kinds_that_are_only_stored(kubectl: Kubectl, command: str) -> None:
    """kubectl sends these objects as protobuf."""
    kind, name, *flags = command.split()
    assert kubectl("create", kind, name, *flags).endswith(f"/{name} created")
    assert f"/{name}" in kubectl("get", kind, name, "-o", "name")


CHART = """
# Source: chart/templates/empty.yaml
---
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ServiceAccount, metadata: {name: app, creationTimestamp: null}}
- apiVersion: rbac.authorization.k8s.io/v1
  kind: Role
  metadata: {name: "app:reader"}
  rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, generateName: web-, creationTimestamp: null}
spec:
  selector: {matchLabels: {app: web}}
  strategy: {}
  template:
    metadata: {labels: {app: web}, creationTimestamp: null}
    spec: {containers: [{name: web, image: "web:1", resources: {}, env: null}]}
status: {}
---
apiVersion: policy/v1beta1
kind: PodSecurityPolicy
metadata: {name: gone}
---
apiVersion: autoscaling/v1
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, maxReplicas: 5}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: last}
data: {}
"""


@pytest.mark.parametrize("how", ["", "--server-side"])
def test_a_typical_chart_is_applied_but_for_kinds_that_no_cluster_has(kubectl: Kubectl, how: str) -> None:
    """Lists, empty documents, nulls, a status, old versions: all is applied, and the error names the missing kind."""
    error = kubectl("apply", *([how] if how else []), "-f", "-", stdin=CHART, fails=True)
    assert 'no matches for kind "PodSecurityPolicy" in version "policy/v1beta1"' in error
    names = kubectl(
        "get", "serviceaccount/app", "role/app:reader", "deploy/web", "hpa/web", "configmap/last", "-o", "name"
    )
    assert len(names.splitlines()) == 5


def test_a_typing_error_in_a_field_is_found(kubectl: Kubectl) -> None:
    error = kubectl("apply", "-f", "-", stdin=DEPLOYMENT.replace("replicas:", "replcias:"), fails=True)
    assert 'strict decoding error: unknown field "spec.replcias"' in error


def test_labels_annotations_images_and_sizes_are_changed_by_command(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    assert kubectl("label", "deploy", "web", "tier=front") == "deployment.apps/web labeled"
    assert kubectl("annotate", "deploy", "web", "note=x") == "deployment.apps/web annotated"
    assert kubectl("scale", "deploy", "web", "--replicas=5") == "deployment.apps/web scaled"
    assert kubectl("set", "image", "deploy/web", "web=web:9") == "deployment.apps/web image updated"
    assert kubectl(
        "patch", "deploy", "web", "--type=json", "-p", '[{"op":"remove","path":"/metadata/annotations/note"}]'
    ).endswith("patched")
    value = json.loads(kubectl("get", "deploy", "web", "-o", "json"))
    assert (value["spec"]["replicas"], value["metadata"]["labels"]["tier"]) == (5, "front")
    assert "note" not in value["metadata"]["annotations"]
    assert kubectl("get", "deploy", "-l", "tier in (front)", "-o", "name") == "deployment.apps/web"


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("create configmap c --from-literal a=b", "configmap/c created"),
        ("create secret generic s --from-literal a=b", "secret/s created"),
        ("create deployment d --image i --replicas 2", "deployment.apps/d created"),
        ("create job j --image i", "job.batch/j created"),
        ("create ingress i --rule h.x/=s:80", "ingress.networking.k8s.io/i created"),
        ("create service clusterip s --tcp 80:8080", "service/s created"),
        ("create poddisruptionbudget p --selector a=b --min-available 1", "poddisruptionbudget.policy/p created"),
        ("create serviceaccount sa", "serviceaccount/sa created"),
        ("run p --image i", "pod/p created"),
    ],
)
def test_objects_are_made_by_command(kubectl: Kubectl, command: str, says: str) -> None:
    """Most of these commands send protobuf, and nothing else."""
    assert kubectl(*command.split()) == says
    kind, name = says.removesuffix(" created").split("/")
    assert kubectl("get", kind, name, "-o", "jsonpath={.metadata.name}") == name
    assert name in kubectl("describe", kind, name)


@pytest.mark.long
def test_pods_are_shown_awaited_read_and_deleted(kubectl: Kubectl) -> None:
    kubectl("run", "p", "--image=i", "--labels=a=b")
    assert kubectl("get", "pods", "--no-headers").split()[:4] == ["p", "0/1", "Pending", "0"]
    kubectl("wait", "pod/p", "--for=jsonpath={.status.phase}=Pending", "--timeout=10s")
    assert kubectl("logs", "p") == "hello from p"
    assert "exec is not offered" in kubectl("exec", "p", "--", "ls", fails=True)
    assert kubectl("get", "pods", "--field-selector", "status.phase!=Running", "-o", "name") == "pod/p"
    assert kubectl("delete", "pods", "-l", "a=b").startswith('pod "p" deleted')
    assert kubectl("get", "pod", "p", "--ignore-not-found") == ""
    assert kubectl("get", "pod", "p", fails=True) == 'Error from server (NotFound): pods "p" not found'


def test_a_deletion_is_awaited(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "c")
    assert kubectl("delete", "configmap", "c").startswith('configmap "c" deleted')
    kubectl("create", "configmap", "c")
    kubectl("delete", "configmap", "--all")
    assert kubectl("get", "configmaps", "-o", "name") == ""


@pytest.mark.long
def test_what_there_is_and_what_it_means_can_be_asked(kubectl: Kubectl) -> None:
    names = kubectl("api-resources", "-o", "name").split()
    assert {
        "pods",
        "deployments.apps",
        "rollouts.argoproj.io",
        "customresourcedefinitions.apiextensions.k8s.io",
    } <= set(names)
    assert "strategy" in kubectl("explain", "deployment.spec")
    assert "stableService" in kubectl("explain", "rollout.spec.strategy.canary")
    assert kubectl("auth", "can-i", "delete", "pods") == "yes"
    assert "serinus:admin" in kubectl("auth", "whoami")
    assert "Server Version: v1.37" in kubectl("version")


@pytest.mark.long
def test_wide_and_all(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    header, row = kubectl("get", "deploy", "-o", "wide").splitlines()
    assert header.split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE", "CONTAINERS", "IMAGES", "SELECTOR"]
    assert row.split()[0:4] == ["web", "0/2", "0", "0"]
    assert "deployment.apps/web" in kubectl("get", "all")


def test_a_watch_prints_what_changes(kubectl: Kubectl, kubeconfig: Path) -> None:
    kubectl("run", "p", "--image=i")
    namespace = kubectl("get", "pod", "p", "-o", "jsonpath={.metadata.namespace}")
    command = [
        str(KUBECTL),
        "--kubeconfig",
        str(kubeconfig),
        "-n",
        namespace,
        "get",
        "pods",
        "-w",
        "--no-headers",
        "-o",
        "name",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        assert watch.stdout.readline() == "pod/p\n"
        kubectl("run", "q", "--image=i")
        assert watch.stdout.readline() == "pod/q\n"
        watch.kill()


def test_an_edit_of_an_old_version_is_refused(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "c", "--from-literal=a=b")
    old = kubectl("get", "configmap", "c", "-o", "yaml")
    kubectl("label", "configmap", "c", "x=y")
    error = kubectl("replace", "-f", "-", stdin=old, fails=True)
    assert "Error from server (Conflict)" in error
    assert "the object has been modified" in error
