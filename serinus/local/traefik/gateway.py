"""The gateway: a real Traefik that reads Ingresses from the embedded API server as from a cluster's.

It is a separate process, so traffic continues while `serinus up` restarts. `serinus up` starts and monitors it,
restarts it with a growing delay when it ends, and stops it with the instance. After a crash, the next `up` finds it
through a file in the data directory and keeps it if its configuration matches.

Traefik searches several paths for a configuration file and reads options from the environment. Serinus passes one file
by name and removes such variables, so the user's own settings have no effect.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from serinus.local import processes
from serinus.local.cannot_run import CannotRun
from serinus.local.extras import lacking, program_path
from serinus.local.traefik.gateway_config import CONFIG, ROUTES, GatewaySettings, configuration, routes

INGRESS_CLASS: dict[str, Any] = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "IngressClass",
    "metadata": {"name": "nginx", "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}},
    "spec": {"controller": "k8s.io/ingress-nginx"},
}
FIRST_DELAY, LONGEST_DELAY = 0.1, 10.0
READY_SECONDS = 30.0
STOP_SECONDS = 5.0


def traefik_binary() -> str:
    """The path of Traefik. Raises CannotRun if it is not installed."""
    path = program_path("traefik")
    if not path:
        raise CannotRun(lacking("traefik is not installed"))
    return path


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without Traefik's own variables and those of a cluster's pod."""
    return {k: v for k, v in environ.items() if not k.upper().startswith(("TRAEFIK_", "KUBERNETES_", "KUBECONFIG"))}


def free_port(host: str, asked: int, remembered: int = 0) -> int:
    """`asked`; for 0 the saved port if it is still free, else any free port. CannotRun if `asked` is in use."""
    for port in [asked] if asked else [remembered, 0]:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except PermissionError:
                raise CannotRun(
                    f"Port {port} needs more rights than this user has. Use one of 1024 or above."
                ) from None
            except OSError as error:
                if asked:
                    raise CannotRun(
                        f"Port {port} on {host} is taken ({error.strerror}). "
                        "Stop what uses it, or choose another (0 for any free one)."
                    ) from None
                continue
            return int(probe.getsockname()[1])
    raise CannotRun(f"No free port on {host}.")


def _mark(directory: Path) -> processes.Mark:
    return processes.Mark(directory / "process.json")


def port_of_left_behind(directory: Path) -> int:
    """The port that a crashed `up`'s gateway still holds; 0 if there is none."""
    pid, started = _mark(directory).read()
    if not processes.is_running(pid, started):
        return 0
    try:
        settings: Any = json.loads((directory / CONFIG).read_text())
        return int(settings["entryPoints"]["web"]["address"].rpartition(":")[2])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return 0


class Gateway:
    """`say` receives one sentence for each event that a user may need."""

    def __init__(self, settings: GatewaySettings, say: Callable[[str], None]) -> None:
        self._settings, self._say = settings, say
        self._config_file = settings.directory / CONFIG
        self._mark = _mark(settings.directory)
        self._child: subprocess.Popen[bytes] | None = None
        self._pid, self._started = 0, ""

    @property
    def url(self) -> str:
        return f"http://{self._settings.host}:{self._settings.port}"

    async def start(self) -> None:
        """Adopts a crashed `up`'s gateway if its configuration matches, else starts one."""
        self._settings.directory.mkdir(exist_ok=True)
        files = {
            self._config_file: configuration(self._settings),
            self._config_file.with_name(ROUTES): routes(self._settings),
        }
        texts = {file: json.dumps(content, indent=1) for file, content in files.items()}
        pid, started = self._mark.read()
        if processes.is_running(pid, started):
            if all(file.exists() and file.read_bytes() == text.encode() for file, text in texts.items()):
                self._pid, self._started = pid, started
                return
            await processes.stop(pid, started, STOP_SECONDS)
        for file, text in texts.items():
            file.write_text(text)
        self._spawn()

    def _spawn(self) -> None:
        with (self._settings.directory / "output").open("wb") as output:
            # Its own session: Ctrl-C in the terminal reaches only `up`, which stops the gateway in order.
            self._child = subprocess.Popen(
                [traefik_binary(), f"--configFile={self._config_file}"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self._settings.directory,
                env=clean_environment(os.environ),
                start_new_session=True,
            )
        self._pid, self._started = self._child.pid, processes.started_at(self._child.pid)
        self._mark.write(self._pid, self._started)

    async def ready(self, seconds: float = READY_SECONDS) -> None:
        """Returns when it answers HTTP. Raises CannotRun with its last output if it ends or does not answer."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not await answers(self._settings.host, self._settings.port):
            if not self._running() or loop.time() > end:
                raise CannotRun(f"The gateway (Traefik) did not start: {self._last_words()}")
            await asyncio.sleep(0.02)

    def _running(self) -> bool:
        if self._child is not None:
            return self._child.poll() is None
        return processes.is_running(self._pid, self._started)

    def _last_words(self) -> str:
        lines: list[str] = []
        for file in (self._settings.log_file, self._settings.directory / "output"):
            with suppress(OSError):
                lines += [line for line in file.read_text(errors="replace").splitlines() if line.strip()][-1:]
        return f"{lines[-1] if lines else 'it said nothing'} (more in {self._settings.log_file})"

    async def supervise(self) -> None:
        """Restarts the gateway whenever it ends, without end: at once the first time, then with a growing delay."""
        loop = asyncio.get_running_loop()
        delay = FIRST_DELAY
        while True:
            since = loop.time()
            await processes.ended(self._pid, self._started)
            if self._child is not None:
                self._child.wait()
            delay = FIRST_DELAY if loop.time() - since > 30 else min(LONGEST_DELAY, delay * 2)
            self._say(f"The gateway ended by itself ({self._last_words()}); starting it again in {delay:g} s.")
            await asyncio.sleep(delay)
            self._spawn()

    async def stop(self) -> None:
        if self._pid:
            await processes.stop(self._pid, self._started, STOP_SECONDS)
        if self._child is not None:
            self._child.wait()
        self._mark.clear()


async def stop_left_behind(directory: Path) -> bool:
    """Stops the gateway of an `up` that has ended. Returns whether there was one."""
    mark = _mark(directory)
    pid, started = mark.read()
    there = processes.is_running(pid, started)
    if there:
        await processes.stop(pid, started, STOP_SECONDS)
    mark.clear()
    return there


async def answers(host: str, port: int) -> bool:
    """Whether an HTTP server answers there. A 404 for a host without an Ingress counts as an answer."""
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    try:
        writer.write(b"GET / HTTP/1.1\r\nHost: serinus.invalid\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(2):
            return (await reader.readline()).startswith(b"HTTP/1.1 ")
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()
