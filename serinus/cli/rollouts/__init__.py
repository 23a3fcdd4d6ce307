"""The commands of `kubectl argo rollouts`: each file of this folder with a `SHORT`.

`get_rollout.py` is `get rollout`. docs/adding-a-command.md has the steps to add one.
"""

from __future__ import annotations

from serinus.cli.framework.command_files import rows
from serinus.cli.framework.commandline import Program
from serinus.cli.framework.flags import Flag

LEVELS = ("trace", "debug", "info", "warn", "warning", "error", "fatal", "panic")

CONNECTION = (
    Flag("kubeconfig", "Path of the kubeconfig", metavar="FILE"),
    Flag("context", "Context of the kubeconfig to use", metavar="NAME"),
    Flag("cluster", "Cluster of the kubeconfig to use", metavar="NAME"),
    Flag("user", "User of the kubeconfig to use", metavar="NAME"),
    Flag("namespace", "Namespace to act in", short="n", metavar="NAME"),
    Flag("server", "Address of the API server", short="s", metavar="URL"),
    Flag("token", "Bearer token for the API server"),
    Flag("as", "User to act as", metavar="USER"),
    Flag("as-group", "Group to act as; may be repeated", default=(), metavar="GROUP"),
    Flag("as-uid", "UID to act as", metavar="UID"),
    Flag("request-timeout", "Longest time for one request, such as 30s; 0 for no limit", metavar="TIME"),
    Flag("cache-dir", "Accepted for kubectl's sake: nothing is cached", metavar="DIR"),
    Flag("disable-compression", "Do not ask for compressed answers", default=False),
    Flag("certificate-authority", "Certificate of the API server's authority", metavar="FILE"),
    Flag("client-certificate", "Client certificate for TLS", metavar="FILE"),
    Flag("client-key", "Client key for TLS", metavar="FILE"),
    Flag("insecure-skip-tls-verify", "Do not check the API server's certificate", default=False),
    Flag("tls-server-name", "Name to expect in the API server's certificate", metavar="NAME"),
    Flag(
        "exit-codes",
        "detailed: an exit code for each kind of failure; plain: 0 or 1",
        default="plain",
        choices=("plain", "detailed"),
    ),
    Flag("kloglevel", "Accepted for kubectl's sake", short="v", default=0),
    Flag("loglevel", "Accepted for kubectl's sake", default="info", choices=LEVELS),
)
"""kubectl's flags, which every command takes."""


GROUPS = {
    "get": "Show one Rollout or Experiment with all that belongs to it",
    "list": "List Rollouts or Experiments",
    "notifications": "Look at, try and send notifications",
    "notifications template": "Templates of notifications",
    "notifications trigger": "Triggers of notifications",
    "retry": "Retry an aborted Rollout or a failed Experiment",
    "set": "Change a Rollout",
    "terminate": "Stop an AnalysisRun or an Experiment",
}
"""Words that only group other commands, each with its description."""

ROWS = rows(__file__, __name__, GROUPS)


def program(name: str = "kubectl-argo-rollouts", typed: str = "kubectl argo rollouts") -> Program:
    return Program(name, typed, "See and steer Rollouts: releases that go out step by step.", ROWS, CONNECTION)
