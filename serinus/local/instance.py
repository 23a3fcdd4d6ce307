"""One instance on this machine: its data directory, the process that holds it, and its saved state.

    DIR/instance.json   marks the directory as Serinus' own, with its layout version
    DIR/lock            held (flock) by the running `serinus up`, with its process id
    DIR/state.json      the data for `serinus status`; the next start reuses the ports
    DIR/kubeconfig      access to the instance, mode 0600
    DIR/dashboard.token the token for changes through the dashboard, mode 0600
    DIR/log/            the logs of its processes

Serinus never resets a directory without confirmation. It refuses a foreign directory or another layout and states the
fix.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import stat
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serinus import __version__
from serinus.local.cannot_run import CannotRun
from serinus.local.data_directory import check_files, check_place, make_private
from serinus.local.umask import private_files

LAYOUT = 1
DEFAULT_DIR = Path("~/.serinus")


@dataclass(frozen=True, slots=True)
class Instance:
    directory: Path

    @property
    def lock_file(self) -> Path:
        return self.directory / "lock"

    @property
    def state_file(self) -> Path:
        return self.directory / "state.json"

    @property
    def database(self) -> Path:
        return self.directory / "objects.db"

    @property
    def log_dir(self) -> Path:
        return self.directory / "log"

    @property
    def gateway_dir(self) -> Path:
        return self.directory / "gateway"

    @property
    def pods_dir(self) -> Path:
        return self.directory / "pods"

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    @property
    def dashboard_token(self) -> Path:
        return self.directory / "dashboard.token"

    @property
    def is_ours(self) -> bool:
        """Whether Serinus created the directory. Raises CannotRun if this user cannot read it."""
        try:
            return stat.S_ISREG((self.directory / "instance.json").stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise CannotRun(explain(error, self.directory)) from error

    def holder(self) -> int | None:
        """The process id of the running `up`, or None."""
        try:
            with self.lock_file.open("r", errors="replace") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    text = file.read().strip()
                    return int(text) if text.isdigit() else 0
        except OSError:
            pass
        return None

    def state(self) -> dict[str, Any]:
        """The state that the last `up` wrote; {} if it is absent or unreadable."""
        try:
            value: Any = json.loads(self.state_file.read_text())
        except (OSError, ValueError):
            return {}
        return value if isinstance(value, dict) else {}

    def port(self, name: str) -> int:
        """A port that the last `up` saved in its state; 0 if absent."""
        port = self.state().get(name)
        return port if isinstance(port, int) and 0 < port < 65536 else 0

    def write_state(self, state: dict[str, Any]) -> None:
        new = self.state_file.with_suffix(".new")
        new.touch(0o600)
        new.write_text(json.dumps(state, indent=1) + "\n")
        new.replace(self.state_file)


def instance_at(directory: str | Path | None) -> Instance:
    """The instance with its data in `directory`; the user's default instance if none is given."""
    chosen = Path(directory or os.environ.get("SERINUS_DATA") or DEFAULT_DIR)
    return Instance(Path(os.path.abspath(chosen.expanduser())))


def prepare(instance: Instance) -> None:
    """Creates the directory, or checks that this version can read it, and removes other users' access.

    Raises CannotRun.
    """
    with private_files():
        _prepare(instance)


def _prepare(instance: Instance) -> None:
    directory, marker = instance.directory, instance.directory / "instance.json"
    try:
        check_place(directory)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_place(directory)
        if os.path.lexists(marker):
            make_private(directory)
            check_files(directory)
            _check_marker(instance, marker)
        else:
            others = sorted(p.name for p in directory.iterdir() if p.name != "lock")
            if others:
                raise CannotRun(
                    f"{directory} is not a data directory of Serinus: it holds {', '.join(others[:3])}"
                    f"{' …' if len(others) > 3 else ''}. Choose an empty or new one with --data DIR."
                )
            make_private(directory)
            check_files(directory)
            new = marker.with_suffix(".new")
            new.write_text(json.dumps({"serinus": __version__, "layout": LAYOUT}) + "\n")
            new.replace(marker)
        instance.log_dir.mkdir(exist_ok=True)
    except FileExistsError:
        raise CannotRun(f"{directory} is a file. Choose another place with --data DIR.") from None
    except OSError as error:
        raise CannotRun(explain(error, directory)) from error


def _check_marker(instance: Instance, marker: Path) -> None:
    try:
        fields: Any = json.loads(marker.read_text())
        layout, version = int(fields["layout"]), str(fields["serinus"])
    except (ValueError, KeyError, TypeError):
        raise CannotRun(
            f"{marker} cannot be read, so this may be another program's directory. "
            f"Choose another with --data DIR, or remove {instance.directory} yourself."
        ) from None
    if layout != LAYOUT:
        raise CannotRun(
            f"{instance.directory} was written by Serinus {version} (layout {layout}); this is Serinus {__version__} "
            f"(layout {LAYOUT}). Run that version, choose another directory with --data DIR, "
            f"or start afresh with: serinus reset --data {instance.directory}"
        )


def hold(instance: Instance) -> int:
    """Locks the instance for this process until the returned descriptor closes. Raises CannotRun."""
    try:
        fd = os.open(instance.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotRun(explain(error, instance.directory)) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise CannotRun(
            f"{instance.directory} is in use by process {instance.holder() or '(unknown)'}: it is running already. "
            f"See it with: serinus status --data {instance.directory}; stop it with: serinus down --data "
            f"{instance.directory}; or start a second one with another --data DIR."
        ) from None
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    except OSError as error:
        os.close(fd)
        raise CannotRun(explain(error, instance.directory)) from error
    return fd


def wait_released(instance: Instance, seconds: float, alive: Callable[[], bool] = lambda: True) -> bool:
    """Whether the running `up` releases the lock within `seconds`."""
    end = time.monotonic() + seconds
    while instance.holder() is not None:
        if time.monotonic() > end or not alive():
            return instance.holder() is None
        time.sleep(0.02)
    return True


def remove(instance: Instance) -> None:
    """Deletes all data of the instance. The caller has checked that it does not run and that Serinus created it."""
    with suppress(FileNotFoundError):
        shutil.rmtree(instance.directory)


def note_flaw(instance: Instance) -> Path:
    """Logs the traceback of the current exception and returns the log file."""
    file = instance.log_dir / "serinus.log"
    with suppress(OSError), file.open("a") as log:
        log.write(traceback.format_exc())
    return file


def explain(error: OSError, directory: Path) -> str:
    """Turns a failed read or write of the data directory into a sentence with the fix."""
    full = f"The disk that holds {directory} is full. Free some space, then start again: nothing was lost."
    elsewhere = "choose another directory with --data DIR"
    where = error.filename or directory
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return full
        case errno.EROFS:
            return f"{where} is on a read-only disk: {elsewhere}."
        case errno.EACCES | errno.EPERM:
            return f"{where} cannot be read or written by this user. Change its owner, or {elsewhere}."
        case errno.ENOTDIR:
            return f"{where} lies below a file: {elsewhere}."
        case _:
            return f"{where}: {error.strerror or error}. If that cannot be mended, {elsewhere}."
