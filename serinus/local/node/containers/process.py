"""Runs containers as local processes.

Each process leads its own session and writes its log to a pipe with a separate reader process, so both outlive the
node: a crash of `serinus up` stops nothing. The pod's directory contains the process id and start time. The next node
finds the process by both; one that does not match belongs to another program.

    DIR/<namespace>_<pod>_<uid>/<container>/process.json     {attempt, pid, started, at}
    DIR/…/<container>/output                                 the pipe for its output
    DIR/…/<container>/<attempt>.log                          its output
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from serinus.api.meta import Json
from serinus.kube.clock import Clock
from serinus.local import processes
from serinus.local.node.container_logs import logs
from serinus.local.node.container_logs.log_pipes import PIPE, LogPipes
from serinus.local.node.containers.ending import Ending
from serinus.local.node.containers.limits import LimitExceeded, MemoryLimits
from serinus.local.node.containers.listeners import forbidden, is_own
from serinus.local.node.containers.pod_processes import marked, of_containers
from serinus.local.node.containers.program_file import found_program, why_not, working_dir
from serinus.local.node.containers.runtime import (
    UNKNOWN_EXIT,
    CannotStart,
    Check,
    CheckResult,
    ExecCheck,
    Exit,
    Launch,
    Listens,
    PodRef,
    Running,
)
from serinus.local.node.images import ImageProgram, ImageRule, program_of
from serinus.local.node.probing import exec_check
from serinus.local.node.probing.checks import ask
from serinus.local.umask import of_pods

PASSED_ON = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)
"""Variables of this machine that a container receives: those that programs need to run, and no secrets."""


class _Record(msgspec.Struct):
    """The saved data of a container's process. `at`: seconds since the epoch. `memory`: its limit in bytes."""

    attempt: int = 0
    pid: int = 0
    started: str = ""
    at: float = 0.0
    memory: int = 0


class ProcessRuntime:
    name = "process"

    def __init__(self, directory: Path, clock: Clock, *, log_limit: int = logs.LIMIT) -> None:
        self._directory, self._clock = directory, clock
        self._own: dict[int, subprocess.Popen[bytes]] = {}
        self._places: dict[str, Path] = {}
        """Container directory by running id."""
        self._pipes = LogPipes(directory, limit=log_limit)
        self._limits = MemoryLimits(directory)
        self._ending = Ending(directory)

    async def program(self, container: Json, rules: Sequence[ImageRule], namespace: str) -> ImageProgram:
        return program_of(container, rules, namespace)

    def directory(self, pod: PodRef) -> Path | None:
        return self._directory / f"{pod.namespace}_{pod.name}_{pod.uid}"

    def _place(self, pod: PodRef, container: str) -> Path:
        return self._directory / f"{pod.namespace}_{pod.name}_{pod.uid}" / container

    async def start(self, launch: Launch) -> Running:
        place = self._place(launch.pod, launch.container)
        place.mkdir(parents=True, exist_ok=True)
        directory = working_dir(launch, place.parent)
        if directory is None:
            raise CannotStart(
                f"workingDir {launch.working_dir!r} is no directory on this machine: create it, or name another"
            )
        if (place / "process.json").exists():
            await self._ending.of(place)  # an earlier start may have ended unobserved
        for old in place.glob("*.log*"):
            number = old.name.partition(".")[0]
            if number.isdigit() and int(number) < launch.attempt - 1:
                old.unlink(missing_ok=True)
        argv = found_program(launch, directory)
        at = self._clock.now()
        try:
            output = await self._pipes.open(place, launch.attempt)
        except OSError as error:
            raise CannotStart(
                f"the pipe for its log, {place / PIPE}, cannot be made ({error.strerror or error}): let the data directory "
                "be on a local disk, or choose another with --data"
            ) from error
        try:
            try:
                process = subprocess.Popen(  # noqa: ASYNC220 - takes a millisecond; its record must follow
                    argv,
                    env=marked({**self.base(), **launch.env}, place),
                    cwd=directory,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                    umask=of_pods(),
                )
            except OSError as error:
                raise CannotStart(why_not(launch.argv[0], error)) from error
        finally:
            os.close(output)
        started = processes.started_at(process.pid)
        self._own[process.pid] = process
        _write(place / "process.json", _Record(launch.attempt, process.pid, started, at, launch.memory))
        running = Running(f"{process.pid}@{started}", launch.container, launch.attempt, at)
        self._places[running.id] = place
        return running

    def remarks(self, launch: Launch) -> Sequence[str]:
        return [
            f"port {port} is below 1024: on this machine only root may listen on it. Declare a containerPort from 1024 on "
            f"(a Service may keep port {port}), or allow it with `sudo sysctl net.ipv4.ip_unprivileged_port_start={port}`"
            for port in forbidden(launch.ip, launch.ports)
        ]

    def base(self) -> dict[str, str]:
        return {k: os.environ[k] for k in PASSED_ON if k in os.environ}

    async def still_running(self, pod: PodRef) -> Sequence[Running]:
        running: list[Running] = []
        for file in sorted((self._directory / f"{pod.namespace}_{pod.name}_{pod.uid}").glob("*/process.json")):
            record = _read(file)
            if processes.is_running(record.pid, record.started):
                container = Running(f"{record.pid}@{record.started}", file.parent.name, record.attempt, record.at)
                self._places[container.id] = file.parent
                running.append(container)
        return running

    async def ended(self, running: Running) -> Exit:
        pid, started = _identity(running)
        own = self._own.get(pid)
        if own is None:
            await processes.ended(pid, started)
            why = await self._over(running)
            return Exit(137, True, *why) if why else Exit(UNKNOWN_EXIT, known=False)
        # A child stays at least a zombie until it is reaped, so its id cannot be reused.
        if own.poll() is None:
            await _child_ended(own)
        self._own.pop(pid, None)
        why = await self._over(running)
        code = own.returncode if own.returncode is not None else UNKNOWN_EXIT
        return Exit(128 - code if code < 0 else code, True, *(why or ()))

    async def _over(self, running: Running) -> LimitExceeded | None:
        """Ends the whole container after its first process, and completes its log."""
        processes.kill_group(*_identity(running))
        place = self._places.pop(running.id, None)
        if place is not None:
            await self._ending.of(place)
            await self._pipes.drained(place)
        return self._limits.verdicts.pop(place, None) if place is not None else None

    async def keep(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pipes.keep(lambda: [(p, record.attempt) for p, record in self._running().items()]))
            group.create_task(self._limits.keep(lambda: {p: record.memory for p, record in self._running().items()}))

    def _running(self) -> dict[Path, _Record]:
        """The running containers' records, by directory."""
        records = {place: _read(place / "process.json") for place in set(self._places.values())}
        return {place: record for place, record in records.items() if processes.is_running(record.pid, record.started)}

    async def signal(self, running: Running, *, kill: bool) -> None:
        pid, started = _identity(running)
        if not processes.is_running(pid, started):
            return
        if kill:
            processes.kill_group(pid, started)
        else:
            # To the first process only, as in a container: it must stop its own children.
            processes.send(pid, started, signal.SIGTERM)

    async def check(self, running: Running, check: Check, timeout: float) -> CheckResult:
        if isinstance(check, ExecCheck):
            place = self._places.get(running.id)
            return await exec_check.run(check, timeout, marked(self.base(), place) if place else self.base())
        result = await ask(check, timeout)
        if result.ok and isinstance(check, Listens):
            pid, _ = _identity(running)
            own = await asyncio.to_thread(is_own, check.host, check.port, pid)
            if not own:
                return CheckResult(
                    False, f"another program listens on port {check.port} of every address of this machine"
                )
        return result

    def last_line(self, pod: PodRef, container: str, attempt: int) -> str:
        return logs.last_line(self._place(pod, container) / f"{attempt}.log")

    async def pods(self) -> Sequence[PodRef]:
        # No part of such a name can contain an underscore.
        names = [d.name.split("_") for d in self._directory.glob("*_*_*") if d.is_dir()]
        return [PodRef(*parts) for parts in names if len(parts) == 3]

    async def forget(self, pod: PodRef) -> None:
        for running in await self.still_running(pod):
            await self.signal(running, kill=True)
            await self.ended(running)
        place = self._directory / f"{pod.namespace}_{pod.name}_{pod.uid}"
        await self._ending.of(place)
        await asyncio.to_thread(shutil.rmtree, place, True)

    async def stop_all(self, grace: float) -> None:
        running = [r for pod in await self.pods() for r in await self.still_running(pod)]

        async def stop(one: Running) -> None:
            await self.signal(one, kill=False)
            try:
                async with asyncio.timeout(grace):
                    await self.ended(one)
            except TimeoutError:
                await self.signal(one, kill=True)
                await self.ended(one)

        await asyncio.gather(*(stop(one) for one in running))
        # Remaining processes of containers whose first process ended unobserved.
        left = await asyncio.to_thread(of_containers, self._directory)
        await asyncio.gather(*(self._ending.of(place) for place in left))
        await self._pipes.stop()


def _identity(running: Running) -> tuple[int, str]:
    pid, _, started = running.id.partition("@")
    return int(pid), started


async def _child_ended(process: subprocess.Popen[bytes]) -> None:
    try:
        fd = os.pidfd_open(process.pid)
    except (AttributeError, OSError):
        while process.poll() is None:  # noqa: ASYNC110 - the only way without pidfd
            await asyncio.sleep(0.02)
        return
    try:
        gone = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(fd, gone.set)
        try:
            await gone.wait()
        finally:
            loop.remove_reader(fd)
    finally:
        os.close(fd)
    process.wait()


def _write(path: Path, content: _Record) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(msgspec.json.encode(content))
    temporary.replace(path)


def _read(path: Path) -> _Record:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Record)
    except (OSError, ValueError):
        return _Record()
