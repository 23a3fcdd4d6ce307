"""A runtime that runs nothing: scripted containers in the loop's own time, for whole systems in virtual time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from serinus.api.meta import Json
from serinus.kube.clock import Clock
from serinus.local.node.containers.runtime import (
    CannotStart,
    Check,
    CheckResult,
    ExecCheck,
    Exit,
    HttpCheck,
    Launch,
    PodRef,
    Running,
)
from serinus.local.node.images import ImageError, ImageProgram, ImageRule


@dataclass(frozen=True, slots=True)
class FakeProgram:
    """The behaviour of one start of a container. Times in seconds.

    `listens_after`: when it answers; None for never. `runs_for`: when it ends on its own, with `exit_code`; None for
    never. `stops_in`: how long it takes after SIGTERM. `missing`: its image does not exist. `refuses`: why it cannot be
    started. `unhealthy_after`: when HTTP and exec checks begin to fail.
    """

    listens_after: float | None = 0.15
    runs_for: float | None = None
    exit_code: int = 0
    stops_in: float = 0.0
    missing: bool = False
    refuses: str = ""
    unhealthy_after: float | None = None
    last_line: str = ""


@dataclass(slots=True)
class _Container:
    launch: Launch
    program: FakeProgram
    started: float
    end: asyncio.Event = field(default_factory=asyncio.Event)
    code: int = 0
    timer: asyncio.TimerHandle | None = None


Script = Callable[[str, int], FakeProgram]
"""(image, attempt) -> its behaviour."""


class FakeRuntime:
    """`script` may be replaced at any time; each start and each pull calls it."""

    name = "fake"

    def __init__(self, clock: Clock, script: Script = lambda image, attempt: FakeProgram()) -> None:
        self._clock, self.script = clock, script
        self._numbers = itertools.count(1)
        self._containers: dict[str, _Container] = {}
        self._last: dict[tuple[PodRef, str, int], str] = {}
        self.history: list[tuple[float, str, str, str]] = []
        """(epoch seconds, `start`, `term`, `kill` or `end`, pod, image): the events, in order."""

    async def program(self, container: Json, rules: Sequence[ImageRule], namespace: str) -> ImageProgram:
        image = str(container.get("image") or "")
        if self.script(image, 0).missing:
            raise ImageError(f'image "{image}" does not exist')
        return ImageProgram(("fake",), (), "", {}, f"fake://{image}")

    def remarks(self, launch: Launch) -> Sequence[str]:
        return ()

    def does(self, launch: Launch) -> FakeProgram:
        """The behaviour of this start of a container; override it where its image does not define it."""
        return self.script(launch.image, launch.attempt)

    async def start(self, launch: Launch) -> Running:
        program = self.does(launch)
        if program.refuses:
            raise CannotStart(program.refuses)
        name = f"fake-{next(self._numbers)}"
        now = self._clock.now()
        container = self._containers[name] = _Container(launch, program, now)
        self._last[(launch.pod, launch.container, launch.attempt)] = program.last_line
        self._note("start", container)
        if program.runs_for is not None:
            loop = asyncio.get_running_loop()
            container.timer = loop.call_later(program.runs_for, self._end, container, program.exit_code)
        return Running(name, launch.container, launch.attempt, now)

    def _note(self, what: str, container: _Container) -> None:
        self.history.append((self._clock.now(), what, container.launch.pod.name, container.launch.image))

    def _end(self, container: _Container, code: int) -> None:
        if not container.end.is_set():
            container.code = code
            container.end.set()
            self._note("end", container)

    def crash(self, pod: str, code: int = 1) -> None:
        """Ends the containers of the pod with this name, now."""
        for container in self._containers.values():
            if container.launch.pod.name == pod:
                self._end(container, code)

    def live(self) -> list[Launch]:
        """The running containers."""
        return [c.launch for c in self._containers.values() if not c.end.is_set()]

    async def still_running(self, pod: PodRef) -> Sequence[Running]:
        return [
            Running(name, c.launch.container, c.launch.attempt, c.started)
            for name, c in self._containers.items()
            if c.launch.pod == pod and not c.end.is_set()
        ]

    async def ended(self, running: Running) -> Exit:
        container = self._containers[running.id]
        await container.end.wait()
        return Exit(container.code)

    async def signal(self, running: Running, *, kill: bool) -> None:
        container = self._containers.get(running.id)
        if container is None or container.end.is_set():
            return
        self._note("kill" if kill else "term", container)
        if kill:
            self._end(container, 137)
        else:
            asyncio.get_running_loop().call_later(container.program.stops_in, self._end, container, 143)

    async def check(self, running: Running, check: Check, timeout: float) -> CheckResult:
        container = self._containers.get(running.id)
        if container is None or container.end.is_set():
            return CheckResult(False, "it does not run")
        age, program = self._clock.now() - container.started, container.program
        if not isinstance(check, ExecCheck) and (program.listens_after is None or age < program.listens_after):
            return CheckResult(False, "nothing listens (connection refused)")
        healthy = program.unhealthy_after is None or age < program.unhealthy_after
        if isinstance(check, HttpCheck | ExecCheck) and not healthy:
            return CheckResult(False, "HTTP probe failed with statuscode: 500")
        return CheckResult(True)

    def directory(self, pod: PodRef) -> Path | None:
        return None

    def last_line(self, pod: PodRef, container: str, attempt: int) -> str:
        return self._last.get((pod, container, attempt), "")

    async def pods(self) -> Sequence[PodRef]:
        return list({c.launch.pod: None for c in self._containers.values()})

    async def forget(self, pod: PodRef) -> None:
        for name, container in list(self._containers.items()):
            if container.launch.pod == pod:
                if container.timer is not None:
                    container.timer.cancel()
                self._end(container, 137)
                del self._containers[name]
        self._last = {key: line for key, line in self._last.items() if key[0] != pod}

    async def keep(self) -> None:
        return

    async def stop_all(self, grace: float) -> None:
        for container in self._containers.values():
            self._end(container, 143)
