"""The command lines, and engines that do not answer: no container engine runs here, fake programs of that name do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from serinus.kube.clock import SystemClock
from serinus.local.cannot_run import CannotRun
from serinus.local.node.containers.docker import (
    ENGINES,
    DockerRuntime,
    NoEngine,
    check_engine,
    container_name,
    run_command,
)
from serinus.local.node.containers.runtime import Launch, PodRef
from serinus.local.node.containers.runtimes import runtime_of
from tests.support.long import crossed

Engine = Callable[[str, str], None]
POD = PodRef("shop", "web-1", "0123456789abcdef")
LAUNCH = Launch(
    POD, "c", 2, ("./web", "-v"), {"A": "1", "B": "2"}, "/srv", "127.77.0.9", "shop/web:1", (8080,), ("A", "B")
)


def test_a_container_is_published_on_its_pods_address_only() -> None:
    words = run_command("name", LAUNCH)
    assert words[words.index("--publish") + 1] == "127.77.0.9:8080:8080/tcp"


def test_a_command_replaces_the_images_own_and_its_rest_goes_behind_the_image() -> None:
    words = run_command("name", LAUNCH)
    assert words[words.index("--entrypoint") :] == ("--entrypoint", "./web", "shop/web:1", "-v")
    assert run_command("name", replace(LAUNCH, argv=()))[-1] == "shop/web:1"


def test_environment_and_directory_are_passed_on() -> None:
    words = run_command("name", LAUNCH)
    assert [words[i + 1] for i, w in enumerate(words) if w == "--env"] == ["A", "B"]
    assert words[words.index("--workdir") + 1] == "/srv"


def test_each_start_has_a_name_of_its_own() -> None:
    assert container_name(POD, "c", 2) == "serinus_shop_web-1_c_01234567_2"


def test_values_are_on_no_command_line_unless_they_would_change_the_client() -> None:
    """Every user of the machine can read a command line."""
    env = {"PASSWORD": "hush", "PATH": "/bin", "DOCKER_HOST": "tcp://x"}
    words = run_command("name", replace(LAUNCH, env=env, own=tuple(env)))
    assert [words[i + 1] for i, w in enumerate(words) if w == "--env"] == [
        "DOCKER_HOST=tcp://x",
        "PASSWORD",
        "PATH=/bin",
    ]


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Makes a program with that name and shell text; no other engine can be found."""
    monkeypatch.setenv("PATH", f"{tmp_path}/bin")
    (tmp_path / "bin").mkdir()

    def make(name: str, text: str) -> None:
        file = tmp_path / "bin" / name
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)

    return make


@pytest.mark.parametrize("name", ENGINES)
async def test_the_engine_that_is_named_is_the_one_that_is_used(engine: Engine, tmp_path: Path, name: str):
    """A user of docker does not get podman's images, or the other way round."""
    engine("docker", "exit 0")
    engine("podman", "exit 0")
    runtime = await runtime_of(name, tmp_path, SystemClock())
    assert isinstance(runtime, DockerRuntime)
    assert (runtime.name, runtime.engine) == (name, name)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("echo Cannot connect to the daemon.; exit 1", "`{name} info` failed: Cannot connect to the daemon. "),
        ("echo first; echo; echo '  last  '; echo; exit 2", "`{name} info` failed: last. "),
        ("echo 'Is it running?'; exit 1", "`{name} info` failed: Is it running. "),
        ("exit 7", "`{name} info` failed: no words, exit code 7. "),
        ("", "the command `{name}` is not in PATH. "),
    ],
)
async def test_an_engine_that_does_not_answer_is_told_with_the_command_its_words_and_a_way_out(
    engine: Engine, tmp_path: Path, name: str, text: str, says: str
):
    if text:
        engine(name, text)
    with pytest.raises(CannotRun) as caught:
        await runtime_of(name, tmp_path, SystemClock())
    message = str(caught.value)
    assert message.startswith(f"`--runtime {name}` needs {name}, and {says.format(name=name)}")
    assert f"Install or start {name} until `{name} info` succeeds; or leave out `--runtime {name}`" in message


@pytest.mark.parametrize(("name", "other"), [ENGINES, ENGINES[::-1]])
async def test_the_other_engine_is_offered_where_it_answers(engine: Engine, tmp_path: Path, name: str, other: str):
    engine(other, "exit 0")
    with pytest.raises(CannotRun, match=f"use `--runtime {other}`, which answers"):
        await runtime_of(name, tmp_path, SystemClock())


async def test_an_engine_that_hangs_counts_as_none(engine: Engine):
    engine("podman", "while :; do :; done")
    with pytest.raises(NoEngine, match=r"`podman info` failed: no answer within 0\.05 s"):
        await check_engine("podman", seconds=0.05)


@pytest.fixture
async def runtime(engine: Engine, tmp_path: Path) -> AsyncIterator[DockerRuntime]:
    made = DockerRuntime(tmp_path / "pods", SystemClock(), "podman")
    yield made
    await made.stop_all(0)


async def test_the_engine_forgets_a_container_whose_command_line_has_ended(
    engine: Engine, tmp_path: Path, runtime: DockerRuntime
):
    """One that is ended while it creates its container leaves it behind."""
    calls = tmp_path / "calls"
    engine("podman", f'echo "$@" >> {calls}; if [ "$1" = run ]; then exit 3; fi')
    running = await runtime.start(replace(LAUNCH, working_dir=""))
    assert (await runtime.ended(running)).code == 3
    assert calls.read_text().splitlines()[-1] == f"rm --force {container_name(POD, 'c', 2)}"


@pytest.mark.parametrize(("code", "reason"), [(137, "OOMKilled"), (1, "")])
async def test_a_limit_of_memory_is_the_engines_and_the_reason_of_its_kill(
    engine: Engine, runtime: DockerRuntime, code: int, reason: str
):
    engine("podman", f'if [ "$1" = run ]; then exit {code}; fi')
    launch = replace(LAUNCH, working_dir="", memory=50 << 20)
    words = run_command("name", launch)
    assert words[words.index("--memory") + 1] == str(50 << 20)
    ended = await runtime.ended(await runtime.start(launch))
    assert (ended.code, ended.reason) == (code, reason)


@pytest.mark.parametrize(("detach", "name"), crossed([(), ("-d",)], ENGINES))
def test_up_without_an_engine_says_what_to_do_and_starts_nothing(
    engine: Engine, tmp_path: Path, detach: tuple[str, ...], name: str
):
    engine(name, "echo Cannot connect to the daemon.; exit 1")
    words = ["up", *detach, "--runtime", name, "--data", str(tmp_path / "data"), "--port", "0"]
    done = subprocess.run(
        [sys.executable, "-c", "from serinus.cli.main import main; main()", *words],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert f"`{name} info` failed: Cannot connect to the daemon" in done.stderr
    assert f"leave out `--runtime {name}`" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data" / "objects.db").exists()
