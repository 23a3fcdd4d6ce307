"""`serinus up`, `down`, `status` and `reset` as typed, and the leftovers of a crash and a mistake."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.instance.live import BIN, WALKTHROUGH, Instance, eventually, run
from tests.support.long import few


def processes_of(data: Path) -> list[str]:
    """Command lines of the processes that still run for this instance."""
    found: list[str] = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            directory = os.readlink(entry / "cwd")
            environment = (entry / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if command and int(entry.name) != os.getpid() and str(data) in (command + directory + environment):
            found.append(command)
    return found


def deploy(instance: Instance) -> None:
    manual = WALKTHROUGH / "manual"
    instance.shell("kubectl apply -f prod_deployment.yaml -f prod_ingress.yaml", manual)
    instance.shell("kubectl wait pods -l app=prod --for condition=Ready --timeout=60s")
    eventually(lambda: instance.ask("canary.demo") == (200, '"blue"'))


def kill(instance: Instance) -> None:
    os.kill(instance.status["pid"], signal.SIGKILL)
    eventually(lambda: not json.loads(instance.serinus("status", "-o", "json").stdout)["ready"])


def test_it_says_where_everything_is_and_down_leaves_nothing_running(instance: Instance):
    deploy(instance)
    assert Path(instance.status["kubeconfig"]).stat().st_mode & 0o777 == 0o600
    again = instance.serinus("up", "-d", check=False)
    assert again.returncode == 1
    assert str(instance.status["pid"]) in again.stderr
    assert "serinus down" in again.stderr
    assert len(processes_of(instance.data)) >= 3
    assert instance.serinus("down").stdout.startswith("Stopped.")
    eventually(lambda: not processes_of(instance.data), 2)
    assert not json.loads(instance.serinus("status", "-o", "json").stdout)["ready"]
    assert instance.serinus("status", check=False).returncode == 3


def test_what_was_there_before_down_is_there_after_the_next_up(instance: Instance):
    deploy(instance)
    instance.serinus("down")
    instance.up()
    eventually(lambda: instance.ask("canary.demo") == (200, '"blue"'))


def test_after_kill_traffic_flows_on_and_the_next_up_goes_on_with_it(instance: Instance):
    """Neither pods nor gateway depend on the process that started them."""
    deploy(instance)
    before = instance.status
    pod = instance.shell("kubectl get pods -o jsonpath='{.items[*].metadata.uid}/{.items[*].status.podIP}'")
    kill(instance)
    assert set(instance.colors("canary.demo", 20)) == {"blue"}
    instance.up()
    assert {k: instance.status[k] for k in ("api", "gateway")} == {k: before[k] for k in ("api", "gateway")}
    assert set(instance.colors("canary.demo", 20)) == {"blue"}
    assert instance.shell("kubectl get pods -o jsonpath='{.items[*].metadata.uid}/{.items[*].status.podIP}'") == pod
    instance.shell("kubectl delete -f prod_deployment.yaml --wait=true", WALKTHROUGH / "manual")
    eventually(lambda: not any("rollouts" in line or "demo.app" in line for line in processes_of(instance.data)))


@pytest.mark.long
def test_after_kill_down_stops_what_was_left(instance: Instance):
    deploy(instance)
    kill(instance)
    assert len(processes_of(instance.data)) >= 2
    said = instance.serinus("down").stdout
    assert "1 pod and the gateway" in said
    eventually(lambda: not processes_of(instance.data), 2)


@pytest.mark.long
def test_without_its_directory_it_still_stops_all_that_it_started(instance: Instance):
    deploy(instance)
    shutil.rmtree(instance.data)
    os.kill(instance.status["pid"], signal.SIGTERM)
    eventually(lambda: not processes_of(instance.data), 60)


def test_ctrl_c_stops_everything(tmp_path: Path):
    instance = Instance(tmp_path / "data")
    command = [str(BIN / "serinus"), "up", "--data", str(instance.data), *instance.ports]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = ""
        while "kubectl get nodes" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        assert "export KUBECONFIG=" in said
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    eventually(lambda: not processes_of(instance.data), 2)


@pytest.mark.long
def test_a_taken_port_is_named_and_nothing_is_left_running(tmp_path: Path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = str(other.getsockname()[1])
        for option in ("--port", "--api-port"):
            instance = Instance(tmp_path / option.strip("-"))
            arguments = {"--port": "0", "--api-port": "0"} | {option: taken}
            done = instance.serinus("up", "-d", *[text for pair in arguments.items() for text in pair], check=False)
            assert done.returncode == 1
            assert f"Port {taken} on 127.0.0.1 is taken" in done.stderr
            assert not processes_of(instance.data)


@pytest.mark.parametrize("damage", few([b"this is no database", b"\0" * 8192], [b"this is no database"]))
def test_a_damaged_database_is_named_and_left_as_it_is(tmp_path: Path, damage: bytes):
    instance = Instance(tmp_path / "data")
    instance.up()
    instance.serinus("down")
    files = sorted(instance.data.glob("objects.db*"))
    assert files
    for file in files:
        file.write_bytes(damage)
    done = instance.serinus("up", "-d", *instance.ports, check=False)
    assert done.returncode == 1, done.stdout
    assert "damaged" in done.stderr
    assert "move it away" in done.stderr
    assert files[0].read_bytes() == damage
    assert "Traceback" not in done.stderr + instance.logs()
    assert instance.serinus("reset").returncode == 0
    assert not instance.data.exists()


def test_reset_touches_nothing_that_is_not_ours(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("years of work")
    done = run([str(BIN / "serinus"), "reset", "--data", str(tmp_path), "--yes"], check=False)
    assert done.returncode == 1
    assert "not a data directory of Serinus" in done.stderr
    assert (tmp_path / "thesis.txt").exists()


@pytest.mark.long
def quick_canary(instance: Instance, manifest: Path) -> None:
    """The walkthrough's canary with pauses of 2 s, deployed from this file and answering."""
    automatic = WALKTHROUGH / "automatic"
    text = (automatic / "canary-rollout.yaml").read_text()
    text = text.replace("pause: {}", "pause: {duration: 2s}").replace("duration: 30s", "duration: 2s")
    manifest.write_text(text.replace("      steps:", "      scaleDownDelaySeconds: 2\n      steps:"))
    instance.shell(f"kubectl apply -f {manifest} -f canary-demo-service.yaml -f canary-demo-ingress.yaml", automatic)
    eventually(lambda: instance.get("rollout", "canary-demo").get("status", {}).get("phase") == "Healthy")
    eventually(lambda: instance.ask("canary.auto") == (200, '"blue"'))


def test_a_canary_finishes_though_up_is_killed_ten_times(instance: Instance, tmp_path: Path):
    """The plan depends only on existing objects, so it does not matter when the planner dies."""
    manifest, shell = tmp_path / "canary-rollout.yaml", instance.shell
    quick_canary(instance, manifest)
    manifest.write_text(manifest.read_text().replace(":blue", ":green"))
    shell(f"kubectl apply -f {manifest}")
    colors: list[str] = []
    for kills in range(10):
        # A different moment each time: right after the start, in the middle of a step, near its end.
        end = time.monotonic() + 0.15 * kills
        while time.monotonic() < end:
            colors += instance.colors("canary.auto", 1)
        kill(instance)
        colors += instance.colors("canary.auto", 5)
        instance.up()
    eventually(lambda: instance.get("rollout", "canary-demo")["status"]["phase"] == "Healthy", 120)
    assert "green" in colors
    # After ten breaks in a row the gateway's watch rests for up to a minute; meanwhile it keeps all routes.
    eventually(lambda: set(instance.colors("canary.auto", 20)) == {"green"}, 90)
    sets = json.loads(shell("kubectl get rs -o json"))["items"]
    assert len(sets) == 2
    eventually(lambda: len(shell("kubectl get pods -o name").splitlines()) == 1, 90)


def test_once_it_is_healthy_every_answer_is_that_of_the_new_version(instance: Instance, tmp_path: Path):
    manifest = tmp_path / "canary-rollout.yaml"
    quick_canary(instance, manifest)
    for old, new in (("blue", "green"), ("green", "blue")):
        manifest.write_text(manifest.read_text().replace(f":{old}", f":{new}"))
        instance.shell(f"kubectl apply -f {manifest}")
        instance.shell("kubectl argo rollouts status canary-demo")
        assert set(instance.colors("canary.auto", 100)) == {new}
    assert instance.ask("canary.auto", "/api/http/services")[0] == 404, "Traefik's API needs its token"


@pytest.mark.long
def test_kubectl_without_a_kubeconfig_says_where_the_api_is(instance: Instance, tmp_path: Path):
    """kubectl then connects to http://localhost:8080, which is the gateway's default port."""
    environment = {k: v for k, v in os.environ.items() if k != "KUBECONFIG"} | {"HOME": str(tmp_path)}
    gateway = instance.status["gateway"].replace("127.0.0.1", "localhost")
    manifest = tmp_path / "web.yaml"
    manifest.write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: web}}")

    def said(*words: str) -> str:
        done = run([str(BIN / words[0]), "-s", gateway, *words[1:]], check=False, env=environment)
        assert done.returncode != 0
        return done.stdout + done.stderr

    where = f"not its API server: export KUBECONFIG={instance.status['kubeconfig']}"
    eventually(lambda: where in said("kubectl", "get", "pods"))  # Traefik reads its routes a moment after it answers
    for words in (
        ["kubectl", "get", "rollouts"],
        ["kubectl", "create", "namespace", "x"],
        ["kubectl", "apply", "-f", str(manifest)],
    ):
        assert where in (printed := said(*words)), printed
        assert "memcache.go" not in printed
    assert where in said("kubectl-argo-rollouts", "list", "rollouts")
    assert instance.ask("localhost", "/api", {"User-Agent": "curl/8"})[0] == 404


OWN = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "nginx:1.27", ports: [{containerPort: 8080}]}]}
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: app}
spec:
  replicas: 1
  selector: {matchLabels: {app: app}}
  strategy: {canary: {}}
  template:
    metadata: {labels: {app: app}}
    spec: {containers: [{name: app, image: "ghcr.io/acme/app:1"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: box}
spec:
  restartPolicy: Never
  containers: [{name: box, image: "busybox:1.36", command: [sh, -c, "echo here"]}]
"""


@pytest.mark.long
def test_own_images_run_once_the_lines_in_the_pods_events_are_typed_or_with_an_image_map(
    instance: Instance, tmp_path: Path
):
    """README, "With your own manifests"."""
    (tmp_path / "rollout.yaml").write_text(OWN)
    shell = instance.shell
    shell("kubectl apply -f rollout.yaml", tmp_path)
    told = eventually(
        lambda: [
            line
            for line in shell("kubectl describe $(kubectl get pod -l app=web -o name)").split("`")
            if "images.yaml" in line
        ]
    )
    for line in told[:2]:
        shell(line, tmp_path)
    shell("kubectl wait pod -l app=web --for=condition=Ready --timeout=60s")
    shell("kubectl wait pod/box --for=jsonpath='{.status.phase}'=Succeeded --timeout=60s")
    assert "This one runs the container's own command" in shell("kubectl describe pod box")
    instance.serinus("down")
    file = tmp_path / "map.yaml"
    file.write_text('- {image: "ghcr.io/acme/app", command: [sh, -c, "pwd; exec sleep 1000"], workingDir: .}')
    instance.serinus("up", "-d", *instance.ports, "--image-map", str(file))
    eventually(lambda: instance.get("rollout", "app").get("status", {}).get("phase") == "Healthy")
    assert shell("kubectl logs -l app=app").splitlines() == [str(tmp_path)]
