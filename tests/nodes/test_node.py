"""The node itself: containers run on it as on any other, and nothing of it stays."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.instance.live import eventually
from tests.support.nodes.images import NOBODY, demo
from tests.support.nodes.machine import KERNEL, SETTINGS, Machine, processes
from tests.support.nodes.node import Node
from tests.support.nodes.python_files import interpreter

WEB = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "spec": {
        "containers": [
            {
                "name": "web",
                "image": demo("blue"),
                "imagePullPolicy": "Always",
                "ports": [{"containerPort": 8080}],
                "readinessProbe": {"httpGet": {"path": "/color", "port": 8080}, "periodSeconds": 1},
            }
        ]
    },
}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
}
OWNER = """
import subprocess, sys
from pathlib import Path
from tests.support.nodes.machine import Machine

machine = Machine(Path(sys.argv[1]), sys.argv[2])
machine.start()
machine.run(["sleep", "1000"], sys.stderr.buffer, {"PATH": "/usr/bin:/bin"})
machine.ask("sh", "-c", "until grep -q sleep /proc/[0-9]*/comm; do :; done", environment={"PATH": "/usr/bin:/bin"})
print(machine.namespace, flush=True)
sys.stdin.read()
"""


def test_a_pod_becomes_ready_behind_its_service_with_logs_and_exec(node: Node) -> None:
    node.apply(WEB, SERVICE)
    node.kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=60s")
    address = node.kubectl("get", "service", "web", "-o", "jsonpath={.spec.clusterIP}")

    def color() -> str:
        connection = http.client.HTTPConnection(address, timeout=2)
        try:
            connection.request("GET", "/color")
            return connection.getresponse().read().decode()
        except OSError as error:
            return str(error)
        finally:
            connection.close()

    assert eventually(lambda: (said := color()) == '"blue"' and said)
    assert "blue" in node.kubectl("logs", "web")
    script = "import os; print(os.getuid(), os.environ['COLOR'], os.path.exists('/root/.cache'))"
    assert node.kubectl("exec", "web", "--", str(interpreter()), "-c", script).split() == [NOBODY, "blue", "False"]
    node.kubectl("delete", "pod/web", "service/web")


def test_a_machine_keeps_its_settings_of_the_kernel_to_itself(init: Path) -> None:
    """Kubelet writes some for the whole machine, which run other programs than the tests' own."""
    machine = Machine(init, f"serinus-settings-{os.getpid()}")
    before = {setting: (KERNEL / setting).read_text() for setting in SETTINGS}
    machine.start()
    try:
        for setting, value in before.items():
            there = str(KERNEL / setting)
            assert machine.ask("cat", there) == value
            machine.ask("sh", "-c", f"echo {1 - bool(int(value))} > {there}")
            assert machine.ask("cat", there) != value
        assert {setting: (KERNEL / setting).read_text() for setting in SETTINGS} == before
    finally:
        for setting, value in before.items():
            (KERNEL / setting).write_text(value)
        machine.stop()


def test_a_machine_ends_with_the_run_that_is_killed(init: Path) -> None:
    """Also the programs in it, which notice nothing of a run that is killed."""
    name = f"serinus-killed-{os.getpid()}"
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(init), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        there = owner.stdout.readline().strip()
        assert len(processes(there)) > 1
        owner.send_signal(signal.SIGKILL)
    assert eventually(lambda: not processes(there))
    Machine(init, name).stop()
