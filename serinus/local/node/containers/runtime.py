"""The container runtime: the protocol and its data types.

`process.py` runs local processes, `docker.py` real images. Tests have one that runs nothing, in virtual time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from serinus.api.meta import Json
from serinus.local.node.images import ImageProgram, ImageRule

UNKNOWN_EXIT = 255
"""Exit code of a process that ended without a parent: its real code is unknown."""


@dataclass(frozen=True, slots=True)
class PodRef:
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Launch:
    """`attempt`: 0 for the first start. `ports`: the declared TCP ports."""

    pod: PodRef
    container: str
    attempt: int
    argv: tuple[str, ...]
    env: Mapping[str, str]
    working_dir: str
    ip: str
    image: str
    ports: tuple[int, ...] = ()
    own: tuple[str, ...] = ()
    """Names in `env` that come from the pod, not from this machine."""
    memory: int = 0
    """Memory limit in bytes; 0 for none."""


@dataclass(frozen=True, slots=True)
class Running:
    """A running container, started or re-adopted by this node. `started`: seconds since the epoch."""

    id: str
    container: str
    attempt: int
    started: float


@dataclass(frozen=True, slots=True)
class Exit:
    """`code`: 128 + N if signal N ended it. `known`: whether the code is the real exit code.

    `reason`, `message`: why the runtime ended it, "" if it did not.
    """

    code: int
    known: bool = True
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class HttpCheck:
    host: str
    port: int
    path: str = "/"
    scheme: str = "http"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class TcpCheck:
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Listens:
    """Checks that the container itself listens on its own address; another program's answer does not count."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class ExecCheck:
    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    working_dir: str = ""


Check = HttpCheck | TcpCheck | Listens | ExecCheck


@dataclass(frozen=True, slots=True)
class CheckResult:
    ok: bool
    message: str = ""


class CannotStart(Exception):
    """The program cannot start; the message is for the user."""


class Runtime(Protocol):
    name: str

    async def program(self, container: Json, rules: Sequence[ImageRule], namespace: str) -> ImageProgram:
        """The container's program. Raises ImageError if its image is unavailable."""
        ...

    def remarks(self, launch: Launch) -> Sequence[str]:
        """Warnings about possible failures of the program: sentences for the user."""
        ...

    async def start(self, launch: Launch) -> Running:
        """Starts a container. Raises CannotStart."""
        ...

    async def still_running(self, pod: PodRef) -> Sequence[Running]:
        """Containers of this pod that still run from an earlier node process."""
        ...

    async def ended(self, running: Running) -> Exit:
        """Waits for the container's end."""
        ...

    async def signal(self, running: Running, *, kill: bool) -> None:
        """Sends SIGTERM, or SIGKILL to all of its processes. An ended container is not an error."""
        ...

    async def check(self, running: Running, check: Check, timeout: float) -> CheckResult:
        """Runs the check once. Never raises: a missing answer is a result."""
        ...

    def directory(self, pod: PodRef) -> Path | None:
        """The directory of the pod's files; None if this runtime has none."""
        ...

    def last_line(self, pod: PodRef, container: str, attempt: int) -> str:
        """The last line of its log, "" if there is none."""
        ...

    async def pods(self) -> Sequence[PodRef]:
        """Pods with remaining files or processes, running or not."""
        ...

    async def forget(self, pod: PodRef) -> None:
        """Ends the pod's remaining processes at once, and removes its files and logs."""
        ...

    async def keep(self) -> None:
        """Maintains the helpers of containers, until cancelled or unneeded."""
        ...

    async def stop_all(self, grace: float) -> None:
        """Ends all containers: SIGTERM, then SIGKILL after `grace` seconds. Files and logs stay."""
        ...
