"""Runs real images with the docker or podman command line.

`docker run` stays in the foreground as a local process, so logs, exit codes and re-adoption work as for processes. The
pod's address belongs to this machine. Each declared TCP port is published on it, and the program inside listens as
usual. `make test-nodes` runs the tests of `serinus up` with Podman; Docker's command lines are tested, its engine is not.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from serinus.api.meta import Json
from serinus.kube.clock import Clock
from serinus.local.node.containers.process import ProcessRuntime
from serinus.local.node.containers.runtime import Check, CheckResult, ExecCheck, Exit, Launch, PodRef, Running
from serinus.local.node.images import ImageError, ImageProgram, ImageRule
from serinus.local.node.probing.checks import ask
from serinus.local.node.probing.exec_check import end_of

ENGINES = ("docker", "podman")
_OF_THE_CLIENT = (
    "DOCKER",
    "PODMAN",
    "CONTAINER",
    "BUILDAH",
    "REGISTRY",
    "XDG",
    "LD_",
    "PATH",
    "HOME",
    "TMPDIR",
    "HTTP",
)
KILLED = 137
"""The exit code after SIGKILL."""
ANSWER_SECONDS = 20.0
"""Seconds that an engine may take to answer: on a virtual machine it starts slowly."""


class NoEngine(Exception):
    """The container engine does not answer; the message has the fix."""


async def check_engine(name: str, *, seconds: float = ANSWER_SECONDS) -> None:
    """Returns if the engine `name` answers. Raises NoEngine with the command and its output."""
    fault = await _fault(name, seconds)
    if not fault:
        return
    others = [other for other in ENGINES if other != name and not await _fault(other, seconds)]
    instead = "".join(f"use `--runtime {other}`, which answers; " for other in others)
    raise NoEngine(
        f"`--runtime {name}` needs {name}, and {fault}. Install or start {name} until `{name} info` succeeds; {instead}"
        f"or leave out `--runtime {name}` to run pods as local processes."
    )


async def _fault(name: str, seconds: float) -> str:
    """Why the engine is unusable; "" if it answers."""
    if shutil.which(name) is None:
        return f"the command `{name}` is not in PATH"
    try:
        code, output = await _output(name, "info", seconds=seconds)
    except OSError as error:
        return f"`{name} info` cannot be run: {error.strerror or error}"
    if code == 0:
        return ""
    lines = output.strip().splitlines()
    return f"`{name} info` failed: {lines[-1].strip().rstrip('.?!') if lines else f'no words, exit code {code}'}"


class DockerRuntime(ProcessRuntime):
    def __init__(self, directory: Path, clock: Clock, engine: str = ENGINES[0]) -> None:
        super().__init__(directory, clock)
        self.name = self.engine = engine
        self._names: dict[str, str] = {}
        self._memory: dict[str, int] = {}
        """Memory limits in bytes, by running id, of containers that have one and that Serinus did not kill."""

    async def program(self, container: Json, rules: Sequence[ImageRule], namespace: str) -> ImageProgram:
        image = str(container.get("image") or "")
        always = (container.get("imagePullPolicy") or "IfNotPresent") == "Always"
        code, output = await self._call(*inspect_command(image))
        if code != 0 or always:
            pulled, message = await self._call(*pull_command(image))
            if pulled != 0 and code != 0:
                raise ImageError(f'image "{image}" cannot be pulled by {self.engine}: {message.strip()[-300:]}')
            code, output = await self._call(*inspect_command(image))
        words = tuple(str(w) for w in container.get("command") or ())
        return ImageProgram(words, tuple(str(w) for w in container.get("args") or ()), "", {}, output.strip())

    def remarks(self, launch: Launch) -> Sequence[str]:
        return ()

    async def start(self, launch: Launch) -> Running:
        name = container_name(launch.pod, launch.container, launch.attempt)
        await self._call("rm", "--force", name)
        argv = (self.engine, *run_command(name, launch))
        env = {key: launch.env[key] for key in _by_name(launch)}
        running = await super().start(
            Launch(launch.pod, launch.container, launch.attempt, argv, env, "", launch.ip, launch.image)
        )
        self._names[running.id] = name
        if launch.memory:
            self._memory[running.id] = launch.memory
        return running

    async def ended(self, running: Running) -> Exit:
        """The container's end. After it, the engine has no container of this name.

        A command line that is ended while it creates its container leaves it behind. The engine enforces a memory limit by
        SIGKILL and does not always report it. Serinus forgets the limit of a container that it kills itself.
        """
        ended = await super().ended(running)
        if name := self._names.pop(running.id, None):
            await self._call("rm", "--force", name)
        limit = self._memory.pop(running.id, 0)
        if not limit or ended.code != KILLED or not ended.known:
            return ended
        return Exit(
            ended.code,
            True,
            "OOMKilled",
            f"{self.engine} ended it with SIGKILL, as it does at resources.limits.memory ({limit} bytes): raise the limit, "
            "or let the program use less",
        )

    async def signal(self, running: Running, *, kill: bool) -> None:
        name = self._names.get(running.id)
        if name is None or not kill:
            # The command line forwards SIGTERM to the container.
            await super().signal(running, kill=kill)
        else:
            self._memory.pop(running.id, None)
            await self._call("rm", "--force", name)
            await super().signal(running, kill=True)

    async def still_running(self, pod: PodRef) -> Sequence[Running]:
        running = await super().still_running(pod)
        for one in running:
            self._names[one.id] = container_name(pod, one.container, one.attempt)
        return running

    async def check(self, running: Running, check: Check, timeout: float) -> CheckResult:
        if not isinstance(check, ExecCheck):
            return await ask(check, timeout)
        code, output = await self._call("exec", self._names.get(running.id, ""), *check.command, timeout=timeout)
        return CheckResult(code == 0, output.strip()[-200:] or f"exit code {code}")

    async def _call(self, *arguments: str, timeout: float = 300.0) -> tuple[int, str]:
        """Runs the engine's command line and returns (exit code, output)."""
        try:
            return await _output(self.engine, *arguments, seconds=timeout)
        except OSError as error:
            raise ImageError(
                f"{self.engine} cannot be run: {error.strerror}; install it, or leave out `--runtime {self.engine}`"
            ) from error

    def base(self) -> dict[str, str]:
        """The client's environment, which locates its engine. Containers get only variables passed with `--env`."""
        return dict(os.environ)


async def _output(engine: str, *arguments: str, seconds: float) -> tuple[int, str]:
    """(exit code, output). Raises OSError if it cannot start."""
    process = await asyncio.create_subprocess_exec(
        engine,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(seconds):
            output = await end_of(process.stdout)
            await process.wait()
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


def _by_name(launch: Launch) -> set[str]:
    """The variables that the engine reads from its client's environment, which other users cannot read.

    Every user can read a command line in /proc, and variables often contain Secrets. Variables that would change the
    client itself must stay on the command line.
    """
    return {
        key
        for key in set(launch.own) & set(launch.env)
        if key not in os.environ and not key.upper().startswith(_OF_THE_CLIENT)
    }


def run_command(name: str, launch: Launch) -> tuple[str, ...]:
    """The arguments of `docker run`. Without `argv` in the launch, the image's own command runs."""
    words = ["run", "--rm", "--init", "--name", name, "--hostname", launch.pod.name[:63]]
    words += ["--label", f"serinus.pod={launch.pod.uid}", "--label", f"serinus.container={launch.container}"]
    if launch.memory:
        words += ["--memory", str(launch.memory)]
    for port in launch.ports:
        words += ["--publish", f"{launch.ip}:{port}:{port}/tcp"]
    by_name = _by_name(launch)
    for key in sorted(set(launch.own) & set(launch.env)):
        words += ["--env", key if key in by_name else f"{key}={launch.env[key]}"]
    if launch.working_dir:
        words += ["--workdir", launch.working_dir]
    if launch.argv:
        # --entrypoint accepts one word; the rest of `command` precedes the arguments.
        words += ["--entrypoint", launch.argv[0], launch.image, *launch.argv[1:]]
    else:
        words.append(launch.image)
    return tuple(words)
