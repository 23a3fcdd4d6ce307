"""`serinus controller`: runs the controller against any Kubernetes API, in a cluster or outside of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from serinus.cli.controller_options import CONNECTION, IGNORED, OWN

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


@click.command("controller", params=[*OWN, *CONNECTION, *IGNORED])
def command(**given: object) -> None:
    """Run the controller against the API server of a kubeconfig, or of the pod it runs in.

    It runs until SIGTERM or SIGINT (exit 0); a second one ends it at once (exit 1).
    """
    import asyncio
    import gc

    from serinus.controller import log
    from serinus.controller.manager import lease_namespace
    from serinus.controller.monitoring.health import PortTaken
    from serinus.kube.configuration.config import ConfigError, Flags, load

    log.start(str(given["loglevel"]), "json" if given["logformat"] == "json" else "text")
    names = {str(option.name) for option in CONNECTION}
    try:
        connection = load(Flags(**{name: value for name, value in given.items() if name in names}))  # type: ignore[arg-type]
        elsewhere = _job_cluster()
        home = lease_namespace(connection.namespace)
        options = _options(given, home)
        options.lease()
        limit = _limit(float(str(given["qps"])), int(str(given["burst"])))
    except (ConfigError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    gc.set_threshold(*SELDOM)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            ended = runner.run(_run(connection, options, elsewhere, limit))
    except PortTaken as error:
        raise click.ClickException(str(error)) from None
    raise SystemExit(ended)


def _loop_factory() -> Callable[[], AbstractEventLoop] | None:
    """uvloop, whose TLS and sockets cost a third less; None (the standard loop) if it is not installed."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def _options(given: dict[str, object], home: str) -> Options:
    from serinus.controller.manager import Options

    return Options(
        namespace=home if given["namespaced"] else "",
        instance_id=str(given["instance_id"]),
        workers=int(str(given["rollout_threads"])),
        analysis_workers=int(str(given["analysis_threads"])),
        self_service_notifications=bool(given["self_service_notification_enabled"]),
        only_analyses=given["controllers"] == "analysis",
        aws_verify=bool(given["aws_verify_target_group"]) or bool(given["alb_verify_weight"]),
        aws_tag=str(given["alb_tag_key_resource_id"]),
        resync=float(str(given["rollout_resync"])),
        leader_elect=bool(given["leader_elect"]),
        lease_namespace=home,
        lease_duration=float(str(given["leader_election_lease_duration"])),
        renew_deadline=float(str(given["leader_election_renew_deadline"])),
        retry_period=float(str(given["leader_election_retry_period"])),
        address=str(given["address"]),
        metrics_port=int(str(given["metrics_port"])),
        health_port=int(str(given["healthz_port"])),
    )


def _job_cluster() -> Connection | None:
    """The cluster for Jobs of analyses, if set: a kubeconfig, or `in-cluster`. ConfigError if it is neither."""
    import os

    from serinus.kube.configuration.config import ConfigError, Flags, in_cluster, load

    said = os.environ.get(JOB_KUBECONFIG, "")
    if not said:
        return None
    try:
        return in_cluster() if said == "in-cluster" else load(Flags(kubeconfig=said))
    except ConfigError as error:
        raise ConfigError(f"${JOB_KUBECONFIG}: {error}") from None


def _limit(qps: float, burst: int) -> Callable[[Handler], Handler]:
    """A wrapper that limits a handler to `qps` and `burst`; without `qps` it has no effect."""
    from serinus.kube.throttle import throttled

    return lambda handler: throttled(handler, qps=qps, burst=burst) if qps else handler


async def _run(
    connection: Connection, options: Options, elsewhere: Connection | None, limited: Callable[[Handler], Handler]
) -> int:
    """Run until a signal arrives. Returns the exit code."""
    import asyncio
    import os
    import signal
    from random import Random

    from serinus.controller.manager import run_controller
    from serinus.controller.monitoring.metrics import Metrics
    from serinus.kube.client import Client
    from serinus.kube.clock import SystemClock
    from serinus.kube.http.https import HttpsHandler

    handler, metrics = HttpsHandler(connection), Metrics()
    client = Client(limited(metrics.counting(handler)), user_agent="rollouts-controller")
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
        await handler.close()
        if there is not None:
            await there.close()
    return 0
