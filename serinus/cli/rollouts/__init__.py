"""The commands of `kubectl argo rollouts`: one line in this table and one file for each."""

from __future__ import annotations

from serinus.cli.commandline import Flag, Program, Row

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


def _row(words: str, short: str, *aliases: str, module: str | None = None) -> Row:
    path = tuple(words.split())
    name = "_".join(path) if module is None else module
    return Row(path, f"serinus.cli.rollouts.{name}" if name else "", short, aliases)


ROWS = (
    _row("abort", "Stop an update and send all traffic back to the stable version"),
    _row("completion", "Print the completion script of a shell"),
    _row("create", "Create Rollouts, Experiments, AnalysisTemplates and AnalysisRuns"),
    _row("create analysisrun", "Create an AnalysisRun from a template", "ar"),
    _row("dashboard", "Show Rollouts in a browser, and steer them there"),
    _row("doctor", "Say whether Rollouts can work here, and what to do where they cannot"),
    _row("get", "Show one Rollout or Experiment with all that belongs to it", module=""),
    _row("get rollout", "Show a Rollout with its ReplicaSets, pods, experiments and analyses", "ro", "rollouts"),
    _row("get experiment", "Show an Experiment with its ReplicaSets, pods and analyses", "exp", "experiments"),
    _row("history", "Say which revisions there were, and who did what when"),
    _row("lint", "Check the Rollouts of a file"),
    _row("list", "List Rollouts or Experiments", module=""),
    _row("list rollouts", "List Rollouts", "ro", "rollout"),
    _row("list experiments", "List Experiments", "exp", "experiment"),
    _row("notifications", "Look at, try and send notifications", module=""),
    _row("notifications history", "Show the notifications of a Rollout, and why triggers send none"),
    _row("notifications lint", "Check a configuration of notifications"),
    _row("notifications send", "Send what a trigger says of a Rollout now"),
    _row("notifications template", "Templates of notifications", module=""),
    _row("notifications template get", "Show templates"),
    _row("notifications template notify", "Make a template's message of a Rollout, and send or print it"),
    _row("notifications trigger", "Triggers of notifications", module=""),
    _row("notifications trigger get", "Show triggers"),
    _row("notifications trigger run", "Say what a trigger's conditions are for a Rollout now"),
    _row("pause", "Pause a Rollout"),
    _row("promote", "Promote a rollout: end the current pause, or skip the current step"),
    _row("restart", "Restart the pods of a Rollout"),
    _row("retry", "Retry an aborted Rollout or a failed Experiment", module=""),
    _row("retry rollout", "Retry an aborted Rollout", "ro", "rollouts"),
    _row("retry experiment", "Retry a failed Experiment", "exp", "experiments"),
    _row("set", "Change a Rollout", module=""),
    _row("set image", "Change the image of a container"),
    _row("status", "Follow a Rollout until it is done, and say how it ended"),
    _row("terminate", "Stop an AnalysisRun or an Experiment", module=""),
    _row("terminate analysisrun", "Stop an AnalysisRun", "ar", "analysisruns"),
    _row("terminate experiment", "Stop an Experiment", "exp", "experiments"),
    _row("undo", "Go back to an earlier revision"),
    _row("version", "Show the version"),
    _row("why", "Say why a Rollout waits, and what would release it"),
)


def program(name: str = "kubectl-argo-rollouts", typed: str = "kubectl argo rollouts") -> Program:
    return Program(name, typed, "See and steer Rollouts: releases that go out step by step.", ROWS, CONNECTION)
