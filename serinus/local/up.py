"""`serinus up`: the API server, what a cluster would bring beside it, the gateway and the Rollout controller, in order.

Order of start: the directory and its lock; the API server; at once the gateway, which is the slowest; beside it the
workload controllers, the node and the Rollout controller. Ready means that the API and the gateway answer.
Order of stop: controllers first, so that nobody starts a pod that is being stopped; then the pods, which finish what the
gateway still sends them; then the gateway; then the API.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serinus import __version__
from serinus.api.resources import INGRESS_CLASSES
from serinus.controller.process import Options, run_controller
from serinus.dashboard.process import AGENT, PortTaken, bound, bound_near, kept_token, served
from serinus.dashboard.server import Server as DashboardServer
from serinus.dashboard.service import Service
from serinus.dashboard.settings import PORT as DASHBOARD_PORT
from serinus.dashboard.settings import Settings as DashboardSettings
from serinus.kube.client import Client
from serinus.kube.clock import SystemClock
from serinus.kube.errors import AlreadyExists
from serinus.kube.wire import Handler, Request, Response
from serinus.local import processes
from serinus.local.api_socket import listen, stop_keeper
from serinus.local.apiserver.certs import identity, write_kubeconfig
from serinus.local.apiserver.http import HttpsServer
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.sqlite import open_store
from serinus.local.apiserver.store import StoreError
from serinus.local.apiserver.subresources import LogsUnavailable
from serinus.local.gateway import INGRESS_CLASS, Gateway, GatewaySettings, free_port, port_of_left_behind
from serinus.local.in_process import lead_from_here
from serinus.local.instance import CannotRun, Instance, explain, hold, prepare
from serinus.local.node.image_map import read_image_map
from serinus.local.node.logs import Logs, NoLog
from serinus.local.node.node import Node
from serinus.local.node.runtimes import runtime_of
from serinus.local.schema.kinds import Schemas
from serinus.local.workloads.controllers import run_workloads

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
FOLLOW_SECONDS = 5.0
"""How long `up` waits for the gateway's watches before it says that it is ready without them."""
DASHBOARD_RESTS_AFTER = 300.0
"""Seconds without anybody looking after which the dashboard watches nothing: it costs memory only while it is used."""
LONGEST_REST = 65.0
"""A client-go watch that broke again and again within two minutes rests up to twice 30 s before it comes back."""


class PodLogs:
    """The node's logs as the API server reads them."""

    def __init__(self, logs: Logs) -> None:
        self._logs = logs

    async def read(self, namespace: str, pod: str, container: str, **options: Any) -> AsyncIterator[bytes]:
        try:
            return self._logs.read(namespace, pod, container, **options)
        except NoLog as error:
            raise LogsUnavailable(str(error)) from None


class Followed:
    """The API server, and whether the gateway follows it: until its watches are there, weights would change unseen."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._missing = {"ingresses", "services", "endpointslices"}
        self._all = asyncio.Event()

    async def handle(self, request: Request) -> Response:
        response = await self._handler(request)
        if self._missing and response.stream is not None and "traefik" in request.headers.get("user-agent", ""):
            self._missing.discard(request.path.rpartition("/")[2])
            if not self._missing:
                self._all.set()
        return response

    async def by_gateway(self, seconds: float) -> bool:
        """Whether it does within `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._all.wait()
        except TimeoutError:
            return False
        return True

    async def then(self, start: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Runs a controller once the gateway would hear what it changes, or cannot be waited for any longer."""
        if not await self.by_gateway(LONGEST_REST):
            log.warning("The gateway does not watch %s; going on without it.", ", ".join(sorted(self._missing)))
        await start()


@dataclass(frozen=True, slots=True)
class UpSettings:
    """Ports of 0 are any free one. `parent`: process whose end ends this one; 0 for none."""

    instance: Instance
    gateway_port: int = 8080
    api_port: int = 0
    kubeconfig: Path | None = None
    dashboard_port: int | None = None
    """None: 3100, or any free one when that is taken."""
    parent: int = 0
    runtime: str = "process"
    """`process`: pods are local processes; `docker` or `podman`: containers of that engine."""
    image_map: Path | None = None
    """Image rules of this run; they come before those of the ConfigMaps."""


def run(settings: UpSettings, ready: Callable[[dict[str, Any]], None]) -> None:
    """Runs until SIGINT or SIGTERM. Raises CannotRun.

    `ready` is called once, when all of it answers, with the state and `first`: whether the directory is a new one.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    instance = settings.instance
    prepare(instance)
    lock = hold(instance)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_run(settings, ready))
    except StoreError as error:
        raise CannotRun(str(error)) from error
    except OSError as error:
        raise CannotRun(explain(error, instance.directory)) from error
    finally:
        with suppress(OSError):
            instance.write_state({**instance.state(), "ready": False})
        os.close(lock)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _run(settings: UpSettings, ready: Callable[[dict[str, Any]], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as parts:
        first = "version" not in settings.instance.state()
        state = await _start(settings, parts, stop)
        state |= {"ready": True, "seconds": round(processes.seconds_running(), 3)}
        settings.instance.write_state(state)
        ready({**state, "first": first})
        await stop.wait()


async def _start(settings: UpSettings, parts: AsyncExitStack, stop: asyncio.Event) -> dict[str, Any]:
    """Starts everything; what is where. What it started is undone, last first, when `parts` closes."""
    instance, clock = settings.instance, SystemClock()
    # Checked before anything else starts, so that an error leaves nothing behind.
    image_rules = read_image_map(settings.image_map) if settings.image_map else []
    runtime = await runtime_of(settings.runtime, instance.pods_dir, clock)
    remembered = instance.state()
    gateway_port = port_of_left_behind(instance.gateway_dir)
    if not gateway_port or settings.gateway_port not in (0, gateway_port):
        gateway_port = free_port(HOST, settings.gateway_port, int(remembered.get("gatewayPort", 0)))
    listening = await listen(instance, HOST, settings.api_port, int(remembered.get("apiPort", 0)))
    parts.push_async_callback(stop_keeper, instance)

    store = open_store(instance.database)
    parts.callback(store.close)
    logs = Logs(instance.pods_dir, clock)
    api = ApiServer(store, Schemas(), clock, rng=random.Random(), logs=PodLogs(logs))
    await api.start()
    parts.callback(api.close)
    who = identity(instance.directory / "certificates", clock.now())
    api.token = who.token
    followed = Followed(api.handle)
    kubeconfig = settings.kubeconfig or instance.kubeconfig
    misdirected = f"this is the gateway of Serinus, not its API server: export KUBECONFIG={kubeconfig}"
    server = HttpsServer(followed.handle, who.token, who.ssl_context(), misdirected)
    endpoint = f"https://{HOST}:{await server.start(sock=listening)}"
    parts.push_async_callback(server.close)
    write_kubeconfig(kubeconfig, endpoint, who.ca_pem, who.token)

    def client(name: str) -> Client:
        return Client(api.handle, user_agent=name)

    with suppress(AlreadyExists):
        await client("serinus-up").create(INGRESS_CLASSES, INGRESS_CLASS)
    gateway = Gateway(
        GatewaySettings(
            directory=instance.gateway_dir,
            endpoint=endpoint,
            token_file=who.token_file,
            ca_file=who.ca,
            log_file=instance.log_dir / "gateway.log",
            host=HOST,
            port=gateway_port,
        ),
        lambda text: log.warning("%s", text),
    )
    await gateway.start()
    parts.push_async_callback(gateway.stop)

    node = Node(
        client("serinus-node"),
        runtime,
        clock,
        random.Random(),
        data_dir=instance.directory,
        logs=logs,
        image_rules=image_rules,
    )
    parts.push_async_callback(node.stop_all)
    await parts.enter_async_context(_kept("the node", node.run))
    await gateway.ready()
    if not await followed.by_gateway(FOLLOW_SECONDS):
        log.warning("The gateway has not heard yet that the API is back; releases wait for it, traffic goes on.")
    await parts.enter_async_context(
        _kept(
            "the workload controllers",
            lambda: followed.then(lambda: run_workloads(client("serinus-workloads"), clock, random.Random())),
        )
    )
    await parts.enter_async_context(
        _kept("the controller's Lease", lambda: lead_from_here(client("serinus-up"), clock))
    )
    options = Options(leader_elect=False)
    await parts.enter_async_context(
        _kept(
            "the Rollout controller",
            lambda: followed.then(
                lambda: run_controller(client("serinus-controller"), clock, random.Random(), options=options)
            ),
        )
    )
    await parts.enter_async_context(_kept("the gateway's watch", gateway.supervise))
    dashboard = await _dashboard(settings, parts, client(AGENT), int(remembered.get("dashboardPort", 0)))
    if settings.parent:
        await parts.enter_async_context(_kept("the parent's watch", lambda: _with_parent(settings.parent, stop)))
    return {
        "pid": os.getpid(),
        "version": __version__,
        "runtime": settings.runtime,
        "api": endpoint,
        "gateway": gateway.url,
        "dashboard": dashboard.url(tokened=True),
        "kubeconfig": str(kubeconfig),
        "data": str(instance.directory),
        "apiPort": server.port,
        "gatewayPort": gateway_port,
        "dashboardPort": dashboard.port,
    }


async def _dashboard(settings: UpSettings, parts: AsyncExitStack, client: Client, remembered: int) -> DashboardServer:
    wanted = settings.dashboard_port
    try:
        listening = bound_near(DASHBOARD_PORT, remembered) if wanted is None else bound(wanted)
    except PortTaken as error:
        raise CannotRun(str(error).replace("--port", "--dashboard-port")) from None
    service = Service(client, SystemClock(), random.Random(), rest_after=DASHBOARD_RESTS_AFTER)
    options = DashboardSettings(token=kept_token(settings.instance.dashboard_token))
    return await parts.enter_async_context(served(service, options, listening))


@asynccontextmanager
async def _kept(name: str, start: Callable[[], Coroutine[Any, Any, None]]) -> AsyncGenerator[None]:
    """Runs a part beside the block. One that fails is a flaw of ours: it is logged and begins again from what is there."""

    async def keep() -> None:
        delay = 0.1
        while True:
            try:
                await start()
                return
            except Exception:
                log.exception("%s failed and starts again in %.1f s", name, delay)
                await asyncio.sleep(delay)
                delay = min(10.0, delay * 2)

    task = asyncio.create_task(keep())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _with_parent(parent: int, stop: asyncio.Event) -> None:
    await processes.ended(parent, processes.started_at(parent))
    stop.set()
