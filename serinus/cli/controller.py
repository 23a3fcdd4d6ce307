"""`serinus controller`: runs the controller against any Kubernetes API, in a cluster or beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

    from serinus.controller.process import Options
    from serinus.kube.config import Connection
    from serinus.kube.wire import Handler


JOB_KUBECONFIG = "ARGO_ROLLOUTS_ANALYSIS_JOB_KUBECONFIG"


def _seconds(_: click.Context, param: click.Parameter, text: str) -> float:
    from serinus.api.durations import pause_seconds

    try:
        return pause_seconds(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param=param) from None


def _say_version(context: click.Context, _: click.Parameter, asked: bool) -> None:
    from serinus import __version__

    if asked:
        click.echo(f"rollouts-controller: v{__version__}+serinus")
        context.exit()


def _switch(name: str, default: bool, text: str) -> click.Option:
    """As Go's flags: `--leader-elect` and `--leader-elect=false`."""
    return click.Option(
        [name],
        type=bool,
        is_flag=False,
        flag_value="true",
        default=default,
        show_default=True,
        help=text,
        metavar="[=BOOL]",
    )


# Flags of the reference that mean nothing here: accepted, so that a manifest need not change. There are no such routers yet.
_NO_EFFECT = (
    "--experiment-threads",
    "--service-threads",
    "--ingress-threads",
    "--ephemeral-metadata-threads",
    "--ephemeral-metadata-update-pod-retries",
    "--kloglevel",
    "--aws-target-group-binding-api-version",
    "--alb-tag-key-resource-id",
    "--alb-ingress-classes",
    "--nginx-ingress-classes",
    "--ingress-api-version",
    "--istio-api-version",
    "--ambassador-api-version",
    "--traffic-split-api-version",
    "--traefik-api-group",
    "--traefik-api-version",
    "--appmesh-crd-version",
    "--enable-pprof-address",
)
_NO_EFFECT_SWITCHES = ("--aws-verify-target-group", "--alb-verify-weight", "--self-service-notification-enabled")


CONNECTION = (
    click.Option(["--kubeconfig"], default="", metavar="FILE", help="Path to the kubeconfig."),
    click.Option(["--context"], default="", help="Name of the kubeconfig context to use."),
    click.Option(["--cluster"], default="", help="Name of the kubeconfig cluster to use."),
    click.Option(["--user"], default="", help="Name of the kubeconfig user to use."),
    click.Option(["-n", "--namespace"], default="", help="The controller's own namespace."),
    click.Option(["-s", "--server"], default="", help="Address and port of the API server."),
    click.Option(["--token"], default="", help="Bearer token for the API server."),
    click.Option(["--as", "as_user"], default="", help="User to impersonate."),
    click.Option(["--as-group", "as_groups"], multiple=True, help="Group to impersonate; may be repeated."),
    click.Option(["--as-uid"], default="", help="UID to impersonate."),
    click.Option(["--request-timeout"], default="", help="Time limit of one request, such as 30s."),
    click.Option(["--certificate-authority"], default="", metavar="FILE", help="Certificate of the authority."),
    click.Option(["--client-certificate"], default="", metavar="FILE", help="Client certificate for TLS."),
    click.Option(["--client-key"], default="", metavar="FILE", help="Client key for TLS."),
    click.Option(["--insecure-skip-tls-verify"], is_flag=True, help="Do not check the server's certificate."),
    click.Option(["--tls-server-name"], default="", help="Name to expect in the server's certificate."),
)
_PORT = click.IntRange(0, 65535)
_OWN = (
    _switch("--namespaced", False, "Watch only the controller's own namespace."),
    click.Option(["--instance-id"], default="", help="Act only on Rollouts labelled with this controller-instance-id."),
    click.Option(
        ["--rollout-resync"],
        type=click.IntRange(0),
        default=900,
        show_default=True,
        help="Seconds after which all Rollouts are looked at again; 0 for never.",
    ),
    click.Option(
        ["--rollout-threads"],
        type=click.IntRange(1),
        default=10,
        show_default=True,
        help="Rollouts worked on at once.",
    ),
    click.Option(
        ["--analysis-threads"],
        type=click.IntRange(1),
        default=30,
        show_default=True,
        help="AnalysisRuns worked on at once.",
    ),
    click.Option(
        ["--qps"],
        type=click.FloatRange(0),
        default=0.0,
        help="Requests to the API server a second at most; 0: as fast as it answers.",
    ),
    click.Option(
        ["--burst"],
        type=click.IntRange(1),
        default=80,
        show_default=True,
        help="With --qps: requests that may come at once.",
    ),
    click.Option(
        ["--controllers"],
        type=click.Choice(["analysis"]),
        help="Only this: AnalysisRuns are carried out, Rollouts and Experiments are left alone.",
    ),
    _switch("--leader-elect", True, "Act only while holding the lease."),
    click.Option(
        ["--leader-election-lease-duration"],
        default="4s",
        callback=_seconds,
        show_default=True,
        help="How long others wait for a silent leader.",
    ),
    click.Option(
        ["--leader-election-renew-deadline"],
        default="3s",
        callback=_seconds,
        show_default=True,
        help="After which a leader that cannot renew stops.",
    ),
    click.Option(
        ["--leader-election-retry-period"],
        default="500ms",
        callback=_seconds,
        show_default=True,
        help="Time between attempts to lead.",
    ),
    click.Option(
        ["--address"],
        default="127.0.0.1",
        show_default=True,
        help="Where metrics and health are served; 0.0.0.0 in a pod.",
    ),
    click.Option(
        ["--metricsPort", "--metricsport", "metrics_port"],
        type=_PORT,
        default=8090,
        show_default=True,
        help="Port of /metrics; 0 for any free one.",
    ),
    click.Option(
        ["--healthzPort", "healthz_port"],
        type=_PORT,
        default=8080,
        show_default=True,
        help="Port of /healthz and /readyz; 0 for any free one.",
    ),
    click.Option(
        ["--loglevel"], type=click.Choice(["debug", "info", "warn", "error"]), default="info", help="Log level."
    ),
    click.Option(
        ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_say_version, help="Print the version."
    ),
    click.Option(["--logformat"], type=click.Choice(["text", "json"]), default="text", help="Log format."),
)


SELDOM = (20_000, 20, 50)
"""Thresholds of the garbage collector. The caches are large and live long, and every look at all of them finds nothing: with
Python's own (700, 10, 10) it costs 500 analyses a tenth to a fifth of their processor time."""

_IGNORED = (
    *(click.Option([flag], hidden=True, expose_value=False, multiple=True) for flag in _NO_EFFECT),
    *(
        click.Option([flag], type=bool, is_flag=False, flag_value="true", hidden=True, expose_value=False)
        for flag in _NO_EFFECT_SWITCHES
    ),
)


@click.command("controller", params=[*_OWN, *CONNECTION, *_IGNORED])
def command(**given: object) -> None:
    """Run the controller against the API server of a kubeconfig, or of the pod it runs in.

    It runs until SIGTERM or SIGINT (exit 0); a second one ends it at once (exit 1).
    """
    import asyncio
    import gc

    from serinus.controller import log
    from serinus.controller.ports import PortTaken
    from serinus.controller.process import lease_namespace
    from serinus.kube.config import ConfigError, Flags, load

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
    """uvloop's, whose TLS and sockets cost a third less; None for the standard one where it is not installed."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def _options(given: dict[str, object], home: str) -> Options:
    from serinus.controller.process import Options

    return Options(
        namespace=home if given["namespaced"] else "",
        instance_id=str(given["instance_id"]),
        workers=int(str(given["rollout_threads"])),
        analysis_workers=int(str(given["analysis_threads"])),
        only_analyses=given["controllers"] == "analysis",
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
    """Where the Jobs of analyses are made, if somebody says so: a kubeconfig, or `in-cluster`. ConfigError if neither."""
    import os

    from serinus.kube.config import ConfigError, Flags, in_cluster, load

    said = os.environ.get(JOB_KUBECONFIG, "")
    if not said:
        return None
    try:
        return in_cluster() if said == "in-cluster" else load(Flags(kubeconfig=said))
    except ConfigError as error:
        raise ConfigError(f"${JOB_KUBECONFIG}: {error}") from None


def _limit(qps: float, burst: int) -> Callable[[Handler], Handler]:
    """What makes a handler as slow as is asked for."""
    from serinus.kube.clock import SystemClock
    from serinus.kube.throttle import throttled

    return lambda handler: throttled(handler, SystemClock(), qps=qps, burst=burst) if qps else handler


async def _run(
    connection: Connection, options: Options, elsewhere: Connection | None, limited: Callable[[Handler], Handler]
) -> int:
    """Runs until a signal; returns the exit code."""
    import asyncio
    import os
    import signal
    from random import Random

    from serinus.controller.metrics import Metrics
    from serinus.controller.process import run_controller
    from serinus.kube.client import Client
    from serinus.kube.clock import SystemClock
    from serinus.kube.https import HttpsHandler

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
