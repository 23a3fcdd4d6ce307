"""Checks that only this user can read and write the data directory.

A user who can write here controls the API token and the programs that run as this user. A user who can read here can
read the Secrets. So the directory belongs to the effective user and has mode 0700. No other user can replace it, and it
contains no symbolic link and no other user's file. The check runs after the mode is set: from then on only this user
can change the checked files.

In a pod's own directory only Serinus' files are checked; the other files belong to the pod.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

from serinus.local.cannot_run import CannotRun

DIRECTORIES = ("certificates", "gateway", "log", "pods")
SOCKETS = ("keeper.sock", "pods/logs.sock")
_KEPT_BY_POD = ("process.json", "output")
"""Including the logs."""
_ELSEWHERE = "choose another directory with --data DIR"
_MOST_LINKS = 40


def check_place(directory: Path) -> None:
    """Raises CannotRun if another user can replace this directory."""
    own = os.geteuid()
    for place, status in _way(directory):
        if status.st_uid not in (own, *_ROOTS):
            raise CannotRun(
                f"{place} belongs to {_user(status.st_uid)}, who can replace {directory}: {_elsewhere(own)}."
            )
        writers = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if stat.S_ISLNK(status.st_mode) or not writers or status.st_mode & stat.S_ISVTX:
            continue
        if writers & stat.S_IWOTH or not _alone_in(status.st_gid):
            raise CannotRun(
                f"{place} has mode {stat.S_IMODE(status.st_mode):04o}, so other users can replace {directory}: "
                f"type `chmod go-w {place}`, or {_ELSEWHERE}."
            )


def check_owner(directory: Path) -> None:
    """Raises CannotRun if another user owns the directory and so controls its contents."""
    try:
        status = directory.stat()
    except (FileNotFoundError, NotADirectoryError):
        return
    if status.st_uid != (own := os.geteuid()):
        raise CannotRun(
            f"{directory} belongs to {_user(status.st_uid)}, not to {_user(own)}, who runs this: {_elsewhere(own)}."
        )


def make_private(directory: Path) -> None:
    """Sets mode 0700 on the existing directory. Raises CannotRun if another user owns it."""
    check_owner(directory)
    if stat.S_IMODE(directory.stat().st_mode) != 0o700:
        directory.chmod(0o700)


def check_files(directory: Path) -> None:
    """Raises CannotRun with the first file that is a link, another user's, of the wrong kind, or inaccessible.

    A running `up` removes files meanwhile, such as those of a pod that ends. A file that is gone is no error.
    """
    for path in _own_files(directory):
        try:
            status = path.lstat()
            wrong = _wrong(path.relative_to(directory).as_posix(), path, status)
        except FileNotFoundError:
            continue
        if wrong and os.path.lexists(path):
            raise CannotRun(f"{path} {wrong}.")


def _own_files(directory: Path) -> Iterator[Path]:
    for path in sorted(directory.iterdir()):
        yield path
        if path.name in DIRECTORIES:
            yield from _entries(path)
    for place in _entries(directory / "pods"):
        for container in _entries(place):
            own = [container / name for name in _KEPT_BY_POD]
            if any(os.path.lexists(path) for path in own):
                yield container
                yield from (p for p in _entries(container) if p in own or ".log" in p.suffixes)


def _entries(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _wrong(name: str, path: Path, status: os.stat_result) -> str:
    """The problem and its fix; "" if there is none."""
    if stat.S_ISLNK(status.st_mode):
        return f"is a symbolic link to {os.readlink(path)}: remove it; Serinus follows no links in its directory"
    if status.st_uid != os.geteuid():
        return f"belongs to {_user(status.st_uid)}: remove it, or {_ELSEWHERE}"
    is_directory, parts = stat.S_ISDIR(status.st_mode), name.split("/")
    if parts[0] == "pods" and len(parts) in (2, 3) and name not in SOCKETS and not name.startswith("pods/logs."):
        expected = "directory"
    else:
        expected = "directory" if name in DIRECTORIES else "file"
    if is_directory != (expected == "directory"):
        return f"is a {'directory' if is_directory else 'file'}, and must be a {expected}: move it away"
    if expected == "file" and not is_directory and not (stat.S_ISREG(status.st_mode) or _may_be_special(name, status)):
        return "is neither a file nor a directory: remove it"
    needed = os.R_OK | os.W_OK | (os.X_OK if is_directory else 0)
    if not os.access(path, needed, effective_ids=os.access in os.supports_effective_ids):
        change = "u+rwx" if is_directory else "u+rw"
        return (
            f"has mode {stat.S_IMODE(status.st_mode):04o}, and this user cannot read and write it: "
            f"type `chmod {change} {path}`"
        )
    return ""


def _may_be_special(name: str, status: os.stat_result) -> bool:
    return (name in SOCKETS and stat.S_ISSOCK(status.st_mode)) or (
        name.startswith("pods/") and name.endswith("/output") and stat.S_ISFIFO(status.st_mode)
    )


def _way(directory: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Each existing directory and symbolic link on the path from the root to the directory, without the directory."""
    place, parts, links = Path("/"), list(reversed(directory.parts[1:])), 0
    yield place, place.lstat()
    while parts:
        part = parts.pop()
        if part == "..":
            place = place.parent
            continue
        try:
            status = (place / part).lstat()
        except FileNotFoundError:
            return
        if parts or stat.S_ISLNK(status.st_mode):
            yield place / part, status
        if not stat.S_ISLNK(status.st_mode):
            place /= part
        elif (links := links + 1) > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(directory))
        else:
            target = Path(os.readlink(place / part))
            place = Path("/") if target.is_absolute() else place
            parts += reversed(target.parts[1:] if target.is_absolute() else target.parts)


def _roots() -> tuple[int, ...]:
    """User ids that may write anywhere. In a user namespace, the outside root appears as the overflow user."""
    try:
        mapped = Path("/proc/self/uid_map").read_text().split()
        overflow = int(Path("/proc/sys/kernel/overflowuid").read_text())
    except (OSError, ValueError):
        return (0,)
    return (0,) if mapped == ["0", "0", str(2**32 - 1)] else (0, overflow)


_ROOTS = _roots()


def _alone_in(gid: int) -> bool:
    """Whether a group is this user's private group. Many systems create one for each user."""
    try:
        user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(gid)
    except KeyError:
        return False
    return group.gr_name == user.pw_name and not set(group.gr_mem) - {user.pw_name}


def _user(uid: int) -> str:
    try:
        return f"user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"user {uid}"


def _elsewhere(own: int) -> str:
    return f"run as that user, or {_ELSEWHERE}" if own == 0 else _ELSEWHERE
