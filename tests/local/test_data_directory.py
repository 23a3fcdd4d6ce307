"""Only its user can read the data directory; no other user can prepare one that `up` then trusts."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from serinus.local.cannot_run import CannotRun
from serinus.local.data_directory import check_files, check_place
from serinus.local.instance import Instance, prepare
from tests.support.instance.live import BIN, run
from tests.support.local.other_user import STRANGER, as_user, needs_root


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    for place in (tmp_path, *tmp_path.parents):  # pytest keeps them for this user only
        place.chmod(0o755)
        if place.name.startswith("pytest-of-"):
            break
    return Instance(tmp_path / "data")


def refused(instance: Instance) -> str:
    with pytest.raises(CannotRun) as found:
        prepare(instance)
    return str(found.value)


@pytest.mark.parametrize("mode", [0o755, 0o777, 0o710, 0o500])
def test_a_directory_that_was_made_before_is_closed_to_others(instance: Instance, mode: int):
    instance.directory.mkdir()
    instance.directory.chmod(mode)
    prepare(instance)
    assert stat.S_IMODE(instance.directory.stat().st_mode) == 0o700
    instance.directory.chmod(mode)
    prepare(instance)
    assert stat.S_IMODE(instance.directory.stat().st_mode) == 0o700


def test_another_programs_directory_keeps_its_mode(instance: Instance):
    instance.directory.mkdir()
    instance.directory.chmod(0o755)
    (instance.directory / "thesis.txt").touch()
    assert "not a data directory" in refused(instance)
    assert stat.S_IMODE(instance.directory.stat().st_mode) == 0o755


@needs_root
def test_the_directory_of_another_user_is_refused(instance: Instance):
    instance.directory.mkdir()
    os.chown(instance.directory, STRANGER, STRANGER)
    said = refused(instance)
    assert f"{instance.directory} belongs to user {STRANGER}" in said
    assert "--data" in said


@needs_root
@pytest.mark.parametrize("kind", ["file", "directory"])
def test_what_another_user_left_in_it_is_refused(instance: Instance, kind: str):
    prepare(instance)
    place = instance.directory / "certificates"
    place.mkdir()
    token = place / "token"
    token.write_text("known to a stranger")
    os.chown(token if kind == "file" else place, STRANGER, STRANGER)
    assert f"belongs to user {STRANGER}" in refused(instance)


@pytest.mark.parametrize(
    "place",
    [
        *("lock", "state.json", "state.new", "kubeconfig", "dashboard.token", "objects.db", "objects.db-wal"),
        *("certificates", "certificates/token", "log/serinus.log", "gateway/output", "keeper.sock", "pods"),
        "pods/default_web_u1",
        "pods/default_web_u1/c/process.json",
        "pods/default_web_u1/c/0.log",
    ],
)
def test_no_symbolic_link_is_followed(instance: Instance, tmp_path: Path, place: str):
    prepare(instance)
    precious = tmp_path / "precious"
    precious.mkdir() if place in ("certificates", "pods") else precious.write_text("mine")
    link = instance.directory / place
    link.parent.mkdir(parents=True, exist_ok=True)
    (link.parent / "process.json").touch() if link.parent.name == "c" and link.name != "process.json" else None
    link.symlink_to(precious)
    assert f"{link} is a symbolic link to {precious}" in refused(instance)


def test_links_that_a_pod_made_in_its_own_directory_are_its_own_affair(instance: Instance, tmp_path: Path):
    prepare(instance)
    volumes = instance.pods_dir / "default_web_u1" / "volumes"
    volumes.mkdir(parents=True)
    (volumes / "host").symlink_to(tmp_path)
    check_files(instance.directory)


@pytest.mark.parametrize(
    "gone", ["pods/default_web_u1", "pods/default_web_u1/c", "pods/default_web_u1/c/0.log", "pods"]
)
def test_what_a_running_up_removes_meanwhile_is_no_error(
    instance: Instance, monkeypatch: pytest.MonkeyPatch, gone: str
):
    """`down` and the end of the demo check the directory while pods end."""
    prepare(instance)
    container = instance.directory / "pods/default_web_u1/c"
    container.mkdir(parents=True, mode=0o700)
    for name in ("process.json", "0.log"):
        (container / name).touch(0o600)
    for name in ("is_dir", "iterdir", "lstat"):
        before: Callable[[Path], Any] = getattr(Path, name)

        def late(path: Path, before: Callable[[Path], Any] = before) -> Any:
            found = before(path)
            if path == instance.directory / gone and os.path.lexists(path):
                subprocess.run(["rm", "-r", str(path)], check=True)
            return found

        with monkeypatch.context() as patch:
            patch.setattr(Path, name, late)
            prepare(instance)


def test_a_marker_that_is_a_link_is_not_followed(instance: Instance, tmp_path: Path):
    instance.directory.mkdir()
    (instance.directory / "instance.json").symlink_to(tmp_path / "elsewhere")
    assert "is a symbolic link" in refused(instance)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(("mode", "fine"), [(0o755, True), (0o777, False), (0o1777, True), (0o757, False)])
def test_a_directory_that_others_can_replace_is_refused(tmp_path: Path, mode: int, fine: bool):
    parent = tmp_path / "shared"
    parent.mkdir()
    parent.chmod(mode)
    if fine:
        check_place(parent / "a" / "data")
    else:
        with pytest.raises(CannotRun, match=rf"{parent} has mode {mode:04o}.*chmod go-w {parent}"):
            check_place(parent / "a" / "data")


@needs_root
def test_a_directory_below_anothers_is_refused(tmp_path: Path):
    parent = tmp_path / "theirs"
    (parent / "data").mkdir(parents=True)
    os.chown(parent, STRANGER, STRANGER)
    with pytest.raises(CannotRun, match=f"{parent} belongs to user {STRANGER}"):
        check_place(parent / "data")


@needs_root
def test_a_link_that_another_user_made_leads_nowhere(tmp_path: Path):
    (tmp_path / "mine").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "mine")
    check_place(link / "data")
    check_place(link)
    os.lchown(link, STRANGER, STRANGER)
    for place in (link / "data", link):
        with pytest.raises(CannotRun, match=f"{link} belongs to user {STRANGER}"):
            check_place(place)


def test_links_that_lead_in_circles_are_an_error_and_no_hang(tmp_path: Path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(CannotRun, match="Too many levels"):
        prepare(Instance(tmp_path / "a" / "data"))


def readable(directory: Path) -> str:
    """The files in a directory that this user can read."""
    found: list[Path] = []
    for path in directory.rglob("*"):
        try:
            path.read_bytes()
        except IsADirectoryError:
            continue
        except OSError:
            continue
        found.append(path)
    return str(found)


@needs_root
def test_another_user_reads_nothing(instance: Instance):
    instance.directory.mkdir(mode=0o755)
    prepare(instance)
    assert as_user(STRANGER, lambda: os.listdir(instance.directory)).startswith("PermissionError")
    assert as_user(STRANGER, lambda: readable(instance.directory)) in ("[]", "")


@needs_root
@pytest.mark.parametrize("change", [lambda p: p.chmod(0), lambda p: p.chmod(0o400)])
def test_a_file_that_its_user_cannot_use_is_named(instance: Instance, change: Callable[[Path], None]):
    instance.directory.mkdir()
    os.chown(instance.directory, STRANGER, STRANGER)
    assert as_user(STRANGER, lambda: prepare(instance)) == "None"
    file = instance.directory / "state.json"
    file.touch()
    os.chown(file, STRANGER, STRANGER)
    change(file)
    said = as_user(STRANGER, lambda: prepare(instance))
    assert f"{file} has mode" in said
    assert f"chmod u+rw {file}" in said


@needs_root
@pytest.mark.parametrize("command", ["up", "down", "status", "reset", "node"])
def test_no_command_believes_what_stands_in_the_directory_of_another(instance: Instance, command: str):
    """`down` would end a process that the other user names, and `status` print an address of theirs to go to."""
    assert as_user(os.geteuid(), lambda: prepare(instance)) == "None"
    (instance.directory / "lock").write_text(f"{os.getpid()}\n")
    (instance.directory / "state.json").write_text('{"ready": true, "kubeconfig": "/tmp/theirs"}')
    os.chown(instance.directory, STRANGER, STRANGER)
    more = ["--yes"] if command == "reset" else []
    done = run([str(BIN / "serinus"), command, "--data", str(instance.directory), *more], check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{instance.directory} belongs to user {STRANGER}" in done.stderr or command == "node"
    assert "Traceback" not in done.stderr
    assert instance.directory.exists()


@needs_root
def test_a_directory_that_this_user_may_not_look_into_is_named(instance: Instance):
    prepare(instance)
    assert as_user(STRANGER, lambda: instance.is_ours).endswith(
        f"CannotRun: {instance.directory}/instance.json cannot be read or written by this user. Change its owner, "
        "or choose another directory with --data DIR."
    )
