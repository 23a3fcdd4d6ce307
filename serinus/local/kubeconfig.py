"""One entry in a user's kubeconfig: added by `up --kubeconfig FILE`, removed by `down`.

Like `kubectl config` and kind: a cluster, a user and a context with the same name, which becomes the current context.
All other content stays, except comments and the order of keys, as with kubectl. The file is replaced atomically with
mode 0600, under kubectl's own lock (k8s.io/client-go/tools/clientcmd config.go, lockFile).
"""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from serinus.api.meta import Json
from serinus.api.yaml.reader import YamlError, load
from serinus.api.yaml.writer import dump
from serinus.local.apiserver.certs import kubeconfig_of, write_private
from serinus.local.cannot_run import CannotRun

NAME = "serinus"
LOCK_SECONDS = 5.0
_SECTIONS = ("clusters", "contexts", "users")


class ClusterAccess(NamedTuple):
    """Address and credentials of the API server."""

    server: str
    ca_pem: str
    token: str


class AddedContext(NamedTuple):
    """The entry in a file: its name, and the current context that it replaced."""

    name: str
    before: str


def read(file: Path) -> Json:
    """The file's content, {} if it does not exist. Raises CannotRun for other content; the file stays unchanged."""
    try:
        if file.stat().st_uid not in (os.geteuid(), 0):
            raise CannotRun(f"--kubeconfig {file} belongs to another user: name a file of your own.")
        config = load(file.read_bytes(), strict=True)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CannotRun(f"--kubeconfig {file} cannot be read: {error.strerror}. Name another file.") from None
    except YamlError as error:
        raise _no_kubeconfig(file, f"it is no YAML: {error}") from None
    if config is None:
        return {}
    if not isinstance(config, dict):
        raise _no_kubeconfig(file, "it holds no object")
    if config.get("kind", "Config") != "Config":
        raise _no_kubeconfig(file, f"its kind is {config['kind']!r}, and must be 'Config'")
    for section in _SECTIONS:
        rows = config.get(section)
        if rows is not None and not (isinstance(rows, list) and all(isinstance(row, dict) for row in rows)):
            raise _no_kubeconfig(file, f"{section} is no list of objects")
    return config


def _no_kubeconfig(file: Path, why: str) -> CannotRun:
    return CannotRun(
        f"--kubeconfig {file} is no kubeconfig ({why}). Name another file, or mend it; it was not changed."
    )


def with_entry(config: Json, access: ClusterAccess, known: str = "") -> tuple[Json, AddedContext]:
    """The config with an entry for `access`. `known`: the name of the entry that an earlier `up` added, if any."""
    addition = kubeconfig_of(*access)
    name, number = NAME, 1
    while name != known and not _free(config, name, addition):
        number += 1
        name = f"{NAME}-{number}"
    changed = _without(config, name)
    for section in _SECTIONS:
        row: Json = {**addition[section][0], "name": name}
        if section == "contexts":
            row["context"] = {"cluster": name, "namespace": "default", "user": name}
        changed[section] = [*(changed.get(section) or []), row]
    before = str(config.get("current-context") or "")
    changed = {"apiVersion": "v1", "kind": "Config", **changed, "current-context": name}
    return changed, AddedContext(name, "" if before == name else before)


def without_entry(config: Json, entry: AddedContext, ca_data: str) -> Json:
    """The config without the entry. The entry stays if its cluster has changed since."""
    if not _is_of(config, entry.name, ca_data):
        return config
    changed = _without(config, entry.name)
    if config.get("current-context") == entry.name:
        contexts: list[Json] = changed.get("contexts") or []
        changed["current-context"] = entry.before if any(c.get("name") == entry.before for c in contexts) else ""
    return changed


def _without(config: Json, name: str) -> Json:
    changed = copy.copy(config)
    for section in _SECTIONS:
        if section in config:
            changed[section] = [row for row in config[section] or [] if row.get("name") != name]
    return changed


def _free(config: Json, name: str, addition: Json) -> bool:
    there = any(row.get("name") == name for section in _SECTIONS for row in config.get(section) or [])
    return not there or _is_of(config, name, addition["clusters"][0]["cluster"]["certificate-authority-data"])


def _is_of(config: Json, name: str, ca_data: str) -> bool:
    rows: list[Json] = config.get("clusters") or []
    clusters: list[Any] = [row.get("cluster") for row in rows if row.get("name") == name]
    return any(isinstance(c, dict) and c.get("certificate-authority-data") == ca_data for c in clusters)


def add(file: Path, access: ClusterAccess, known: str = "") -> AddedContext:
    """Adds the entry to the file and creates the file if it does not exist. Raises CannotRun."""
    with _changing(file) as target:
        changed, entry = with_entry(read(target), access, known)
        write_private(target, dump(changed))
    return entry


def remove(file: Path, entry: AddedContext, ca_pem: str) -> None:
    """Removes the entry from the file, if present. Raises CannotRun."""
    if not file.exists():
        return
    ca_data = kubeconfig_of("", ca_pem, "")["clusters"][0]["cluster"]["certificate-authority-data"]
    with _changing(file) as target:
        config = read(target)
        changed = without_entry(config, entry, ca_data)
        if changed is not config:
            write_private(target, dump(changed))


@contextmanager
def _changing(file: Path) -> Generator[Path]:
    """The target of the links to the file, locked against kubectl."""
    target = Path(os.path.realpath(file))
    lock = target.with_name(target.name + ".lock")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _take(lock)
    except OSError as error:
        raise CannotRun(f"--kubeconfig {file} cannot be written: {error.strerror}. Name another file.") from None
    try:
        yield target
    except OSError as error:
        raise CannotRun(f"--kubeconfig {file} cannot be written: {error.strerror}. Name another file.") from None
    finally:
        with suppress(OSError):
            lock.unlink()


def _take(lock: Path) -> None:
    end = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL, 0o600))
            return
        except FileExistsError:
            if time.monotonic() > end:
                raise CannotRun(
                    f"{lock} exists, so another program changes this kubeconfig. Wait for it; if there is none, remove {lock}."
                ) from None
            time.sleep(0.05)
