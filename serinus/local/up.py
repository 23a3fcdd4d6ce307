"""`serinus up`: starts the API server, a cluster's other components, the gateway and the Rollout controller in order.

Start order: the directory and its lock; the API server; at once the gateway, which is the slowest. The workload
controllers, the node and the Rollout controller start beside it. Ready means that the API and the gateway answer. Stop
order: controllers first, so that they start no pod that is being stopped; then the pods, which finish the gateway's
remaining requests; then the gateway; then the API.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import random
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serinus import __version__
from serinus.api.resources import INGRESS_CLASSES
from serinus.controller.manager import Options, run_controller
from serinus.dashboard.process import AGENT, BadToken, PortTaken, bound, bound_near, kept_token, served
from serinus.dashboard.service import Service
from serinus.dashboard.settings import PORT as DASHBOARD_PORT
from serinus.dashboard.settings import Settings as DashboardSettings
from serinus.kube.client import Client
from serinus.kube.clock import SystemClock
from serinus.kube.errors import AlreadyExists
from serinus.local import kubeconfig as kubeconfig_file
from serinus.local import processes
from serinus.local.api_socket import listen, stop_keeper
from serinus.local.apiserver.certs import Unreadable, identity, write_kubeconfig
from serinus.local.apiserver.http import HttpsServer
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.storage.sqlite import open_store
from serinus.local.apiserver.storage.store import StoreError
from serinus.local.apiserver.verbs.subresources import LogsUnavailable
from serinus.local.bounded_log import BoundedLog
from serinus.local.cannot_run import CannotRun
from serinus.local.in_process import lead_from_here
from serinus.local.instance import Instance, explain, hold, note_flaw, prepare
from serinus.local.kept import STOP_SECONDS, kept
from serinus.local.kubeconfig import ClusterAccess
from serinus.local.kubeconfig_entry import add_entry, entry_of_state, remove_entry
from serinus.local.node.container_logs.logs import Logs, NoLog
from serinus.local.node.containers.runtimes import runtime_of
from serinus.local.node.image_map import read_image_map
from serinus.local.node.node import Node
from serinus.local.schema.kinds import Schemas
from serinus.local.traefik import gateway_api
from serinus.local.traefik.followed import Followed
from serinus.local.traefik.gateway import INGRESS_CLASS, Gateway, free_port, port_of_left_behind
from serinus.local.traefik.gateway_config import GatewaySettings
from serinus.local.traefik.gateway_kinds import GATEWAY_API, TRAEFIK, in_use, install
from serinus.local.traefik.in_force import TraefikApi
from serinus.local.umask import keep_private
from serinus.local.workloads.controllers import run_workloads

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
FOLLOW_SECONDS = 5.0
"""Seconds that `up` waits for the gateway's watches before it reports ready without them."""
DASHBOARD_RESTS_AFTER = 300.0
"""Seconds without a client after which the dashboard stops its watches. It uses memory only while it is in use."""


class PodLogs:
    """The node's logs, in the API server's interface."""

    def __init__(self, logs: Logs) -> None:
        self._logs = logs

    async def read(self, namespace: str, pod: str, container: str, **options: Any) -> AsyncIterator[bytes]:
        try:
            return self._logs.read(namespace, pod, container, **options)
        except NoLog as error:
            raise LogsUnavailable(str(error)) from None


@dataclass(frozen=True, slots=True)
class UpSettings:
    """Port 0: any free port. `parent`: id of the process whose end stops this one; 0 for none."""

    instance: Instance
    gateway_port: int = 8080
    api_port: int = 0
    kubeconfig: Path | None = None
    dashboard_port: int | None = None
    """None: 3100, or any free port if 3100 is in use."""
    parent: int = 0
    runtime: str = "process"
    """`process`: pods are local processes; `docker` or `podman`: containers of that engine."""
    image_map: Path | None = None
    """Image rules of this run; they take precedence over those of the ConfigMaps."""


def run(settings: UpSettings, ready: Callable[[dict[str, Any]], None]) -> None:
    """Runs until SIGINT or SIGTERM. Raises CannotRun.

    `ready` is called once, when everything answers, with the state and `first`: whether the directory is new.
    """
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s", handlers=[BoundedLog()]
    )
    keep_private()
    instance = settings.instance
    prepare(instance)
    lock = hold(instance)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_run(settings, ready))
    except (StoreError, Unreadable, BadToken) as error:
        raise CannotRun(str(error)) from error
    except OSError as error:
        raise CannotRun(explain(error, instance.directory)) from error
    except CannotRun:
        raise
    except Exception as error:
        report = note_flaw(instance)
        raise CannotRun(
            f"It failed by a flaw of its own ({type(error).__name__}: {error}). Report it with {report}."
        ) from None
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
        starting, stopping = asyncio.create_task(_start(settings, parts, stop)), asyncio.create_task(stop.wait())
        await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not starting.done():
            starting.cancel()
            await asyncio.wait([starting], timeout=STOP_SECONDS)
            return
        state = starting.result()
        state |= {"ready": True, "seconds": round(processes.seconds_running(), 3)}
        settings.instance.write_state({**entry_of_state(settings.instance), **state})
        ready({**state, "first": first})
        await stop.wait()


async def _start(settings: UpSettings, parts: AsyncExitStack, stop: asyncio.Event) -> dict[str, Any]:
    """Starts all parts and returns their addresses. When `parts` closes, they stop in reverse order."""
    instance, clock = settings.instance, SystemClock()
    # External errors are checked before anything starts, so that an error leaves nothing behind.
    image_rules = read_image_map(settings.image_map) if settings.image_map else []
    runtime = await runtime_of(settings.runtime, instance.pods_dir, clock)
    gateway_port = port_of_left_behind(instance.gateway_dir)
    if not gateway_port or settings.gateway_port not in (0, gateway_port):
        gateway_port = free_port(HOST, settings.gateway_port, instance.port("gatewayPort"))
    if settings.kubeconfig:
        kubeconfig_file.read(settings.kubeconfig)
    showing = _dashboard_socket(settings)
    parts.callback(showing.close)
    dashboard_token = kept_token(instance.dashboard_token)
    who = identity(instance.directory / "certificates", clock.now())
    secured = who.ssl_context()
    store = open_store(instance.database)
    parts.callback(store.close)
    listening = await listen(instance, HOST, settings.api_port, instance.port("apiPort"))
    parts.push_async_callback(stop_keeper, instance)

    logs = Logs(instance.pods_dir, clock)
    api = ApiServer(store, Schemas(), clock, rng=random.Random(), logs=PodLogs(logs))
    await api.start()
    parts.callback(api.close)
    api.token = who.token

    def client(name: str) -> Client:
        return Client(api.handle, user_agent=name)

    groups = await install(client("serinus-up"), GATEWAY_API, TRAEFIK)
    if GATEWAY_API.group in groups:
        await gateway_api.prepare(client("serinus-up"), gateway_port)
    read = [kinds for kinds in (GATEWAY_API, TRAEFIK) if kinds.group in groups]
    followed = Followed(api.handle, await in_use(client("serinus-up"), *read))
    kubeconfig = settings.kubeconfig or instance.kubeconfig
    misdirected = f"this is the gateway of Serinus, not its API server: export KUBECONFIG={kubeconfig}"
    server = HttpsServer(followed.handle, who.token, secured, misdirected)
    endpoint = f"https://{HOST}:{await server.start(sock=listening)}"
    parts.push_async_callback(server.close)
    write_kubeconfig(instance.kubeconfig, endpoint, who.ca_pem, who.token)
    add_entry(instance, settings.kubeconfig, ClusterAccess(endpoint, who.ca_pem, who.token))
    parts.callback(remove_entry, instance)

    with suppress(AlreadyExists):
        await client("serinus-up").create(INGRESS_CLASSES, INGRESS_CLASS)
    api_token = hashlib.sha256(f"gateway {who.token}".encode()).hexdigest()
    gateway = Gateway(
        GatewaySettings(
            directory=instance.gateway_dir,
            endpoint=endpoint,
            token_file=who.token_file,
            ca_file=who.ca,
            log_file=instance.log_dir / "gateway.log",
            host=HOST,
            port=gateway_port,
            api_token=api_token,
            groups=groups,
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
    await parts.enter_async_context(kept("the node", node.run))
    await gateway.ready()
    if not await followed.by_gateway(FOLLOW_SECONDS):
        log.warning("The gateway has not heard yet that the API is back; releases wait for it, traffic goes on.")
    await parts.enter_async_context(
        kept(
            "the workload controllers",
            lambda: followed.then(lambda: run_workloads(client("serinus-workloads"), clock, random.Random())),
        )
    )
    await parts.enter_async_context(kept("the controller's Lease", lambda: lead_from_here(client("serinus-up"), clock)))
    reading = TraefikApi(HOST, gateway_port, api_token)
    options = Options(leader_elect=False, self_service_notifications=True, gateway=reading.states)
    await parts.enter_async_context(
        kept(
            "the Rollout controller",
            lambda: followed.then(
                lambda: run_controller(client("serinus-controller"), clock, random.Random(), options=options)
            ),
        )
    )
    await parts.enter_async_context(kept("the gateway's watch", gateway.supervise))
    service = Service(client(AGENT), SystemClock(), random.Random(), rest_after=DASHBOARD_RESTS_AFTER)
    dashboard = await parts.enter_async_context(served(service, DashboardSettings(token=dashboard_token), showing))
    if settings.parent:
        await parts.enter_async_context(kept("the parent's watch", lambda: _with_parent(settings.parent, stop)))
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


def _dashboard_socket(settings: UpSettings) -> socket.socket:
    asked = settings.dashboard_port
    try:
        return bound_near(DASHBOARD_PORT, settings.instance.port("dashboardPort")) if asked is None else bound(asked)
    except PortTaken as error:
        raise CannotRun(str(error).replace("--port", "--dashboard-port")) from None


async def _with_parent(parent: int, stop: asyncio.Event) -> None:
    await processes.ended(parent, processes.started_at(parent))
    stop.set()
