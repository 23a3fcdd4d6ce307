"""The store in a SQLite file.

Durability: an acknowledged write is in the write-ahead log and synced to the disk (`synchronous=FULL`). So it survives
kill -9 of Serinus, and a power failure if the disk keeps what it reports as synced. Concurrent writes share one
transaction and one sync (group commit), which allows 500 durable writes a second. After a crash an unacknowledged write
is either complete or absent, never partial.

One process uses a file at a time. It holds SQLite's own lock, which ends with the process.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from serinus.local.apiserver.storage.store import Entry, Shelf, Store, StoredChange, StoreError, entry_of

FORMAT = 1
_APPLICATION = 0x53455249
_LOG_STARTS = (bytes.fromhex("377f0682"), bytes.fromhex("377f0683"))
"""https://www.sqlite.org/fileformat2.html#the_write_ahead_log"""
_TABLES = f"""
CREATE TABLE objects (resource TEXT, namespace TEXT, name TEXT, version INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (resource, namespace, name)) WITHOUT ROWID;
CREATE TABLE counter (one INTEGER PRIMARY KEY CHECK (one = 1), revision INTEGER NOT NULL);
INSERT INTO counter VALUES (1, 1);
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {FORMAT};
"""


def open_store(path: Path) -> SqliteStore:
    """Opens the store in this file and creates it if needed. Raises StoreError: one sentence with the fix."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot make the directory {path.parent}: {error.strerror}; choose another one with --data"
        ) from error
    if (path.exists() and not os.access(path, os.W_OK)) or not os.access(path.parent, os.W_OK):
        raise StoreError(
            f"{path} cannot be written: make it and its directory writable for you, or choose another directory with --data"
        )
    _check_log(path)
    connection: sqlite3.Connection | None = None
    try:
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=0.5, cached_statements=32
        )
        _prepare(connection, path)
        return SqliteStore(path, connection)
    except BaseException as error:
        if connection is not None:
            connection.close()
        if isinstance(error, sqlite3.Error):
            raise StoreError(_explained(path, error)) from error
        if isinstance(error, (TypeError, ValueError, IndexError)):  # tables with Serinus' names have other content
            raise StoreError(_explained(path, sqlite3.DatabaseError(str(error)))) from error
        raise


def _check_log(path: Path) -> None:
    """Raises StoreError for an invalid write-ahead log: SQLite would treat it as empty and lose its content.

    Zeros at its start are valid: a power failure leaves them if the log's first write was not acknowledged.
    """
    log = path.with_name(path.name + "-wal")
    try:
        with log.open("rb") as file:
            start = file.read(4)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(
            f"{log} cannot be read: {error.strerror}; make it readable for you, or move it away"
        ) from error
    if len(start) == 4 and start not in (*_LOG_STARTS, bytes(4)):
        raise StoreError(
            f"{log} is damaged (it does not start as a write-ahead log of SQLite does): restore a copy of it and of "
            f"{path.name}, or move it away to start without the writes that it held; it was not changed"
        )


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA cache_size=-512")
    connection.execute("BEGIN EXCLUSIVE")
    try:
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        if not tables:
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            path.chmod(0o600)
        elif application != _APPLICATION:
            raise StoreError(f"{path} is a SQLite file of another program: choose another directory with --data")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version != FORMAT:
            raise StoreError(
                f"{path} was written by another version of Serinus (format {version}, this one reads {FORMAT}): "
                "use that version, or move the directory away to start empty"
            )
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    flaws = [row[0] for row in connection.execute("PRAGMA quick_check(1)")]
    if flaws != ["ok"]:
        raise sqlite3.DatabaseError(flaws[0])


def _explained(path: Path, error: sqlite3.Error) -> str:
    text = str(error)
    if "locked" in text or "busy" in text:
        return f"{path} is in use by another process: stop that one first (`serinus down`), or choose another directory with --data"
    if "full" in text or "disk I/O" in text:
        return f"{path} cannot be written ({text}): free some space on its disk and try again; nothing acknowledged is lost"
    if "readonly" in text or "unable to open" in text:
        return f"{path} cannot be opened for writing ({text}): make it writable for you, or choose another directory with --data"
    return f"{path} is damaged ({text}): restore a copy of it, or move it away to start empty; it was not changed"


class SqliteStore(Store):
    """A store in a SQLite file; `open_store` creates it."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, *, history: int = 1000, history_bytes: int = 4 << 20
    ) -> None:
        super().__init__(history=history, history_bytes=history_bytes)
        self.path = path
        self._connection = connection
        self._queue: list[tuple[StoredChange, asyncio.Future[Entry]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._newest: asyncio.Future[Entry] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self.revision = self._assigned = self._start = connection.execute("SELECT revision FROM counter").fetchone()[0]
        decode = msgspec.json.decode
        for resource, version, body in connection.execute("SELECT resource, version, body FROM objects"):
            try:
                entry = entry_of(resource, decode(body), version)
            except (msgspec.MsgspecError, KeyError, TypeError) as error:
                raise sqlite3.DatabaseError(f"an object of {resource} cannot be read") from error
            entry.body = body
            self._shelves.setdefault(resource, Shelf()).put((entry.namespace, entry.name), entry)

    def close(self) -> None:
        """Waits for the current write; later writes fail."""
        self._thread.shutdown(wait=True)
        self._connection.close()

    async def settled(self) -> None:
        """Returns when all earlier writes are durable. Raises StoreError if they never will be."""
        if self._newest is not None and not self._newest.done():
            await asyncio.shield(self._newest)

    def _commit(self, change: StoredChange) -> Awaitable[Entry]:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Entry] = loop.create_future()
        # A cancelled caller does not undo the write, and its failure may have no reader.
        done.add_done_callback(lambda future: future.cancelled() or future.exception())
        self._queue.append((change, done))
        self._newest = done
        if self._writer is None:
            self._writer = loop.create_task(self._write_all())
        return asyncio.shield(done)

    async def _write_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._queue:
            batch, self._queue = self._queue, []
            try:
                await loop.run_in_executor(self._thread, self._write, [change for change, _ in batch])
            except (sqlite3.Error, OSError, RuntimeError) as error:
                self._fail(batch, error)
                continue
            for change, done in batch:
                self._publish(change)
                if not done.done():
                    done.set_result(change.entry)
        self._writer = None

    def _fail(self, batch: list[tuple[StoredChange, asyncio.Future[Entry]]], error: Exception) -> None:
        # Later writes depend on these, so they fail too.
        doomed, self._queue = batch + self._queue, []
        self._ahead.clear()
        text = (
            _explained(self.path, error)
            if isinstance(error, sqlite3.Error)
            else f"{self.path} cannot be written: {error}"
        )
        for _, done in doomed:
            if not done.done():
                done.set_exception(StoreError(text))

    def _write(self, changes: list[StoredChange]) -> None:
        connection = self._connection
        last = {(c.entry.resource, c.entry.namespace, c.entry.name): c for c in changes}
        connection.execute("BEGIN IMMEDIATE")
        try:
            gone = [key for key, change in last.items() if change.deleted]
            stored = [(*key, c.version, c.entry.body) for key, c in last.items() if not c.deleted]
            if gone:
                connection.executemany("DELETE FROM objects WHERE resource = ? AND namespace = ? AND name = ?", gone)
            if stored:
                connection.executemany("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)", stored)
            connection.execute("UPDATE counter SET revision = ?", (changes[-1].version,))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
