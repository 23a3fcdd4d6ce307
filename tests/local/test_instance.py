"""The data directory: one instance at a time uses it, and no other directory is accepted as one."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from serinus.local import processes
from serinus.local.cannot_run import CannotRun
from serinus.local.instance import Instance, explain, hold, prepare


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return Instance(tmp_path / "data")


def test_a_new_directory_is_made_for_its_owner_only_and_found_again(instance: Instance):
    prepare(instance)
    assert instance.directory.stat().st_mode & 0o777 == 0o700
    prepare(instance)
    assert instance.is_ours


def test_another_programs_directory_is_refused_and_stays_as_it_was(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(CannotRun, match=r"it holds thesis\.txt.*--data"):
        prepare(Instance(tmp_path))
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_directory_of_another_layout_is_refused_with_both_versions(instance: Instance):
    prepare(instance)
    (instance.directory / "instance.json").write_text(json.dumps({"serinus": "9.0", "layout": 99}))
    with pytest.raises(CannotRun, match=r"Serinus 9\.0 \(layout 99\).*serinus reset"):
        prepare(instance)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"layout": "x"}'])
def test_a_marker_that_cannot_be_read_is_refused(instance: Instance, text: str):
    prepare(instance)
    (instance.directory / "instance.json").write_text(text)
    with pytest.raises(CannotRun, match="cannot be read"):
        prepare(instance)


def test_a_file_in_its_place_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotRun, match="is a file"):
        prepare(Instance(tmp_path / "file"))
    with pytest.raises(CannotRun, match="below a file"):
        prepare(Instance(tmp_path / "file" / "data"))


def test_a_second_one_hears_who_holds_the_directory(instance: Instance):
    prepare(instance)
    lock = hold(instance)
    with pytest.raises(CannotRun, match=rf"process {os.getpid()}.*serinus down"):
        hold(instance)
    assert instance.holder() == os.getpid()
    os.close(lock)
    assert instance.holder() is None
    os.close(hold(instance))


def test_a_holder_that_was_killed_holds_nothing(instance: Instance):
    prepare(instance)
    code = (
        "import sys, time; from pathlib import Path; from serinus.local.instance import Instance, hold\n"
        "hold(Instance(Path(sys.argv[1]))); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(instance.directory)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        assert instance.holder() == process.pid
        process.kill()
    assert instance.holder() is None


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "is full"),
        (OSError(errno.EROFS, "Read-only file system", "/x"), "/x is on a read-only disk"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), "/x cannot be read or written by this user"),
    ],
)
def test_a_failing_disk_is_a_sentence_with_what_to_do(error: OSError, words: str):
    text = explain(error, Path("/data"))
    assert re.search(words, text)
    assert "--data" in text or "Free some space" in text


def test_a_process_number_used_again_by_a_stranger_is_not_taken_for_ours():
    started = processes.started_at(os.getpid())
    assert processes.is_running(os.getpid(), started)
    assert not processes.is_running(os.getpid(), started + "1")
    assert processes.started_at(2**22 + 1) == ""


def test_the_end_of_a_process_that_is_not_our_child_is_noticed():
    shell = subprocess.Popen(["sh", "-c", "sleep 60 & echo $!"], stdout=subprocess.PIPE, text=True)
    assert shell.stdout is not None
    pid = int(shell.stdout.readline())
    shell.wait()
    started = processes.started_at(pid)
    asyncio.run(processes.stop(pid, started, grace=5))
    assert not processes.is_running(pid, started)
