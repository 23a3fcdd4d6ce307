"""What runs containers: the protocol, and the values it speaks in.

`process.py` runs local processes, `docker.py` real images, `fake.py` nothing at all, in virtual time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from serinus.api.meta import Json
from serinus.local.node.images import ImageRule, Program

UNKNOWN_EXIT = 255
"""Exit code of a process that ended while nobody was its parent: how it ended cannot be known."""


@dataclass(frozen=True, slots=True)
class PodRef:
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Launch:
    """`attempt`: 0 for the first start. `ports`: the TCP ports it declares."""

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
    """Names of `env` that come from the pod and not from this machine."""
    memory: int = 0
    """Bytes that it may use; 0 for no limit."""


@dataclass(frozen=True, slots=True)
class Running:
    """A running container, ours or found again. `started`: seconds since the epoch."""

    id: str
    container: str
    attempt: int
    started: float


@dataclass(frozen=True, slots=True)
class Exit:
    """`code`: 128 + N if signal N ended it. `known`: whether the code is what it really ended with.

    `reason`, `message`: why the runtime ended it, "" where it did not.
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
    """Whether the container itself listens on its own address: nobody else's answer counts."""

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
    """The program cannot be started; the message is for the user."""


class Runtime(Protocol):
    name: str

    async def program(self, container: Json, rules: Sequence[ImageRule], namespace: str) -> Program:
        """What the container runs. ImageError if its image is not to be had."""
        ...

    def remarks(self, launch: Launch) -> Sequence[str]:
        """Why the program may fail once it runs: sentences for the user."""
        ...

    async def start(self, launch: Launch) -> Running:
        """CannotStart if it cannot be."""
        ...

    async def found(self, pod: PodRef) -> Sequence[Running]:
        """Containers of this pod that still run from an earlier life of the node."""
        ...

    async def ended(self, running: Running) -> Exit:
        """Waits for the end."""
        ...

    async def signal(self, running: Running, *, kill: bool) -> None:
        """SIGTERM, or SIGKILL to all of its processes. One that is gone is no error."""
        ...

    async def check(self, running: Running, check: Check, timeout: float) -> CheckResult:
        """Asks once. Never raises: no answer is an answer."""
        ...

    def directory(self, pod: PodRef) -> Path | None:
        """Where the pod's files are; None if this runtime keeps none."""
        ...

    def last_line(self, pod: PodRef, container: str, attempt: int) -> str:
        """The last line of its log, "" if there is none."""
        ...

    async def pods(self) -> Sequence[PodRef]:
        """Pods of which anything is left, running or not."""
        ...

    async def forget(self, pod: PodRef) -> None:
        """Ends what is left of this pod, at once, and removes its files and logs."""
        ...

    async def keep(self) -> None:
        """Keeps up what containers need beside their processes; until cancelled, or nothing is needed."""
        ...

    async def stop_all(self, grace: float) -> None:
        """Ends all containers: SIGTERM, and SIGKILL after `grace` seconds. Files and logs stay."""
        ...
