"""`serinus up --runtime podman`: pods are containers. The tests of `serinus up` itself run with it too (SERINUS_CLUSTER=podman)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.instance.live import Instance, eventually, running
from tests.support.nodes.images import NOBODY
from tests.support.nodes.podman import containers
from tests.support.nodes.python_files import interpreter

PYTHON = str(interpreter())
IMAGE = "argoproj/rollouts-demo:blue"


@pytest.fixture(scope="module")
def instance(podman: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with running(Instance(tmp_path_factory.mktemp("podman") / "data", "--runtime", "podman")) as instance:
        yield instance
    assert containers() == []


def run(instance: Instance, name: str, *command: str, **more: Any) -> None:
    container = {"name": "c", "image": IMAGE, **({"command": [*command]} if command else {}), **more}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [container]}}
    (instance.data / "pod.json").write_text(json.dumps(pod))
    instance.shell("kubectl apply -f pod.json", instance.data)


def state(instance: Instance, name: str) -> dict[str, Any]:
    """The container's status; empty while it has none."""
    found = instance.get("pod", name).get("status", {}).get("containerStatuses")
    return found[0] if found else {}


def last(instance: Instance, name: str) -> dict[str, Any]:
    """The container's last end; empty before it."""
    return state(instance, name).get("lastState", {}).get("terminated") or {}


def test_a_container_has_files_and_a_user_of_its_own(instance: Instance, tmp_path: Path) -> None:
    """An exec probe sees those of the container, not those of this machine."""
    secret = tmp_path / "secret"
    secret.write_text("of this machine")
    inside = f"import os, sys; sys.exit(os.getuid() != {NOBODY} or os.path.exists({str(secret)!r}))"
    run(instance, "apart", readinessProbe={"exec": {"command": [PYTHON, "-c", inside]}, "periodSeconds": 1})
    eventually(lambda: state(instance, "apart").get("ready"))
    eventually(lambda: "listening" in instance.shell("kubectl logs apart"))  # its probe asks the container, not the app
    instance.shell("kubectl delete pod apart")
    assert not [name for name in containers() if "apart" in name]


def test_a_pod_that_is_deleted_while_it_starts_leaves_no_container(instance: Instance) -> None:
    for name in ("brief-1", "brief-2", "brief-3"):
        run(instance, name)
        instance.shell(f"kubectl delete pod {name}")
    assert not [name for name in containers() if "brief" in name]


def test_a_container_beyond_its_memory_limit_ends_as_oomkilled(instance: Instance) -> None:
    script = "x = bytearray(200 << 20); print('has it all')"
    run(instance, "hungry", PYTHON, "-c", script, resources={"limits": {"memory": "50Mi"}})
    assert eventually(lambda: last(instance, "hungry").get("reason")) == "OOMKilled"
    assert "resources.limits.memory (52428800 bytes)" in last(instance, "hungry")["message"]
    instance.shell("kubectl delete pod hungry")


def test_a_container_that_exits_is_started_again_with_its_code_and_last_words(instance: Instance) -> None:
    run(instance, "broken", PYTHON, "-c", "import sys; print('the database does not answer'); sys.exit(3)")
    eventually(lambda: last(instance, "broken").get("exitCode") == 3)
    assert "the database does not answer" in last(instance, "broken")["message"]
    instance.shell("kubectl delete pod broken")


def test_an_image_that_is_nowhere_is_named_with_podmans_own_words(instance: Instance) -> None:
    run(instance, "absent", image="localhost/absent:1", imagePullPolicy="IfNotPresent")
    waiting = eventually(lambda: state(instance, "absent").get("state", {}).get("waiting", {}).get("message", ""))
    assert 'image "localhost/absent:1" cannot be pulled by podman: ' in waiting
    assert not waiting.endswith("\n")
    instance.shell("kubectl delete pod absent")
