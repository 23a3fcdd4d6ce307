"""Stores: acknowledged writes survive kill -9; an unusable file is refused with what to do, and never reset."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serinus.local.apiserver.storage.sqlite import SqliteStore, open_store
from serinus.local.apiserver.storage.store import Compacted, MemoryStore, Store, StoreError, VersionMismatch

Json = dict[str, Any]


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store = MemoryStore(history=5) if request.param == "memory" else open_store(tmp_path / "objects.db")
    yield made
    made.close()


def thing(name: str, value: int = 0, namespace: str = "default") -> Json:
    return {"metadata": {"name": name, "namespace": namespace, "labels": {"a": "b"}}, "value": value}


async def test_a_write_is_read_back_with_its_version(store: Store) -> None:
    entry = await store.put("things", thing("a"), expected=0)
    assert entry.object()["metadata"]["resourceVersion"] == str(entry.version) == str(store.revision)
    assert store.get("things", "default", "a") == entry
    gone = await store.delete("things", "default", "a")
    assert gone.version == entry.version + 1
    assert store.get("things", "default", "a") is None


async def test_the_second_of_two_writers_is_told(store: Store) -> None:
    entry = await store.put("things", thing("a"))
    first = store.put("things", thing("a", 1), expected=entry.version)
    with pytest.raises(VersionMismatch):
        store.put("things", thing("a", 2), expected=entry.version)
    await first
    found = store.get("things", "default", "a")
    assert found is not None
    assert found.object()["value"] == 1


async def test_objects_are_listed_in_order_by_namespace(store: Store) -> None:
    for namespace, name in (("b", "x"), ("a", "z"), ("a-b", "y"), ("a", "b")):
        await store.put("things", thing(name, namespace=namespace))
    assert [(e.namespace, e.name) for e in store.list("things")] == [("a", "b"), ("a", "z"), ("a-b", "y"), ("b", "x")]
    assert [e.name for e in store.list("things", "a")] == ["b", "z"]


async def test_history_is_bounded_and_says_so() -> None:
    store = MemoryStore(history=5)
    first = await store.put("things", thing("a"))
    for i in range(10):
        await store.put("things", thing("a", i))
    with pytest.raises(Compacted):
        store.log("things").cursor(first.version)
    assert len(store.log("things").changes) == 5


async def test_a_reader_never_sees_what_is_not_yet_durable(tmp_path: Path) -> None:
    store = open_store(tmp_path / "objects.db")
    write = store.put("things", thing("a"))
    assert store.get("things", "default", "a") is None
    assert store.latest("things", "default", "a") is not None
    await write
    assert store.get("things", "default", "a") is not None
    store.close()


async def test_many_writers_share_a_transaction_and_none_is_lost(tmp_path: Path) -> None:
    store = open_store(tmp_path / "objects.db")
    await asyncio.gather(*(store.put("things", thing(f"t{i:03}", i)) for i in range(300)))
    store.close()
    again = open_store(tmp_path / "objects.db")
    assert [e.object()["value"] for e in again.list("things")] == list(range(300))
    assert again.revision == 301
    again.close()


WRITER = """
import asyncio, sys
from pathlib import Path
from serinus.local.apiserver.storage.sqlite import open_store

async def main():
    store = open_store(Path(sys.argv[1]))
    async def writer(n):
        i = 0
        while True:
            await store.put("things", {"metadata": {"name": f"w{n}", "namespace": "x"}, "value": i})
            print(n, i, flush=True)
            i += 1
    await asyncio.gather(*(writer(n) for n in range(4)))

asyncio.run(main())
"""


def test_what_was_acknowledged_survives_kill_minus_nine(tmp_path: Path) -> None:
    path = tmp_path / "objects.db"
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    acknowledged = [process.stdout.readline() for _ in range(200)]
    os.kill(process.pid, signal.SIGKILL)
    acknowledged += process.stdout.readlines()
    process.wait()
    last: dict[int, int] = {}
    for line in acknowledged:
        if line.endswith("\n"):
            number, value = map(int, line.split())
            last[number] = value
    store = open_store(path)
    for number, value in last.items():
        entry = store.get("things", "x", f"w{number}")
        assert entry is not None
        assert entry.object()["value"] >= value
    store.close()


async def test_versions_go_on_after_a_restart_and_old_watches_must_list_again(tmp_path: Path) -> None:
    store = open_store(tmp_path / "objects.db")
    await store.put("things", thing("a"))
    await store.delete("things", "default", "a")
    seen = store.revision
    store.close()
    again = open_store(tmp_path / "objects.db")
    assert again.revision == seen
    assert again.log("things").after(again.log("things").cursor(seen)) == []
    with pytest.raises(Compacted):
        again.log("things").cursor(seen - 1)
    assert (await again.put("things", thing("b"))).version == seen + 1
    again.close()


def refused(path: Path) -> str:
    with pytest.raises(StoreError) as error:
        open_store(path)
    return str(error.value)


def test_a_file_in_use_is_refused(tmp_path: Path) -> None:
    store = open_store(tmp_path / "objects.db")
    assert "is in use by another process: stop that one first" in refused(tmp_path / "objects.db")
    store.close()
    open_store(tmp_path / "objects.db").close()


@pytest.mark.parametrize("damage", [b"nonsense" * 1000, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_damaged_file_is_refused_and_left_as_it_is(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "objects.db"
    path.write_bytes(damage)
    assert "is damaged" in refused(path)
    assert path.read_bytes() == damage


async def test_a_file_with_a_damaged_page_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "objects.db"
    store = open_store(path)
    for i in range(200):
        await store.put("things", thing(f"t{i}") | {"text": "x" * 500})
    store.close()
    content = bytearray(path.read_bytes())
    for at in range(4096 * 3, len(content), 4096):
        content[at : at + 64] = b"\xee" * 64
    path.write_bytes(content)
    assert "is damaged" in refused(path)


def test_a_file_of_another_version_or_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "objects.db"
    open_store(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert "was written by another version of Serinus (format 99, this one reads 1)" in refused(path)
    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE t (a)")
    connection.close()
    assert "is a SQLite file of another program" in refused(other)


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "choose another one with --data" in refused(tmp_path / "file" / "objects.db")
    (tmp_path / "directory.db").mkdir()
    assert "--data" in refused(tmp_path / "directory.db")


async def test_a_full_disk_fails_the_write_and_loses_nothing_before_it(tmp_path: Path) -> None:
    store = open_store(tmp_path / "objects.db")
    kept = await store.put("things", thing("a", 1))
    limited(store, pages=12)
    writes = [store.put("things", thing(f"t{i}") | {"text": "x" * 3000}) for i in range(50)]
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert all(isinstance(result, StoreError) for result in results)
    assert "free some space" in str(results[0])
    assert store.get("things", "default", "a") == kept
    assert store.latest("things", "default", "t1") is None
    limited(store, pages=10_000)
    assert (await store.put("things", thing("b"))).version > kept.version
    store.close()
    again = open_store(tmp_path / "objects.db")
    assert [e.name for e in again.list("things")] == ["a", "b"]
    again.close()


def limited(store: SqliteStore, pages: int) -> None:
    """SQLite reaches its limit of pages, which fails as a full disk does."""
    store._connection.execute(f"PRAGMA max_page_count = {pages}")  # pyright: ignore[reportPrivateUsage]
