"""All processes of a container, including those that left its session: daemons, and children of `setsid` or `nohup`.

An ordinary user cannot always create a cgroup, so processes are identified by inheritance: the variable
SERINUS_CONTAINER in their initial environment, the container's pipe as their output, or a parent so identified. A
process that deliberately drops all three (another environment, other files, an ended parent) is not found.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Set
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from serinus.local.processes import started_at

VARIABLE = "SERINUS_CONTAINER"
"""Its value is the container's directory, whose name contains the pod's uid."""
_MARK = f"\0{VARIABLE}=".encode()
_PIPE = "/output"
_PATIENCE = 10.0


class Process(NamedTuple):
    """`memory`: resident bytes."""

    pid: int
    memory: int


def of_containers(directory: Path) -> dict[Path, list[Process]]:
    """The processes of each container below the pods' directory, by container directory."""
    places: dict[int, Path | None] = {}
    parents: dict[int, int] = {}
    memory: dict[int, int] = {}
    for entry in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        if entry.isdigit() and (fields := _stat(entry)):
            pid = int(entry)
            parents[pid], memory[pid] = int(fields[1]), int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
            places[pid] = _place(entry, directory)
    by_container: dict[Path, list[Process]] = {}
    for pid in parents:
        above = pid
        while above in parents and places[above] is None:
            above = parents[above]
        place = places.get(above)
        if place is not None:
            by_container.setdefault(place, []).append(Process(pid, memory[pid]))
    return by_container


def end_all(directory: Path, places: Set[Path]) -> set[int]:
    """Kills all processes of the containers or pods with these directories. Returns those still alive after 10 s.

    They are stopped (SIGSTOP) before they are killed, so that none starts another one meanwhile. A killed process loses
    its memory, and with it the environment that identifies it, before it closes its files and ends.
    """
    end = time.monotonic() + _PATIENCE
    stopped: dict[int, str] = {}
    """Process -> its start time, which another process with this id would not have."""
    while alive := {p.pid for key, ps in of_containers(directory).items() if places & {key, key.parent} for p in ps} | {
        pid for pid, started in stopped.items() if started and started_at(pid) == started
    }:
        fresh = alive - stopped.keys()
        stopped |= {pid: started_at(pid) for pid in fresh}
        for pid in fresh or alive:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGSTOP if fresh else signal.SIGKILL)
        if time.monotonic() > end:
            return alive
        if not fresh:
            time.sleep(0.01)
    return set()


def exact_memory(processes: list[Process]) -> int:
    """Bytes that the processes use together; shared memory counts once."""
    return sum(_shared_out(process) for process in processes)


def _shared_out(process: Process) -> int:
    with suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return process.memory


def marked(env: Mapping[str, str], place: Path) -> dict[str, str]:
    """The environment with the container's mark."""
    return {**env, VARIABLE: str(place)}


def _stat(pid: str) -> list[str]:
    """The fields after the name: state, parent, …; empty for an ended process or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, UnicodeDecodeError):
        return []
    return fields if len(fields) > 21 and fields[0] not in "ZX" else []


def _place(pid: str, directory: Path) -> Path | None:
    try:
        environment = b"\0" + Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return None
    _, mark, rest = environment.partition(_MARK)
    names = [os.fsdecode(rest.partition(b"\0")[0])] if mark else []
    for number in (1, 2):
        with suppress(OSError):
            target = os.readlink(f"/proc/{pid}/fd/{number}")
            if target.endswith(_PIPE):
                names.append(target.removesuffix(_PIPE))
    return next((place for name in names if (place := Path(name)).parent.parent == directory), None)
