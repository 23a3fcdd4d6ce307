"""The flags of `serinus controller`: those of Argo Rollouts' controller, and kubectl's for the connection."""

from __future__ import annotations

import click


def _seconds(_: click.Context, param: click.Parameter, text: str) -> float:
    from serinus.api.values.durations import pause_seconds

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


# Flags of the reference without effect here. They are accepted so that manifests need no change.
_NO_EFFECT = (
    "--experiment-threads",
    "--service-threads",
    "--ingress-threads",
    "--ephemeral-metadata-threads",
    "--ephemeral-metadata-update-pod-retries",
    "--kloglevel",
    "--aws-target-group-binding-api-version",
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
OWN = (
    _switch("--namespaced", False, "Watch only the controller's own namespace."),
    click.Option(["--instance-id"], default="", help="Act only on Rollouts labelled with this controller-instance-id."),
    click.Option(
        ["--rollout-resync"],
        type=click.IntRange(0),
        default=900,
        show_default=True,
        help="Seconds after which all Rollouts are reconciled again; 0 for never.",
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
        help="AnalysisRuns worked on at once, besides those that wait for an answer.",
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
    _switch(
        "--self-service-notification-enabled",
        False,
        "Namespaces may have a configuration of notifications of their own.",
    ),
    _switch(
        "--aws-verify-target-group",
        False,
        "Read from AWS which weights ALB Ingresses have, and complete a step when they are in force.",
    ),
    click.Option(["--alb-verify-weight"], type=bool, is_flag=False, flag_value="true", default=False, hidden=True),
    click.Option(
        ["--alb-tag-key-resource-id"],
        default="ingress.k8s.aws/resource",
        show_default=True,
        help="Tag of a target group that names its Ingress and Service.",
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


IGNORED = (*(click.Option([flag], hidden=True, expose_value=False, multiple=True) for flag in _NO_EFFECT),)
