"""Containers of real images, through the command line of docker or podman.

`docker run` stays in the foreground as a local process, so that logs, exit codes and finding a container again work as
for processes. The pod's address belongs to this machine: each declared TCP port is published on it, and the program
inside listens as it does anywhere. Neither engine runs where this is developed: the command lines are tested, the
engines are not.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from serinus.api.meta import Json
from serinus.kube.clock import Clock
from serinus.local.node.checks import ask
from serinus.local.node.images import ImageError, ImageRule, Program
from serinus.local.node.process import ProcessRuntime
from serinus.local.node.runtime import Check, CheckResult, ExecCheck, Launch, PodRef, Running

ENGINES = ("docker", "podman")
ANSWER_SECONDS = 20.0
"""How long an engine may take to say that it is there: one on a virtual machine wakes up slowly."""


class NoEngine(Exception):
    """No container engine answers; the message says what to do."""


async def answering_engine(names: Sequence[str] = ENGINES, *, seconds: float = ANSWER_SECONDS) -> str:
    """The first command among the names whose engine answers. Raises NoEngine with what each one said."""
    said: list[str] = []
    for name in names:
        if shutil.which(name) is None:
            said.append(f"{name} is not installed")
            continue
        try:
            code, output = await _output(name, "info", seconds=seconds)
        except OSError as error:
            code, output = 1, str(error.strerror)
        if code == 0:
            return name
        lines = output.strip().splitlines()
        said.append(f"{name} says: {lines[-1].strip() if lines else f'nothing, exit code {code}'}")
    raise NoEngine(
        f"`--runtime docker` needs a container engine, and none answers ({'; '.join(said)}). Start it "
        "(`docker info` shows when it is there), or leave out `--runtime docker` to run pods as local processes."
    )


class DockerRuntime(ProcessRuntime):
    name = "docker"

    def __init__(self, directory: Path, clock: Clock, engine: str = "") -> None:
        super().__init__(directory, clock)
        self.engine = engine or next((e for e in ENGINES if shutil.which(e)), ENGINES[0])
        self._names: dict[str, str] = {}

    async def program(self, container: Json, rules: Sequence[ImageRule], namespace: str) -> Program:
        image = str(container.get("image") or "")
        always = (container.get("imagePullPolicy") or "IfNotPresent") == "Always"
        code, output = await self._call(*inspect_command(image))
        if code != 0 or always:
            pulled, message = await self._call(*pull_command(image))
            if pulled != 0 and code != 0:
                raise ImageError(f'image "{image}" cannot be pulled by {self.engine}: {message[-300:]}')
            code, output = await self._call(*inspect_command(image))
        words = tuple(str(w) for w in container.get("command") or ())
        return Program(words, tuple(str(w) for w in container.get("args") or ()), "", {}, output.strip())

    async def start(self, launch: Launch) -> Running:
        name = container_name(launch.pod, launch.container, launch.attempt)
        await self._call("rm", "--force", name)
        argv = (self.engine, *run_command(name, launch))
        running = await super().start(
            Launch(launch.pod, launch.container, launch.attempt, argv, {}, "", launch.ip, launch.image)
        )
        self._names[running.id] = name
        return running

    async def signal(self, running: Running, *, kill: bool) -> None:
        name = self._names.get(running.id)
        if name is None or not kill:
            # The command line passes SIGTERM on to the container.
            await super().signal(running, kill=kill)
        else:
            await self._call("rm", "--force", name)
            await super().signal(running, kill=True)

    async def found(self, pod: PodRef) -> Sequence[Running]:
        running = await super().found(pod)
        for one in running:
            self._names[one.id] = container_name(pod, one.container, one.attempt)
        return running

    async def check(self, running: Running, check: Check, timeout: float) -> CheckResult:
        if not isinstance(check, ExecCheck):
            return await ask(check, timeout)
        code, output = await self._call("exec", self._names.get(running.id, ""), *check.command, timeout=timeout)
        return CheckResult(code == 0, output.strip()[-200:] or f"exit code {code}")

    async def _call(self, *arguments: str, timeout: float = 300.0) -> tuple[int, str]:
        """(exit code, what it said)."""
        try:
            return await _output(self.engine, *arguments, seconds=timeout)
        except OSError as error:
            raise ImageError(
                f"{self.engine} cannot be run: {error.strerror}; install it, or leave out `--runtime docker`"
            ) from error

    def base(self) -> dict[str, str]:
        """The client's environment, which says where its engine is. Containers get only what `--env` passes."""
        return dict(os.environ)


async def _output(engine: str, *arguments: str, seconds: float) -> tuple[int, str]:
    """(exit code, what it said). Raises OSError where it cannot be started."""
    process = await asyncio.create_subprocess_exec(
        engine,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return 1, f"no answer within {seconds:g} s"
    return process.returncode or 0, output.decode("utf-8", "replace")


def container_name(pod: PodRef, container: str, attempt: int) -> str:
    return f"serinus_{pod.namespace}_{pod.name}_{container}_{pod.uid[:8]}_{attempt}"


def inspect_command(image: str) -> tuple[str, ...]:
    return "image", "inspect", "--format", "{{.Id}}", image


def pull_command(image: str) -> tuple[str, ...]:
    return "pull", "--quiet", image


def run_command(name: str, launch: Launch) -> tuple[str, ...]:
    """The arguments of `docker run`. Where the launch has no `argv`, the image's own command runs."""
    words = ["run", "--rm", "--init", "--name", name, "--hostname", launch.pod.name[:63]]
    words += ["--label", f"serinus.pod={launch.pod.uid}", "--label", f"serinus.container={launch.container}"]
    for port in launch.ports:
        words += ["--publish", f"{launch.ip}:{port}:{port}/tcp"]
    for key in sorted(set(launch.own) & set(launch.env)):
        words += ["--env", f"{key}={launch.env[key]}"]
    if launch.working_dir:
        words += ["--workdir", launch.working_dir]
    if launch.argv:
        # --entrypoint takes one word; the rest of `command` goes before the arguments.
        words += ["--entrypoint", launch.argv[0], launch.image, *launch.argv[1:]]
    else:
        words.append(launch.image)
    return tuple(words)
