"""The flags of `serinus controller`: those of Argo Rollouts' controller, and kubectl's for the connection."""

from __future__ import annotations

from serinus.cli import rollouts as table
from serinus.cli.framework.flags import Flag, real, whole


def _seconds(text: str) -> float:
    from serinus.api.values.durations import pause_seconds

    return pause_seconds(text)


# Flags of the reference without effect here. They are accepted so that manifests need no change.
_NO_EFFECT = (
    "experiment-threads",
    "service-threads",
    "ingress-threads",
    "ephemeral-metadata-threads",
    "ephemeral-metadata-update-pod-retries",
    "kloglevel",
    "aws-target-group-binding-api-version",
    "alb-ingress-classes",
    "nginx-ingress-classes",
    "ingress-api-version",
    "istio-api-version",
    "ambassador-api-version",
    "traffic-split-api-version",
    "traefik-api-group",
    "traefik-api-version",
    "appmesh-crd-version",
    "enable-pprof-address",
)
_NOT_TAKEN = ("cache-dir", "disable-compression", "exit-codes", "kloglevel", "loglevel")
_NAMESPACE = Flag("namespace", "The controller's own namespace", short="n", metavar="NAME")
CONNECTION = tuple(
    _NAMESPACE if flag.name == "namespace" else flag for flag in table.CONNECTION if flag.name not in _NOT_TAKEN
)
_PORT = whole(0, 65535)
OWN = (
    Flag("namespaced", "Watch only the controller's own namespace", default=False),
    Flag("instance-id", "Act only on Rollouts labelled with this controller-instance-id", metavar="ID"),
    Flag(
        "rollout-resync",
        "Seconds after which all Rollouts are reconciled again; 0 for never",
        default=900,
        parse=whole(0),
    ),
    Flag("rollout-threads", "Rollouts worked on at once", default=10, parse=whole(1)),
    Flag(
        "analysis-threads",
        "AnalysisRuns worked on at once, besides those that wait for an answer",
        default=30,
        parse=whole(1),
    ),
    Flag("qps", "Requests to the API server a second at most; 0: as fast as it answers", default=0.0, parse=real(0)),
    Flag("burst", "With --qps: requests that may come at once", default=80, parse=whole(1)),
    Flag(
        "controllers",
        "Only this: AnalysisRuns are carried out, Rollouts and Experiments are left alone",
        choices=("analysis",),
    ),
    Flag(
        "self-service-notification-enabled",
        "Namespaces may have a configuration of notifications of their own",
        default=False,
    ),
    Flag(
        "aws-verify-target-group",
        "Read from AWS which weights ALB Ingresses have, and complete a step when they are in force",
        default=False,
    ),
    Flag("alb-verify-weight", "The old name of --aws-verify-target-group", default=False, hidden=True),
    Flag(
        "alb-tag-key-resource-id",
        "Tag of a target group that names its Ingress and Service",
        default="ingress.k8s.aws/resource",
        metavar="TAG",
    ),
    Flag("leader-elect", "Act only while holding the lease", default=True),
    Flag(
        "leader-election-lease-duration",
        "How long others wait for a silent leader",
        default="4s",
        metavar="TIME",
        parse=_seconds,
    ),
    Flag(
        "leader-election-renew-deadline",
        "After which a leader that cannot renew stops",
        default="3s",
        metavar="TIME",
        parse=_seconds,
    ),
    Flag(
        "leader-election-retry-period",
        "Time between attempts to lead",
        default="500ms",
        metavar="TIME",
        parse=_seconds,
    ),
    Flag("address", "Where metrics and health are served; 0.0.0.0 in a pod", default="127.0.0.1", metavar="IP"),
    Flag("metricsPort", "Port of /metrics; 0 for any free one", default=8090, parse=_PORT, also=("metricsport",)),
    Flag("healthzPort", "Port of /healthz and /readyz; 0 for any free one", default=8080, parse=_PORT),
    Flag("loglevel", "Log level", default="info", choices=("debug", "info", "warn", "error")),
    Flag("version", "Print the version", default=False),
    Flag("logformat", "Log format", default="text", choices=("text", "json")),
)


IGNORED = tuple(Flag(name, "Without effect", default=(), hidden=True) for name in _NO_EFFECT)
