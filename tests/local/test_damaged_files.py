"""For any content of a file in the data directory, `up` and `down` end soon: with all objects there, or with one sentence.

The files are those that `up` itself makes, so a new one is covered without an edit here.
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from serinus.local.cannot_run import CannotRun
from serinus.local.instance import Instance as Data
from serinus.local.instance import prepare
from tests.support.instance.live import BIN, Instance, eventually

POD = """
apiVersion: v1
kind: Pod
metadata: {name: box}
spec: {containers: [{name: box, image: busybox, command: [sleep, infinity]}]}
"""
SECONDS = 30.0
"""For one `up` under load; a hang lasts for ever."""
CONTENTS: dict[str, Callable[[bytes], bytes]] = {
    "not a text": lambda _: b"\xff\xfe\x00\x80" * 700,
    "empty": lambda _: b"",
    "cut off": lambda content: content[: len(content) // 2],
    "another text": lambda _: b'{"pid": 1e999, "layout": [], "apiPort": "x", "entryPoints": {"web": 1}}\n',
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that `up` leaves with a pod that ran, after a crash: all that it ever creates."""
    instance = Instance(tmp_path_factory.mktemp("made") / "data")
    copy = instance.data.with_name("copy")
    try:
        instance.up()
        manifest = instance.data.with_name("pod.yaml")
        manifest.write_text(POD)
        instance.shell(f"kubectl apply -f {manifest} && kubectl wait pod box --for=condition=Ready --timeout=60s")
        copied(instance.data, copy)
    finally:
        instance.down()
    for file in copy.glob("*.sock"):
        file.unlink()
    return copy


def copied(directory: Path, to: Path) -> None:
    subprocess.run(["cp", "-a", directory, to], check=True)  # with pipes and sockets


def files(directory: Path) -> list[Path]:
    return sorted(p for p in directory.rglob("*") if p.is_file())


def test_all_that_up_makes_is_looked_at(made: Path):
    """The list for comparison in the next test: a file that makes this fail was added, and is covered."""
    names = {p.relative_to(made).as_posix() for p in files(made)}
    assert {"instance.json", "lock", "state.json", "objects.db", "kubeconfig", "certificates/token"} <= names
    assert any(name.endswith("/process.json") for name in names)


def test_all_that_up_makes_is_for_its_user_alone(made: Path):
    assert {p: oct(p.stat().st_mode) for p in (made, *made.rglob("*")) if p.stat().st_mode & 0o077} == {}


def test_no_token_stands_in_a_log(made: Path):
    tokens = [(made / name).read_bytes().strip() for name in ("certificates/token", "dashboard.token")]
    logs = [path for path in (made / "log").iterdir() if any(token in path.read_bytes() for token in tokens)]
    assert logs == []
    assert all(tokens)


@pytest.mark.long
@pytest.mark.parametrize("content", CONTENTS)
def test_a_damaged_file_is_named_or_made_anew(made: Path, tmp_path: Path, content: str):
    """All files are damaged at once. Each refusal names one, which is then given back, until `up` is ready."""
    instance = Instance(tmp_path / "data")
    copied(made, instance.data)
    sound = {p: p.read_bytes() for p in files(instance.data)}
    for path, bytes_ in sound.items():
        path.write_bytes(CONTENTS[content](bytes_))
    named: list[Path] = []
    try:
        while True:
            for command in (["up", "-d", *instance.ports], ["down"]) if not named else (["up", "-d", *instance.ports],):
                began = time.monotonic()
                done = instance.serinus(*command, check=False)
                assert time.monotonic() - began < SECONDS, (command, named)
                assert done.returncode in (0, 1)
                assert "Traceback" not in done.stdout + done.stderr
                assert "flaw" not in done.stderr, done.stderr
                if command[0] == "up" and not done.returncode:
                    return
                if command[0] == "up":
                    (line,) = done.stderr.splitlines()
                    said = max((p for p in sound if str(p) in line), key=lambda p: len(str(p)), default=None)
                    assert said is not None, line
                    assert said not in named, line
                    assert any(word in line for word in ("remove", "Remove", "move it away")), line
                    named.append(said)
            named[-1].write_bytes(sound[named[-1]])
    finally:
        print(named)
        instance.down()


@pytest.mark.parametrize("kind", ["directory", "pipe"])
def test_what_is_no_file_is_named(made: Path, tmp_path: Path, kind: str):
    data = tmp_path / "data"
    copied(made, data)
    prepare(Data(data))
    for path in files(data):
        content = path.read_bytes()
        path.unlink()
        subprocess.run(["mkdir" if kind == "directory" else "mkfifo", path], check=True)
        with pytest.raises(CannotRun, match=f"^{path} is .*(move it away|remove it)"):
            prepare(Data(data))
        path.rmdir() if kind == "directory" else path.unlink()
        path.write_bytes(content)


@pytest.mark.long
def test_a_taken_dashboard_port_is_named_and_nothing_is_left_running(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        instance = Instance(tmp_path / "data")
        done = instance.serinus("up", *instance.ports, "--dashboard-port", port, check=False)
    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in done.stderr
    assert "--dashboard-port" in done.stderr
    assert instance.serinus("down").stdout.startswith("Nothing runs")


@pytest.mark.long
def test_sigterm_ends_it_at_any_moment_of_its_start(tmp_path: Path):
    instance = Instance(tmp_path / "data")
    lock = instance.data / "lock"
    for moment in ("lock", "keeper.json", "gateway/process.json"):
        command = [str(BIN / "serinus"), "up", "--data", str(instance.data), *instance.ports]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
            file = instance.data / moment
            file.unlink(missing_ok=True) if file != lock else None
            eventually(lambda f=file: f.exists() and Data(instance.data).holder(), 60)
            process.terminate()
            assert process.wait(20) in (0, -15)
            assert process.stderr is not None
            assert "Traceback" not in process.stderr.read()
    assert "Nothing runs" in instance.serinus("down").stdout
