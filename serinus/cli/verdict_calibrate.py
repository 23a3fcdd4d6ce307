"""`serinus verdict calibrate`: measures bursts of errors in past looks without a release."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import msgspec

from serinus.analysis.sequential.dispersion import LEAST_LOOKS, Dispersion
from serinus.analysis.sequential.looks import Look
from serinus.analysis.sequential.settings import VerdictSettings
from serinus.analysis.sequential.tally import verdicts
from serinus.api.messages.counted import counted
from serinus.api.messages.visible import visible_json
from serinus.api.values.durations import go_duration
from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.errors import Problem
from serinus.cli.framework.flags import Flag
from serinus.cli.verdicts.verdict_lines import looks_of
from serinus.cli.verdicts.verdict_settings import SETTINGS, settings_of

SHORT = "Measure bursts and false aborts on past looks"


def run(call: Call) -> int:
    settings, window = settings_of(call), call.number("window")
    gaps = 0
    if window < 1:
        raise Problem("--window must be 1 or more")
    if call.text("filename"):
        from serinus.cli.verdicts.verdict_past import PastCredentials, looks_of_past
        from serinus.kube.configuration.config import Flags

        flags = Flags(kubeconfig=call.text("kubeconfig"), context=call.text("context"))
        looks, gaps, metric = looks_of_past(
            call.text("filename"),
            call.text("metric"),
            tuple(call.texts("arg")),
            _seconds(call.text("past")),
            PastCredentials(flags, call.text("controller-namespace"), call.text("namespace")),
        )
        settings = metric.settings
    else:
        looks = [look for _, look in looks_of(sys.stdin.buffer)]
    if len(looks) < LEAST_LOOKS:
        raise Problem(
            f"{counted(len(looks), 'look is', 'looks are')} too few: a dispersion needs {LEAST_LOOKS}, and a false-abort rate many windows"
        )
    estimator = Dispersion()
    for look in looks:
        estimator.add(look.stable_requests, look.stable_errors)
    dispersion = round(estimator.estimate(), 3)
    compared = any(look.canary_requests for look in looks)
    windows = [looks[at : at + window] for at in range(0, len(looks) - window + 1, window)]
    learnt = msgspec.structs.replace(settings, dispersion=max(settings.dispersion, dispersion))
    told = {
        "looks": len(looks),
        "measuredDispersion": round(estimator.measured(), 3),
        "dispersion": dispersion,
        "windows": len(windows),
        "falseAborts": _harmed(settings, windows) if compared else None,
        "falseAbortsWithDispersion": _harmed(learnt, windows) if compared else None,
        "bound": settings.false_abort,
    }
    if call.text("filename"):
        told["timesWithoutCounts"] = gaps
    print(visible_json(json.dumps(told)))
    return 0


def _seconds(text: str) -> float:
    try:
        seconds = go_duration(text)
    except ValueError as error:
        raise Problem(f"--past: {error}") from None
    if seconds <= 0:
        raise Problem("--past: the time must be above 0")
    return seconds


def _harmed(settings: VerdictSettings, windows: Sequence[Sequence[Look]]) -> float | None:
    """The share of windows in which harm was found; None without windows."""
    if not windows:
        return None
    harmed = sum(any(one.verdict == "harm" for one in verdicts(settings, window)) for window in windows)
    return round(harmed / len(windows), 4)


COMMAND = Command(
    run,
    "Reads looks of a time in which nothing was released, in the form that `serinus verdict` reads, or with -f\n"
    "from the metric's own provider: prometheus, datadog, newRelic, influxdb, cloudWatch or graphite.\n\n"
    "With -f give the arguments that select two groups of pods of one version, such as two zones: then both sides are read,\n"
    "and false aborts are counted. With the stable version's argument alone only the dispersion is measured.\n\n"
    "Prints the dispersion, which a metric takes as `dispersion`, and the part of windows in which harm would have been found\n"
    "although both sides ran the same version: with the counts as they are, and with the dispersion.",
    "",
    (
        "serinus verdict calibrate < last-week.jsonl",
        "serinus verdict calibrate -f errors.yaml --arg stable=5b8c6d7f9 --past 72h",
    ),
    flags=(
        Flag("window", "Looks of a release: the past is cut into so many at a time", default=60),
        Flag("filename", "AnalysisTemplate whose queries read the past", short="f", metavar="FILE"),
        Flag("metric", "Metric of the template, if it has several with a verdict", metavar="NAME"),
        Flag("arg", "Argument of the template; repeat it", default=(), metavar="NAME=VALUE"),
        Flag("past", "How far back the queries read", default="168h", metavar="TIME"),
        Flag("controller-namespace", "Namespace of the controller's Secrets", default="argo-rollouts", metavar="NAME"),
        Flag("namespace", "Namespace of Secrets that the template calls `namespaced`", short="n", metavar="NAME"),
        Flag("kubeconfig", "Path of the kubeconfig for Secrets", metavar="FILE"),
        Flag("context", "Context of the kubeconfig", metavar="NAME"),
        *SETTINGS,
    ),
)
