"""`serinus controller`: runs the controller against any Kubernetes API, in a cluster or outside of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serinus.cli.controller_options import CONNECTION, IGNORED, OWN
from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.errors import Problem

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

    from serinus.controller.manager import Options
    from serinus.kube.configuration.config import Connection
    from serinus.kube.transport import Handler

SHORT = "Run the controller against any Kubernetes API"


JOB_KUBECONFIG = "ARGO_ROLLOUTS_ANALYSIS_JOB_KUBECONFIG"


SELDOM = (20_000, 20, 50)
"""Thresholds of the garbage collector. The caches are large and long-lived, so full collections free nothing. Python's
defaults (700, 10, 10) cost 500 analyses a tenth to a fifth of their processor time."""


def run(call: Call) -> int:
    if call.truth("version"):
        from serinus import __version__

        print(f"rollouts-controller: v{__version__}+serinus")
        return 0
    return _run(call)


def _run(call: Call) -> int:
    """Start the controller and run it until a signal arrives. Returns the exit code."""
    import asyncio
    import gc

    from serinus.cli.cluster.session import connection_flags
    from serinus.controller import log
    from serinus.controller.manager import lease_namespace
    from serinus.controller.monitoring.health import ProbePortTaken
    from serinus.kube.configuration.config import ConfigError, load

    log.start(call.text("loglevel"), "json" if call.text("logformat") == "json" else "text")
    try:
        connection = load(connection_flags(call))
        elsewhere = _job_cluster()
        home = lease_namespace(connection.namespace)
        options = _options(call, home)
        options.lease()
        limit = _limit(call.real("qps"), call.number("burst"))
    except (ConfigError, ValueError) as error:
        raise Problem(str(error)) from None
    gc.set_threshold(*SELDOM)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_follow(connection, options, elsewhere, limit))
    except ProbePortTaken as error:
        raise Problem(str(error)) from None


def _loop_factory() -> Callable[[], AbstractEventLoop] | None:
    """uvloop, whose TLS and sockets cost a third less; None (the standard loop) if it is not installed."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def _options(call: Call, home: str) -> Options:
    from serinus.controller.manager import Options

    return Options(
        namespace=home if call.truth("namespaced") else "",
        instance_id=call.text("instance-id"),
        workers=call.number("rollout-threads"),
        analysis_workers=call.number("analysis-threads"),
        self_service_notifications=call.truth("self-service-notification-enabled"),
        only_analyses=call.text("controllers") == "analysis",
        aws_verify=call.truth("aws-verify-target-group") or call.truth("alb-verify-weight"),
        aws_tag=call.text("alb-tag-key-resource-id"),
        resync=call.real("rollout-resync"),
        leader_elect=call.truth("leader-elect"),
        lease_namespace=home,
        lease_duration=call.value("leader-election-lease-duration"),
        renew_deadline=call.value("leader-election-renew-deadline"),
        retry_period=call.value("leader-election-retry-period"),
        address=call.text("address"),
        metrics_port=call.number("metricsPort"),
        health_port=call.number("healthzPort"),
    )


def _job_cluster() -> Connection | None:
    """The cluster for Jobs of analyses, if set: a kubeconfig, or `in-cluster`. ConfigError if it is neither."""
    import os

    from serinus.kube.configuration.config import ConfigError, Flags, in_cluster, load

    source = os.environ.get(JOB_KUBECONFIG, "")
    if not source:
        return None
    try:
        return in_cluster() if source == "in-cluster" else load(Flags(kubeconfig=source))
    except ConfigError as error:
        raise ConfigError(f"${JOB_KUBECONFIG}: {error}") from None


def _limit(qps: float, burst: int) -> Callable[[Handler], Handler]:
    """A wrapper that limits a handler to `qps` and `burst`; without `qps` it has no effect."""
    from serinus.kube.throttle import throttled

    return lambda handler: throttled(handler, qps=qps, burst=burst) if qps else handler


async def _follow(
    connection: Connection, options: Options, elsewhere: Connection | None, limited: Callable[[Handler], Handler]
) -> int:
    """Run until a signal arrives. Returns the exit code."""
    import asyncio
    import os
    import signal
    from random import Random

    from serinus.controller.istio_cluster import IstioClusterHandler
    from serinus.controller.manager import run_controller
    from serinus.controller.monitoring.metrics import Metrics
    from serinus.kube.client import Client
    from serinus.kube.clock import SystemClock
    from serinus.kube.http.https import HttpsHandler

    handler, metrics = HttpsHandler(connection), Metrics()
    others: list[HttpsHandler] = []

    def connected(other: Connection) -> Handler:
        others.append(HttpsHandler(other))
        return metrics.counting(others[-1])

    divided = IstioClusterHandler(metrics.counting(handler), options.lease_namespace, connected)
    client = Client(limited(divided), user_agent="rollouts-controller")
    there = HttpsHandler(elsewhere) if elsewhere else None
    jobs = Client(metrics.counting(there), user_agent="rollouts-controller") if there else None
    running = asyncio.ensure_future(
        run_controller(client, SystemClock(), Random(), options=options, metrics=metrics, job_cluster=jobs)
    )
    stopping = False

    def stop() -> None:
        nonlocal stopping
        if stopping:
            os._exit(1)
        stopping = True
        running.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        await running
    except asyncio.CancelledError:
        return 0
    finally:
        for each in (handler, *([there] if there else []), *others):
            await each.close()
    return 0


COMMAND = Command(
    run,
    "Run the controller against the API server of a kubeconfig, or of the pod it runs in.\n\n"
    "It runs until SIGTERM or SIGINT (exit 0); a second one ends it at once (exit 1).",
    flags=(*OWN, *CONNECTION, *IGNORED),
)
