"""The command lines, and engines that do not answer: no container engine runs here, programs of that name stand in."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from serinus.local.node.docker import NoEngine, answering_engine, container_name, run_command
from serinus.local.node.runtime import Launch, PodRef

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
    assert [words[i + 1] for i, w in enumerate(words) if w == "--env"] == ["A=1", "B=2"]
    assert words[words.index("--workdir") + 1] == "/srv"


def test_each_start_has_a_name_of_its_own() -> None:
    assert container_name(POD, "c", 2) == "serinus_shop_web-1_c_01234567_2"


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


async def test_podman_is_taken_where_docker_does_not_answer(engine: Engine):
    engine("docker", "echo no daemon; exit 1")
    engine("podman", "exit 0")
    assert await answering_engine() == "podman"


async def test_without_an_engine_each_ones_reason_and_a_way_out_are_told(engine: Engine):
    engine("docker", "echo Cannot connect to the daemon.; exit 1")
    with pytest.raises(NoEngine, match=r"docker says: Cannot connect.*podman is not installed.*leave out"):
        await answering_engine()


async def test_an_engine_that_hangs_counts_as_none(engine: Engine):
    engine("podman", "while :; do :; done")
    with pytest.raises(NoEngine, match=r"podman says: no answer within 0\.05 s"):
        await answering_engine(("podman",), seconds=0.05)


@pytest.mark.parametrize("detach", [(), ("-d",)])
def test_up_without_an_engine_says_what_to_do_and_starts_nothing(
    engine: Engine, tmp_path: Path, detach: tuple[str, ...]
):
    engine("docker", "echo Cannot connect to the daemon.; exit 1")
    words = ["up", *detach, "--runtime", "docker", "--data", str(tmp_path / "data"), "--port", "0"]
    done = subprocess.run(
        [sys.executable, "-c", "from serinus.cli.main import main; main()", *words],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "leave out `--runtime docker`" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data" / "objects.db").exists()
