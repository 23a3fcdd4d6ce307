"""`serinus demo`: a canary with real traffic, or one that fails its analysis and rolls back, on its own instance."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.flags import Flag, real, whole
from serinus.local.cannot_run import CannotRun
from serinus.local.extras import require
from serinus.local.instance import Instance, prepare

SHORT = "Watch a whole canary with real traffic"


def run(call: Call) -> int:
    directory = Path(tempfile.mkdtemp(prefix="serinus-demo-"))
    instance = Instance(directory / "data")
    try:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _interrupt)
        prometheus, analysis = call.text("prometheus"), call.truth("analysis")
        if prometheus and not analysis:
            raise call.usage_problem("--prometheus is asked with --analysis only: add --analysis")
        require("demo")
        program = _prometheus(prometheus) if analysis else None
        options = DemoOptions(call.truth("once"), analysis, program, call.real("rate"))
        return 0 if _demo(instance, options, call.value("port")) else 1
    except CannotRun as error:
        sys.stderr.write(f"serinus demo: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Stopping everything …\n")
        return 130
    finally:
        from serinus.local.down import stop

        try:
            stop(instance)
        except CannotRun as error:
            # Its processes still use the directory.
            sys.stderr.write(f"serinus demo: {error}\nIts files stay in {directory}.\n")
        else:
            shutil.rmtree(directory, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """`program`: the Prometheus to query, None for none. `rate`: in requests a second."""

    once: bool
    analysis: bool
    program: str | None
    rate: float


def _prometheus(given: str) -> str | None:
    from serinus.demo.prometheus import NoPrometheus, find

    try:
        return None if given == "none" else find(given)
    except NoPrometheus as error:
        raise CannotRun(str(error)) from None


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _demo(instance: Instance, options: DemoOptions, port: int | None) -> bool:
    from serinus.local import daemon
    from serinus.local.traefik.gateway import free_port

    try:
        chosen = free_port("127.0.0.1", 8080 if port is None else port)
    except CannotRun:
        if port is not None:
            raise
        chosen = free_port("127.0.0.1", 0)
    print(f"The page of squares: http://localhost:{chosen}/ (it answers once the first version runs).", flush=True)
    prepare(instance)
    state = daemon.start(
        instance,
        [
            "--data",
            str(instance.directory),
            "--port",
            str(chosen),
            "--api-port",
            "0",
            "--with-parent",
            str(os.getpid()),
        ],
    )
    return asyncio.run(_walk(instance, state["gateway"], options))


async def _walk(instance: Instance, gateway: str, options: DemoOptions) -> bool:
    from serinus.cli.demos.demo_screen import screen
    from serinus.cli.demos.demo_stage import DemoSettings
    from serinus.kube.client import Client
    from serinus.kube.configuration.config import Flags, load
    from serinus.kube.http.https import HttpsHandler

    attended = not options.once and sys.stdin.isatty() and sys.stdout.isatty()
    settings = DemoSettings(instance.kubeconfig, gateway, options.rate, gate_seconds=20.0 if attended else 0.0)
    handler = HttpsHandler(load(Flags(kubeconfig=str(instance.kubeconfig))))
    client = Client(handler)
    try:
        if options.analysis:
            from serinus.cli.demos.demo_analysis import watched

            return await watched(settings, client, lambda: screen(once=options.once), options.program)
        from serinus.cli.demos.demo_walk import Walk

        shown = screen(once=options.once)
        try:
            with _keys(attended) as key:
                return await Walk(settings, client, shown, key).run()
        finally:
            shown.close()
    finally:
        await handler.close()


@contextmanager
def _keys(attended: bool) -> Generator[asyncio.Event]:
    """An event that any key sets. The terminal's mode is restored afterwards."""
    key = asyncio.Event()
    if not attended:
        yield key
        return
    import termios
    import tty

    fd, loop = sys.stdin.fileno(), asyncio.get_running_loop()
    before = termios.tcgetattr(fd)
    tty.setcbreak(fd)

    def pressed() -> None:
        os.read(fd, 64)
        key.set()

    loop.add_reader(fd, pressed)
    try:
        yield key
    finally:
        loop.remove_reader(fd)
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


COMMAND = Command(
    run,
    "Watch a whole canary of a running application with real traffic.\n\n"
    "Starts Serinus in a temporary directory, installs the demo application, sends requests through the gateway, releases\n"
    "a new version and follows it to the end. Afterwards, or on Ctrl-C, everything it started is gone.\n\n"
    "With --analysis a fifth of the new version's answers are errors. A real Prometheus reads the application's metrics,\n"
    "the analysis fails, and the Rollout is rolled back automatically.",
    flags=(
        Flag("once", "Unattended: promotes automatically; code 0 only if all was as promised", default=False),
        Flag(
            "analysis",
            "Instead: a bad version fails its analysis while it serves, and is rolled back",
            default=False,
        ),
        Flag(
            "prometheus",
            "The Prometheus that --analysis asks; `none`: the application itself (default the one on PATH)",
            metavar="PATH",
        ),
        Flag("port", "The gateway's port (default 8080 if free)", default=None, parse=whole(0, 65535)),
        Flag("rate", "Requests per second", default=200.0, parse=real(1, 1000)),
    ),
)
