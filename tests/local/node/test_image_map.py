"""`--image-map FILE`: its errors, its place among the rules, and the images of pods on the real API server."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from serinus.api.meta import Json
from serinus.api.resources import CONFIG_MAPS, EVENTS, PODS
from serinus.cli.up import welcome
from serinus.local.cannot_run import CannotRun
from serinus.local.node.config import ApiConfig
from serinus.local.node.image_map import read_image_map
from serinus.local.node.images import ImageProgram, ImageRule, program_of
from tests.support.cli.own_command import invoke
from tests.support.kube.loop_clock import LoopClock
from tests.support.local.fake_node import FakeRuntime
from tests.support.long import few

BAD = [
    ("- image: [", "images.yaml cannot be read as YAML"),
    ("image: x", "images.yaml must be a list of rules"),
    ("- {image: x}", "images.yaml[0].command is missing: write"),
    ("- {image: x, command: [a]}\n- {image: z, command: run}", "images.yaml[1].command is 'run': write a list"),
    ("- {image: x, command: [a], cmd: b}", "images.yaml[0]: unknown field 'cmd'; known are image, command"),
    ("", "images.yaml holds no rules: write one"),
    ("{kind: ConfigMap, data: {}}", "images.yaml must be a list of rules"),
]


@pytest.mark.parametrize("detach", [(), ("-d",)], ids=["", "-d"])
@pytest.mark.parametrize(("text", "says"), [BAD[3], (None, "images.yaml cannot be read: No such file or directory")])
def test_up_names_the_fault_in_the_file_and_starts_nothing(
    tmp_path: Path, text: str | None, says: str, detach: tuple[str, ...]
) -> None:
    file, data = tmp_path / "images.yaml", tmp_path / "data"
    if text is not None:
        file.write_text(text)
    done = invoke("up", *detach, "--data", str(data), "--port", "0", "--image-map", str(file))
    assert done.exit_code == 1
    assert f"serinus up: --image-map {tmp_path}/{says}" in done.output
    assert not (data / "objects.db").exists()


@pytest.mark.parametrize(("text", "says"), BAD)
def test_each_fault_names_the_file_the_entry_the_field_and_the_value(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "images.yaml").write_text(text)
    with pytest.raises(CannotRun) as caught:
        read_image_map(tmp_path / "images.yaml")
    assert f"--image-map {tmp_path}/{says}" in str(caught.value)


@pytest.mark.parametrize(("name", "says"), [("", "Is a directory"), ("none", "No such file")])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, says: str) -> None:
    with pytest.raises(CannotRun, match=says):
        read_image_map(tmp_path / name)


def test_a_file_of_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "images.yaml").write_bytes(b"- {image: caf\xe9, command: [x]}")
    with pytest.raises(CannotRun, match="Save it as UTF-8"):
        read_image_map(tmp_path / "images.yaml")


@pytest.mark.parametrize("command", ["up", "node"])
@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_a_map_of_commands_and_an_engine_for_images_exclude_each_other(
    command: str, engine: str, tmp_path: Path
) -> None:
    words = ["--data", str(tmp_path), "--image-map", "images.yaml", "--runtime", engine]
    done = invoke(command, *words)
    assert done.exit_code == 2
    assert "--image-map" in done.output
    assert f"--runtime {engine}" in done.output


def test_a_runtime_that_does_not_exist_is_named_with_those_that_do(tmp_path: Path) -> None:
    done = invoke("up", "--data", str(tmp_path), "--runtime", "containerd")
    assert done.exit_code == 2
    assert '"containerd" for "--runtime" flag: write one of process, docker, podman' in done.output


def test_a_relative_directory_is_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "images.yaml").write_text(
        "- {image: a, command: [x], workingDir: .}\n- {image: b, command: [x], workingDir: /srv}\n"
        "- {image: c, command: [x]}"
    )
    assert [r.working_dir for r in read_image_map(tmp_path / "images.yaml")] == [str(tmp_path), "/srv", ""]


@pytest.mark.parametrize(
    ("first", "runtime", "told"),
    [(True, "process", True), (False, "process", False), (True, "docker", False), (True, "podman", False)],
)
def test_the_first_start_says_that_pods_are_processes_with_the_users_rights(
    first: bool, runtime: str, told: bool
) -> None:
    state = {"first": first, "runtime": runtime, "seconds": 1.0}
    state |= dict.fromkeys(("api", "gateway", "dashboard", "data", "kubeconfig"), "x")
    said = welcome(state, "Ctrl-C", told=True)
    assert ("with all rights of that user" in said) is told
    assert ("--runtime podman" in said) is told


class ByImage(FakeRuntime):
    """Runs nothing, but finds the command of an image as `ProcessRuntime` does."""

    async def program(self, container: Json, rules: Sequence[ImageRule], namespace: str) -> ImageProgram:
        return program_of(container, rules, namespace)


@pytest.fixture
async def by_image(world: Any) -> Any:
    await world.stop()
    world.runtime = ByImage(world.clock)
    world.start()
    return world


async def waiting(world: Any, reason: str) -> Any:
    async def found() -> Any:
        statuses = ((await world.client.get(PODS, "p", "default")).get("status") or {}).get("containerStatuses")
        state = (statuses or [{}])[0].get("state", {}).get("waiting") or {}
        return state.get("message") if state.get("reason") == reason else None

    return await world.until(found, 400)


def typed(message: str, directory: Path) -> Any:
    """The rules that are in images.yaml once the first line of the message was typed in a shell."""
    (write,) = re.findall(r"`(echo .*?)`", message)
    subprocess.run(["sh", "-c", write], cwd=directory, check=True)
    return yaml.safe_load((directory / "images.yaml").read_text())


async def events(world: Any, reason: str) -> list[str]:
    return [e["message"] for e in (await world.client.list(EVENTS, "default")).items if e["reason"] == reason]


async def apply(world: Any, namespace: str, rules: list[dict[str, Any]]) -> None:
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "serinus-images"}}
    await world.client.create(CONFIG_MAPS, {**config_map, "data": {"images.yaml": yaml.safe_dump(rules)}}, namespace)


@pytest.mark.looptime
@pytest.mark.parametrize("image", few(["nginx:1.27", "ghcr.io/acme/app:1"], ["nginx:1.27"]))
async def test_a_pod_of_an_unknown_image_says_what_to_type_and_then_runs(
    by_image: Any, make: Any, tmp_path: Path, image: str
) -> None:
    """In its status and in the Event that `kubectl describe pod` shows."""
    world = by_image
    await world.client.create(PODS, make.pod(image=image, container={"ports": [{"containerPort": 8080}]}), "default")
    for reason in ("ErrImagePull", "ImagePullBackOff"):
        assert f'image "{image}" has no command on this machine' in await waiting(world, reason)
    message = await waiting(world, "ImagePullBackOff")
    (event,) = await events(world, "Failed")
    for text in (message, event):
        assert "kubectl create configmap serinus-images -n default --from-file=images.yaml" in text
    await apply(world, "default", typed(message, tmp_path))
    (pod,) = await world.until(world.ready)
    (launch,) = world.runtime.live()
    ip = pod["status"]["podIP"]
    assert launch.argv == ("python3", "-m", "http.server", "--bind", ip, "--directory", "/usr/share", "8080")
    (event,) = await events(world, "Pulled")
    assert "ConfigMap default/serinus-images: images.yaml[0]" in event


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("container", "says"),
    [
        ({"image": "busybox:1.36", "command": ["sh", "-c", "sleep 1"]}, "This one runs the container's own command"),
        ({"image": "curlimages/curl", "command": ["curl", "x"]}, "This one runs the container's own command"),
        ({"image": "argoproj/rollouts-demo:blue"}, "This one runs the demo application of Serinus"),
    ],
)
async def test_the_events_of_a_pod_say_what_runs_in_place_of_its_image(
    by_image: Any, make: Any, container: dict[str, Any], says: str
) -> None:
    world = by_image
    await world.client.create(PODS, make.pod(container=container), "default")
    await world.until(world.ready)
    (event,) = await events(world, "Pulled")
    assert event.startswith(f'Image "{container["image"]}" is not used: containers run here as local processes')
    assert event.endswith(says)


@pytest.mark.looptime
async def test_the_file_comes_before_the_namespaces_config_map_and_that_before_the_shared_one(world: Any) -> None:
    """The order that `serinus up --help` and docs/images.md promise."""
    for namespace in ("default", "kube-system"):
        await apply(
            world, namespace, [{"image": "x", "command": [namespace]}, {"image": namespace, "command": ["run"]}]
        )
    config = ApiConfig(world.client, LoopClock(), [ImageRule("x", ("file",), place="f[0]")])
    task = asyncio.create_task(config.informer.run())
    rules = await config.rules("default")
    assert [r.command[0] for r in rules if r.pattern == "x"] == ["file", "default", "kube-system"]
    assert program_of({"image": "x:1"}, rules, "default").command == ("file",)
    assert program_of({"image": "kube-system"}, rules, "default").command == ("run",)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
